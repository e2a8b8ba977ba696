"""The figures of a report, drawn without any global plotting state; equal data gives equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeunlearn.evaluation.protocol import AFTER, BEFORE, PLAIN, ZERO_SHOT, ScoreRow, TopicEvaluation
from codeunlearn.extras import needs
from codeunlearn.reporting.labels import (
    is_defined,
    metric_label,
    metric_order,
    set_label,
    system_label,
    token_text,
)
from codeunlearn.reporting.score_lines import systems_of
from codeunlearn.unlearning.evidence.enrichment import EnrichmentTable, FloatArray

with needs("reports"):
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

BoolArray = NDArray[np.bool_]
DPI = 150
# The colours of Okabe and Ito (2008) that stay apart for every kind of colour vision; markers say the same again.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#767676",
)
_STYLES = {BEFORE: (BLUE, "o"), AFTER: (VERMILION, "D"), PLAIN: (GREY, "s"), ZERO_SHOT: (GREEN, "^")}
_OTHER_STYLES = ((ORANGE, "v"), (PURPLE, "P"), ("#56B4E9", "X"))
STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.titlelocation": "left",
    "text.parse_math": False,
    "text.usetex": False,
    "svg.hashsalt": "codeunlearn",
}
"""Settings under which every figure is made and written."""


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG at 150 dpi, without a date or a version in it."""
    stream = BytesIO()
    with rc_context(STYLE):
        FigureCanvasAgg(figure).print_png(stream, metadata={"Software": "codeunlearn"})
    return stream.getvalue()


def to_svg(figure: Figure) -> bytes:
    """The figure as vectors, its letters as outlines, so that it looks the same wherever it is opened; without a date."""
    stream = BytesIO()
    with rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": "codeunlearn"})
    return stream.getvalue()


