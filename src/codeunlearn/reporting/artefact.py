"""One table or figure of the paper in the forms in which it is kept: CSV for programs, Markdown for people, SVG for print."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeunlearn.extras import needs
from codeunlearn.files import plain, replacing, write_text
from codeunlearn.markdown import cell, prose
from codeunlearn.reporting.figures import to_svg
from codeunlearn.reporting.word_diff import Piece

with needs("reports"):
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Grid:
    """A table as people read it.

    Attributes:
        columns: heads.
        rows: cells as text, or as stretches of text of which the changed ones are set in bold; as many as there are columns.
        caption: what the rows are; for one of several grids of an artefact.
        numeric: columns that are set to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Sequence[Piece]]]
    caption: str = ""
    numeric: frozenset[int] = frozenset()

    def to_markdown(self) -> str:
        head = "| " + " | ".join(map(cell, self.columns)) + " |\n"
        rule = "".join("|---:" if i in self.numeric else "|---" for i in range(len(self.columns))) + "|\n"
        body = "".join("| " + " | ".join(map(_in_markdown, row)) + " |\n" for row in self.rows)
        return (f"{prose(self.caption)}\n\n" if self.caption else "") + head + rule + body


@dataclass(frozen=True)
class Artefact:
    """A table or figure.

    Attributes:
        name: of its files, without the ending.
        title: such as "Table 2".
        caption: what it shows and how to read it.
        records: its numbers, one mapping for each row of the CSV file; all have the same keys.
        grids: the table for people.
        figure: its drawing.
        alt: what the drawing shows, for those who do not see it.
    """

    name: str
    title: str
    caption: str
    records: Sequence[Mapping[str, Any]]
    grids: Sequence[Grid]
    figure: Figure | None = None
    alt: str = ""
    _svg: list[bytes] = field(default_factory=list[bytes], compare=False, repr=False)

    @property
    def svg(self) -> bytes | None:
        """The drawing as vectors, made once."""
        if self.figure is not None and not self._svg:
            self._svg.append(to_svg(self.figure))
        return self._svg[0] if self._svg else None

    def to_csv(self) -> str:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, list(self.records[0]) if self.records else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(plain(dict(record)) for record in self.records)
        return stream.getvalue()

    def to_markdown(self) -> str:
        parts = [f"**{prose(self.title)}.** {prose(self.caption)}", *(grid.to_markdown() for grid in self.grids)]
        if self.figure is not None:
            parts.append(f"![{prose(self.alt or self.title)}]({self.name}.svg)")
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

    def save(self, folder: Path) -> None:
        """``NAME.csv``, ``NAME.md`` and, with a drawing, ``NAME.svg``."""
        write_text(folder / f"{self.name}.csv", self.to_csv())
        write_text(folder / f"{self.name}.md", self.to_markdown())
        if (svg := self.svg) is not None:
            with replacing(folder / f"{self.name}.svg") as unfinished:
                unfinished.write_bytes(svg)


def _in_markdown(content: str | Sequence[Piece]) -> str:
    if isinstance(content, str):
        return cell(content)
    return "".join(_stretch(piece) for piece in content) or "(empty)"


def _stretch(piece: Piece) -> str:
    """With the space around it, which stands outside of what is set in bold."""
    text = piece.text.strip()
    if not text:
        return " "
    before, after = (" " if edge.isspace() else "" for edge in (piece.text[0], piece.text[-1]))
    shown = f"**{cell(text)}**" if piece.changed else cell(text)
    return f"{before}{shown}{after}"
