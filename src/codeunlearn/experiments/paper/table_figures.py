"""Tables 2 and 3 drawn: drops of every topic side by side, and the time of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from codeunlearn.evaluation.test_sets import FORGET
from codeunlearn.experiments.paper import numbers as paper
from codeunlearn.experiments.results import TopicMean
from codeunlearn.extras import needs
from codeunlearn.reporting.figures import BLUE, DPI, GREY, STYLE, VERMILION
from codeunlearn.reporting.labels import MINUS, metric_label

with needs("reports"):
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, NullFormatter

_TITLE_WIDTH = 24  # characters that fit above a panel
_LEAST, _MOST = -320.0, 60.0  # per cent; what lies beyond is drawn at the edge


def drop_figure(cells: Sequence[TopicMean], metrics: Sequence[str], zero_point: str) -> Figure:
    """A panel for each metric: every topic's normalised drop on D'_T and D_R, ours and the paper's."""
    topics = list(dict.fromkeys(cell.topic for cell in cells))
    columns = min(4, max(1, len(metrics)))
    lines = -(-len(metrics) // columns)
    with rc_context(STYLE):
        height = 1.05 + lines * (0.7 + 0.4 * len(topics))
        figure = Figure(figsize=(7.2, height), dpi=DPI, layout="constrained")
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index >= len(metrics):
                axes.set_axis_off()
                continue
            shown = [cell for cell in cells if cell.metric == metrics[index] and cell.normalised is not None]
            _panel(axes, shown, topics)
            axes.set_title(fill(metric_label(metrics[index], "").text, _TITLE_WIDTH))
        figure.legend(handles=_legend(cells), loc="outside upper left", ncols=5, frameon=False, handletextpad=0.4)
        figure.supxlabel(
            f"normalised improvement drop, %: 0 codebook model, {MINUS}100 {zero_point.removeprefix('the ')}",
            fontsize=9,
        )
        return figure


def _panel(axes: Axes, cells: Sequence[TopicMean], topics: Sequence[str]) -> None:
    for line in range(0, len(topics), 2):
        axes.axhspan(line - 0.5, line + 0.5, color="#F5F5F5", zorder=0, linewidth=0)
    for x in (0, -100):
        axes.axvline(x, color="#555555", linewidth=0.8, linestyle="-" if x == 0 else (0, (4, 3)), zorder=1)
    values = [value for cell in cells for value in (cell.normalised, _papers(cell)) if value is not None]
    least = max(_LEAST, min([-110.0, *values]) - 15)
    for cell in cells:
        color, marker, offset = (VERMILION, "D", -0.17) if cell.set == FORGET else (BLUE, "o", 0.17)
        y = topics.index(cell.topic) + offset
        if not cell.denominator_within_noise and cell.normalised_low is not None and cell.normalised_high is not None:
            ends = [min(_MOST, max(least, end)) for end in (cell.normalised_low, cell.normalised_high)]
            axes.plot(ends, [y, y], color=color, linewidth=1.4, solid_capstyle="butt", zorder=2)
        x = min(_MOST, max(least, cell.normalised or 0.0))
        inside = "white" if cell.denominator_within_noise else color
        axes.plot([x], [y], color=color, marker=marker, markersize=4.6, mfc=inside, linestyle="none", zorder=3)
        if (printed := _papers(cell)) is not None:
            at = min(_MOST, max(least, printed))
            axes.plot([at], [y], color=GREY, marker="x", markersize=4.6, linestyle="none", zorder=2.5)
    axes.set_xlim(least - 12, _MOST + 12)
    axes.set_ylim(len(topics) - 0.5, -0.5)
    axes.set_yticks(range(len(topics)), topics)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def _papers(cell: TopicMean) -> float | None:
    return paper.drop(cell.topic, cell.set, cell.metric)


def _legend(cells: Sequence[TopicMean]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=VERMILION, marker="D", markersize=5, linewidth=1.4, label="with the topic (D'_T)"),
        Line2D([], [], color=BLUE, marker="o", markersize=5, linewidth=1.4, label="unrelated (D_R)"),
    ]
    if any(cell.denominator_within_noise for cell in cells):
        hollow: Any = {"color": "#333333", "mfc": "white", "linestyle": "none", "markersize": 5}
        handles.append(Line2D([], [], marker="o", label="says nothing (†)", **hollow))
    if any(_papers(cell) is not None for cell in cells):
        handles.append(Line2D([], [], color=GREY, marker="x", markersize=5, linestyle="none", label="the paper's"))
    return handles


def time_figure(records: Sequence[Mapping[str, Any]], step_name: str) -> Figure:
    """Mean time of a search size by size, ours and the paper's, with one standard deviation."""
    with rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.9), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        for prefix, color, marker, label in (
            ("", VERMILION, "D", "this run"),
            ("paper_", GREY, "x", "the paper"),
        ):
            found = [r for r in records if r[f"{prefix}seconds_mean"] is not None]
            if not found:
                continue
            x = [r["size"] for r in found]
            mean = [r[f"{prefix}seconds_mean"] for r in found]
            sd = [r[f"{prefix}seconds_sd"] or 0.0 for r in found]
            # on a logarithmic scale a bar cannot reach zero, so it ends at a tenth of the mean
            below = [m - max(m - s, 0.1 * m) for m, s in zip(mean, sd, strict=True)]
            style: Any = {"color": color, "marker": marker, "markersize": 4.6, "linewidth": 1.2, "elinewidth": 1.0}
            axes.errorbar(x, mean, yerr=[below, sd], label=label, **style)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks([r["size"] for r in records])
        axes.set_xlabel(step_name)
        axes.set_ylabel("seconds for one search")
        axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        return figure