def volcano(
    table: EnrichmentTable,
    chosen: Sequence[int],
    *,
    alpha: float | None = 0.05,
    title: str = "",
    labels: int = 6,
) -> Figure:
    """Every code that fired: R against -log10 p, the chosen ones in colour and the strongest of them named.

    R of a code that is absent from one group is set by epsilon alone, so such codes stand in a band of their own beside
    the axis, spread out so that each can be seen, and keep only their height.

    Args:
        table: the evidence.
        chosen: ids of the chosen codes.
        alpha: level of the preset's test, drawn as a line; none when the preset has no such level.
        labels: how many chosen codes are named with their id and their most frequent token.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.7), dpi=DPI)
        axes = figure.add_axes((0.085, 0.115, 0.685, 0.765))
        is_chosen = np.isin(table.ids, np.asarray(chosen, dtype=np.int64))
        heights = _heights(table.p)
        positions, limit, width = _positions(table, heights)
        _scatter(axes, table, positions, heights, is_chosen)
        _dress_volcano(axes, table, limit, width, alpha)
        _name_strongest(axes, table, positions, heights, is_chosen, labels)
        handles, _ = axes.get_legend_handles_labels()
        figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.077, 0.945), ncols=4, frameon=False)
        figure.text(0.085, 0.955, title, fontsize=10.5, fontweight="bold")
        return figure


def _heights(p: FloatArray) -> FloatArray:
    """-log10 p; a p too small for a float (0) is put above all others, and above the smallest float."""
    with np.errstate(divide="ignore"):
        heights = np.maximum(-np.log10(p), 0.0)
    highest = heights[np.isfinite(heights)].max(initial=300.0)
    return np.where(np.isfinite(heights), heights, 1.08 * highest)


def _positions(table: EnrichmentTable, heights: FloatArray) -> tuple[FloatArray, float, float]:
    """x of every code, the end of the quantitative axis, and the width of the bands beyond it."""
    both = (table.topic > 0) & (table.control > 0)
    limit = max(2.0, float(np.ceil(np.abs(table.r[both]).max() + 0.2)) if both.any() else 2.0)
    width = 0.3 * limit
    x = np.where(both, table.r, np.sign(table.r) * limit)
    for side in (-1, 1):
        members = np.flatnonzero(~both & (np.sign(table.r) == side))
        x[members] += side * width * _spread(heights[members])
    return x, limit, width


def _spread(heights: FloatArray) -> FloatArray:
    """For each point a place across the band, 0 to 1: points of one height side by side."""
    places = np.empty(len(heights))
    for height in np.unique(heights):
        members = np.flatnonzero(heights == height)
        places[members] = 0.12 + 0.76 * (np.arange(len(members)) + 0.5) / len(members)
    return places


def _scatter(axes: Axes, table: EnrichmentTable, x: FloatArray, y: FloatArray, is_chosen: BoolArray) -> None:
    tiny = table.p == 0
    absent = ((table.topic == 0) | (table.control == 0)) & ~tiny
    kinds = (
        (~absent & ~tiny, "o", ""),
        (absent, "D", "absent from one group"),
        (tiny, "^", "p below 1e-308"),
    )
    groups = (("not chosen", ~is_chosen, GREY, 9, 0.45), ("chosen", is_chosen, VERMILION, 18, 0.85))
    for order, (name, members, color, size, alpha) in enumerate(groups):
        options: dict[str, Any] = {"color": color, "linewidths": 0, "alpha": alpha, "zorder": 2 + order}
        axes.scatter([], [], s=1.6 * size, label=f"{name} ({int(members.sum()):,})", **options)
        for kind, marker, _ in kinds:
            axes.scatter(x[members & kind], y[members & kind], s=size, marker=marker, **options)
    for kind, marker, name in kinds[1:]:
        if kind.any():
            axes.scatter([], [], s=14, marker=marker, color="#444444", linewidths=0, label=name)


def _dress_volcano(axes: Axes, table: EnrichmentTable, limit: float, width: float, alpha: float | None) -> None:
    axes.set_yscale("function", functions=(_root, np.square))
    top = max(axes.dataLim.y1 * 1.06, 2.0)
    axes.set_ylim(-0.002 * top, top)
    axes.set_yticks(_spaced_ticks(top))
    absent = {1: table.control == 0, -1: table.topic == 0}
    ends = {side: limit + width if members.any() else limit for side, members in absent.items()}
    axes.set_xlim(-ends[-1], ends[1])
    step = max(1, round(limit / 4))
    ticks = np.arange(0, limit - 0.5 * step, step)  # none at the bands' edges, whose names stand there
    axes.set_xticks(np.unique(np.concatenate([-ticks, ticks])))
    for side, text in ((1, "never in\nthe control"), (-1, "never with\nthe topic")):
        if absent[side].any():
            axes.axvspan(side * limit, side * ends[side], color="#F0F0F0", zorder=0, linewidth=0)
            axes.text(
                side * (limit + width / 2),
                -0.012,
                text,
                ha="center",
                va="top",
                fontsize=7.5,
                color="#444444",
                transform=axes.get_xaxis_transform(),
            )
    axes.axvline(0, color="#555555", linewidth=0.8, zorder=1)
    if alpha is not None and alpha > 0:
        axes.axhline(-np.log10(alpha), color="#555555", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            f"p = {alpha:g}",
            (-limit, -np.log10(alpha)),
            xytext=(2, 3),
            textcoords="offset points",
            fontsize=8,
            color="#444444",
        )
    axes.set_xlabel("R, log2 ratio of frequencies (topic / control)", labelpad=9)
    axes.set_ylabel("\N{MINUS SIGN}log10 p (square-root scale)")


def _root(values: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(values, 0.0))


def _spaced_ticks(top: float) -> list[float]:
    """Round values from 0 up to ``top`` that stand apart on a square-root scale."""
    ticks = [0.0]
    for tick in (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 250, 300, 400, 500):
        if tick <= top and np.sqrt(tick) - np.sqrt(ticks[-1]) > 0.07 * np.sqrt(top):
            ticks.append(float(tick))
    return ticks


def _name_strongest(
    axes: Axes, table: EnrichmentTable, x: FloatArray, y: FloatArray, is_chosen: BoolArray, limit: int
) -> None:
    """Names in a column right of the axes, in the order of their points, so that they cover neither data nor lines."""
    rows = np.flatnonzero(is_chosen)
    rows = rows[np.lexsort((table.ids[rows], -table.r[rows], table.p[rows]))][:limit]
    wanted = _root(y[rows]) / np.sqrt(axes.get_ylim()[1])
    edge = axes.get_xlim()[1]
    line: dict[str, Any] = {"color": "#AAAAAA", "linewidth": 0.7, "clip_on": False, "zorder": 1.5}
    for row, start, end in zip(rows.tolist(), wanted.tolist(), _apart(wanted.tolist(), 0.07), strict=True):
        axes.plot([float(x[row]), edge], [float(y[row])] * 2, **line)
        axes.plot([1.0, 1.04], [start, end], transform=axes.transAxes, **line)
        token = f" {token_text(table.top_tokens[row][0][0])}" if table.top_tokens[row] else ""
        name = f"{table.ids[row]}{token[:16]}"
        axes.text(1.05, end, name, transform=axes.transAxes, va="center", fontsize=8.5)


def _apart(wanted: list[float], gap: float) -> list[float]:
    """Places in falling order, at most 0.98, each at least ``gap`` below the one before."""
    places: list[float] = []
    for place in wanted:
        places.append(min(place, 0.98 if not places else places[-1] - gap))
    return places


def before_after(evaluation: TopicEvaluation) -> Figure:
    """One panel per set: every system's score on every metric in per cent, with its 95% interval.

    Metrics on other scales, such as the length ratio, are left to the tables.
    """
    shown = {r.metric for r in evaluation.scores if metric_label(r.metric, r.set).to_100}
    metrics = sorted(shown, key=metric_order)
    systems = systems_of(evaluation)
    sets = list(evaluation.sizes)
    columns = 2 if len(sets) == 4 else min(3, max(1, len(sets)))
    lines = -(-len(sets) // columns)
    with rc_context(STYLE):
        height = 0.8 + lines * (0.75 + max(0.4, 0.11 * len(systems)) * len(metrics))
        figure = Figure(figsize=(7.2 if columns > 1 else 5.0, height), dpi=DPI, layout="constrained")
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index >= len(sets):
                axes.set_axis_off()
                continue
            _panel(axes, evaluation, sets[index], metrics, systems)
        figure.legend(
            handles=[_legend_entry(system, systems) for system in systems],
            loc="outside upper left",
            ncols=len(systems) if len(systems) <= 5 else 4,
            frameon=False,
        )
        figure.supxlabel("score from 0 to 100, with 95% interval", fontsize=9)
        return figure


def _panel(axes: Axes, evaluation: TopicEvaluation, name: str, metrics: list[str], systems: list[str]) -> None:
    rows = {(r.system, r.metric): r for r in evaluation.scores if r.set == name}
    for line, metric in enumerate(metrics):
        if line % 2 == 0:
            axes.axhspan(line - 0.5, line + 0.5, color="#F5F5F5", zorder=0, linewidth=0)
        present = [rows[system, metric] for system in systems if (system, metric) in rows]
        if not present:
            axes.text(50, line, "not measured", ha="center", va="center", fontsize=7.5, color="#767676")
        for row in present:
            offset = (systems.index(row.system) - (len(systems) - 1) / 2) * min(0.2, 0.8 / len(systems))
            _draw_score(axes, row, line + offset, systems)
    axes.set_title(f"{set_label(name, evaluation.topic)}\nn = {evaluation.sizes[name]:,}")
    axes.set_xlim(-3, 103)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(len(metrics) - 0.5, -0.5)
    axes.set_yticks(range(len(metrics)), [_metric_name(metric) for metric in metrics])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.spines["left"].set_visible(False)


def _metric_name(metric: str) -> str:
    """The recall means the topic's words in one panel and a neighbour's in another, so it gets no arrow here."""
    return "Word recall" if metric == "topic_word_recall" else str(metric_label(metric, "")).replace("outputs ", "")


def _draw_score(axes: Axes, row: ScoreRow, place: float, systems: list[str]) -> None:
    if not is_defined(row.value):
        return
    color, marker = _style(row.system, systems)
    axes.plot([row.low, row.high], [place, place], color=color, linewidth=1.4, solid_capstyle="butt", zorder=2)
    axes.plot([row.value], [place], color=color, marker=marker, markersize=4.6, linestyle="none", zorder=3)


def _style(system: str, systems: list[str]) -> tuple[str, str]:
    others = [name for name in systems if name not in _STYLES]
    return _STYLES[system] if system in _STYLES else _OTHER_STYLES[others.index(system) % len(_OTHER_STYLES)]


def _legend_entry(system: str, systems: list[str]) -> Line2D:
    color, marker = _style(system, systems)
    return Line2D([], [], color=color, marker=marker, markersize=5, linewidth=1.4, label=system_label(system))
