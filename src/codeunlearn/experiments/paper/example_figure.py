"""Example translations set as a printed table, changed words in bold and colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from codeunlearn.extras import needs
from codeunlearn.reporting.figures import DPI, STYLE, VERMILION
from codeunlearn.reporting.word_diff import Piece

with needs("reports"):
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.lines import Line2D

_WIDTH = 7.2  # inches, of a page
_LEFT, _TEXT = 0.02, 0.26  # of the width: where labels and where texts begin
_SIZE, _LEADING = 8.5, 0.185  # points, and inches from line to line
_ASCENT = 0.13  # inches from the top of a line to its baseline
_GAP = 0.07  # inches between the rows of a table
_SPACE = 0.318  # width of DejaVu Sans' space, in ems


class Line(NamedTuple):
    """One row: its label, its text, and the text cut into what is new in it and what is not."""

    label: str
    text: str
    pieces: Sequence[Piece]


class _Word(NamedTuple):
    text: str
    changed: bool
    width: float


def example_figure(tables: Sequence[Sequence[Line]]) -> Figure:
    """The tables one below the other; rows are as high as their texts need."""
    with rc_context(STYLE):
        probe: Any = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
        laid_out = [[(line, list(_wrapped(_words(line, probe)))) for line in lines] for lines in tables]
        rows = [row for table in laid_out for row in table]
        height = sum(len(lines) * _LEADING + 2 * _GAP for _, lines in rows) + 0.16 * len(laid_out) + 0.1
        figure = Figure(figsize=(_WIDTH, height), dpi=DPI)
        top = height - 0.1
        for table in laid_out:
            _rule(figure, top / height, 1.0)
            for line, lines in table:
                top = _draw_row(figure, line, lines, top, height)
                _rule(figure, top / height, 0.4)
            top -= 0.16
        return figure


def _font(changed: bool) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=_SIZE, weight="bold" if changed else "normal")


def _words(line: Line, renderer: Any) -> Iterator[_Word]:
    """Words with their widths in inches; the space behind a word belongs to it."""
    pieces = line.pieces if any(piece.text.strip() for piece in line.pieces) else [Piece("(empty)", False)]
    for piece in pieces:
        for text in re.findall(r"\S+\s*|\s+", piece.text):
            width = _width(text.rstrip(), piece.changed, renderer)
            spaces = len(text) - len(text.rstrip())
            yield _Word(text, piece.changed, width + spaces * _SPACE * _SIZE / 72)


def _width(text: str, changed: bool, renderer: Any) -> float:
    return renderer.get_text_width_height_descent(text, _font(changed), ismath=False)[0] / DPI if text else 0.0


def _wrapped(words: Iterator[_Word]) -> Iterator[list[_Word]]:
    room = _WIDTH * (1 - _TEXT) - 0.15
    line: list[_Word] = []
    for word in words:
        if line and sum(w.width for w in line) + word.width > room and line[-1].text != line[-1].text.rstrip():
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def _draw_row(figure: Figure, line: Line, lines: Sequence[Sequence[_Word]], top: float, height: float) -> float:
    base = top - _GAP - _ASCENT
    label: Any = {"fontsize": _SIZE, "va": "baseline", "color": "#333333"}
    for row, text in enumerate(line.label.split(", ") if len(lines) > 1 else [line.label]):
        figure.text(_LEFT, (base - row * _LEADING) / height, text, **label)
    for words in lines:
        x = _TEXT * _WIDTH
        for word in words:
            if word.text.strip():
                color = VERMILION if word.changed else "#111111"
                font = _font(word.changed)
                figure.text(
                    x / _WIDTH, base / height, word.text.rstrip(), fontproperties=font, color=color, va="baseline"
                )
            x += word.width
        base -= _LEADING
    return base + _ASCENT - _GAP


def _rule(figure: Figure, y: float, width: float) -> None:
    line = Line2D([_LEFT, 1 - _LEFT], [y, y], color="#555555", linewidth=width, transform=figure.transFigure)
    figure.add_artist(line)
