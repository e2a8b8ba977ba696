"""Figures 3, 4 and 5: what the deletions change over S', on the topic's sentences, a neighbour's, and unrelated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from codeunlearn.evaluation.scores import RECALL
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.experiments.results import Results, TopicMean
from codeunlearn.extras import needs
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.figures import BLUE, DPI, GREEN, GREY, STYLE, VERMILION
from codeunlearn.reporting.labels import count_noun, metric_label, number, quoted, set_label, signed

with needs("reports"):
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


def curve(results: Results, name: str, title: str, word: str, neighbour: str | None = None) -> Artefact | None:
    """The change of every metric over S', in per cent of the codebook model's score; that of word recall in points.

    Args:
        neighbour: its sentences are shown in place of the topic's (figure 5).
    """
    shown = [neighbour, RETAIN] if neighbour else [FORGET, RETAIN]
    metrics = [*results.metrics(quality=True), RECALL]
    cells = [
        cell
        for metric in metrics
        for set_name in shown
        for size in results.config.search.s_primes
        if (cell := results.mean(word, set_name, metric, size)) is not None
    ]
    if not any(cell.set == shown[0] for cell in cells):
        return None
    about = f"sentences with the neighbour {quoted(neighbour)}" if neighbour else f"sentences with {quoted(word)}"
    seeds, step_name = count_noun(max(cell.seeds for cell in cells), "seed"), results.step_name
    caption = (
        f"Change after forgetting {quoted(word)}, in per cent of the codebook model's score (word recall: in points), over "
        f"{step_name} and the number of deleted codes: {about}, and unrelated ones. Means over {seeds}, with paired 95 % "
        "bootstrap intervals; the placebo deletes as many random codes of the same use as "
        f"{results.step(results.config.scores.s_prime)} does (mean and middle 95 % of the draws)."
    )
    return Artefact(
        name,
        title,
        caption,
        [{**asdict(cell), "shown": _shown(cell.delta, cell)} for cell in cells],
        [_grid(cells, metrics, shown, word, step_name)],
        _draw(cells, metrics, shown, word, step_name),
        f"Lines over {step_name} for {', '.join(_label(m, shown[0]) for m in metrics)}; the values are in the table.",
    )


def _shown(change: float, cell: TopicMean) -> float | None:
    """In per cent of what it was, so that a likelihood, which is negative, falls where it gets worse; recall in points."""
    if cell.metric == RECALL:
        return change
    return 100 * change / abs(cell.before) if cell.before else None


def _label(metric: str, set_name: str) -> str:
    return metric_label(metric, set_name).text + (", points" if metric == RECALL else "")


def _grid(cells: Sequence[TopicMean], metrics: Sequence[str], shown: Sequence[str], word: str, step_name: str) -> Grid:
    sizes = list(dict.fromkeys(cell.size for cell in cells))
    found = {(cell.set, cell.metric, cell.size): cell for cell in cells}
    rows: list[list[str]] = []
    for set_name in shown:
        for metric in metrics:
            line = [found.get((set_name, metric, size)) for size in sizes]
            if any(line):
                texts = ["" if cell is None else signed(_shown(cell.delta, cell)) for cell in line]
                rows.append([set_label(set_name, word), _label(metric, set_name), *texts])
    codes = {cell.size: cell.codes for cell in cells}
    heads = [f"{step_name} = {size} ({number(codes[size], 0)})" for size in sizes]
    return Grid(
        ["Sentences", "Metric", *heads],
        rows,
        "Change in per cent of the codebook model's score, of recall in points; in parentheses the number of deleted codes.",
        frozenset(range(2, 2 + len(heads))),
    )


def _draw(
    cells: Sequence[TopicMean], metrics: Sequence[str], shown: Sequence[str], word: str, step_name: str
) -> Figure:
    present = [metric for metric in metrics if any(cell.metric == metric for cell in cells)]
    styles = {shown[0]: (VERMILION if shown[0] == FORGET else GREEN, "D"), RETAIN: (BLUE, "o")}
    lines = -(-len(present) // 2)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.7 + 2.15 * lines), dpi=DPI, layout="constrained")
        grid = figure.subplots(lines, 2, squeeze=False, sharex=True)
        for index, axes in enumerate(grid.flat):
            if index >= len(present):
                axes.set_axis_off()
                continue
            for set_name in shown:
                line = [cell for cell in cells if (cell.set, cell.metric) == (set_name, present[index])]
                _line(axes, line, *styles[set_name])
            _dress(axes, cells, present[index], shown[0])
            axes.tick_params(axis="x", labelbottom=index + 2 >= len(present))
            axes.set_xlabel(f"{step_name}, and codes deleted" if index + 2 >= len(present) else "")
        handles = [
            Line2D([], [], color=color, marker=marker, markersize=5, linewidth=1.4, label=set_label(name, word))
            for name, (color, marker) in styles.items()
        ]
        if any(cell.placebo is not None for cell in cells):
            handles.append(
                Line2D([], [], color=GREY, marker="_", markersize=7, linewidth=1.2, label="Placebo, on each set")
            )
        figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)
        figure.supylabel("change, % of the codebook model's score", fontsize=9)
        return figure


def _line(axes: Axes, cells: Sequence[TopicMean], color: str, marker: str) -> None:
    drawn = [cell for cell in cells if _shown(cell.delta, cell) is not None]
    if not drawn:
        return
    x = [0, *(place + 1 for place, _ in enumerate(drawn))]
    y, low, high = (
        [0.0, *(_shown(getattr(cell, name), cell) or 0.0 for cell in drawn)] for name in ("delta", "low", "high")
    )
    axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0)
    axes.plot(x, y, color=color, marker=marker, markersize=4, linewidth=1.4)
    for place, cell in enumerate(drawn, start=1):
        if cell.placebo is not None and cell.placebo_low is not None and cell.placebo_high is not None:
            ends = [_shown(end, cell) or 0.0 for end in (cell.placebo_low, cell.placebo_high)]
            at = place + (0.22 if marker == "D" else -0.22)
            style: Any = {"color": GREY, "linewidth": 1.2, "zorder": 4, "mfc": "white", "markersize": 3.5}
            axes.plot([at, at], ends, **style)
            axes.plot([at], [_shown(cell.placebo, cell) or 0.0], marker=marker, **style)


def _dress(axes: Axes, cells: Sequence[TopicMean], metric: str, set_name: str) -> None:
    codes = {cell.size: cell.codes for cell in cells}
    axes.set_title(_label(metric, set_name))
    axes.axhline(0, color="#555555", linewidth=0.8, zorder=0)
    ticks = ["none\n0", *(f"{size}\n{number(number_of, 0)}" for size, number_of in codes.items())]
    axes.set_xticks(range(len(ticks)), ticks)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
