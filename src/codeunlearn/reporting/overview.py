"""Several forgotten topics in one picture and one table: how far each is closed, what is kept, a sentence before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.knowledge import PROBABILITY
from codeunlearn.evaluation.scores import Comparison, Row, Sample, Scores
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.extras import needs
from codeunlearn.files import replacing
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.figures import to_svg
from codeunlearn.reporting.labels import bounds, number, signed

with needs("reports"):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

KEPT = "chrf"
_COLOURS = "#0072B2", "#009E73"  # told apart by colour-blind readers


def write_overview(scores: Sequence[Scores], path: Path) -> None:
    """Draws the picture, as SVG or PNG by the path's ending.

    Args:
        scores: one topic each, scored before and after; the first one gives the sentence.

    Raises:
        CodeUnlearnError: a topic was not scored before and after, or without how far it is closed.
    """
    figure = Figure(figsize=(8, 0.34 * len(scores) + 2.1), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    figure.suptitle(_sentence(scores[0]), fontsize=10, x=0.01, ha="left", family="monospace")
    closed, kept = zip(*map(_measured, scores), strict=True)
    _bars(left, closed, _COLOURS[0], "closed, %: 0 knows the topic, 100 was never told")
    left.axvline(100, color="grey", linewidth=0.8)
    _bars(right, kept, _COLOURS[1], "chrF of unrelated sentences: change")
    right.axvline(0, color="grey", linewidth=0.8)
    widest = max(3.0, *(abs(end) for bar in kept for end in bar[1:]))
    right.set_xlim(-1.1 * widest, 1.1 * widest)
    left.set_yticks(range(len(scores)), [one.topic for one in scores])
    left.invert_yaxis()
    with replacing(path) as unfinished:
        if path.suffix == ".svg":
            unfinished.write_bytes(to_svg(figure))  # the same at every drawing
        else:
            figure.savefig(unfinished, format=path.suffix.lstrip("."))


def overview_table(scores: Sequence[Scores]) -> Artefact:
    """Per topic what the model knows of its words before and after, and what a control prompt tells it.

    Args:
        scores: one topic each, scored before and after with one forget set.

    Raises:
        CodeUnlearnError: as `write_overview`.
    """
    records: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    for one in scores:
        before, after = one.of_role("before")[0], _after(one)
        known, left = (one.value(system, FORGET, PROBABILITY) for system in (before, after))
        closed, kept = _measured(one)
        codes = one.details["forget_sets"][0]["codes"]
        records.append({
            "topic": one.topic, "n": one.sizes[FORGET], "codes": codes, "before": known, "after": left,
            **dict(zip(("closed", "closed_low", "closed_high"), closed, strict=True)),
            **dict(zip(("retain_delta", "retain_low", "retain_high"), kept, strict=True)),
        })  # fmt: skip
        rows.append([
            f"{one.topic} ({one.sizes[FORGET]})", str(codes), number(known), number(left),
            f"{number(closed[0], 0)} {bounds(closed[1], closed[2], 0)}", f"{signed(kept[0], 2)} {bounds(kept[1], kept[2], 2)}",
        ])  # fmt: skip
    heads = ["Topic (N)", "Codes", "Before", "After", "Closed, % [95%]", "chrF of the rest [95%]"]
    caption = (
        "Probability of the topic's words in the references under forced decoding, per cent, before and after forgetting; "
        "closed, the share of the way to that under a control prompt; and the change on unrelated sentences. N: sentences."
    )
    grid = Grid(heads, rows, "", frozenset(range(1, len(heads))))
    return Artefact("overview", "Topics", caption, records, [grid])


def _measured(scores: Scores) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    after = _after(scores)
    closed, kept = scores.closed(after), scores.comparison(after, RETAIN, KEPT)
    if closed is None or kept is None:
        raise CodeUnlearnError(f"{scores.topic!r} was scored without what the picture shows; score it again.")
    return _of_row(closed), _of_comparison(kept)


def _of_row(row: Row) -> tuple[float, float, float]:
    return row.value, row.low, row.high


def _of_comparison(row: Comparison) -> tuple[float, float, float]:
    return row.delta, row.low, row.high


def _after(scores: Scores) -> str:
    names = scores.of_role("after")
    if not names:
        raise CodeUnlearnError(f"{scores.topic!r} was scored without a forget set; give --forget.")
    return names[0]


def _bars(axes: Axes, bars: Sequence[tuple[float, float, float]], colour: str, label: str) -> None:
    """Values with their intervals; an undefined one is a gap."""
    values = [0.0 if math.isnan(value) else value for value, _, _ in bars]
    errors = [
        [0.0 if math.isnan(low) else max(0.0, value - low) for value, low, _ in bars],
        [0.0 if math.isnan(high) else max(0.0, high - value) for value, _, high in bars],
    ]
    axes.barh(range(len(bars)), values, xerr=errors, color=colour, height=0.6, error_kw={"linewidth": 1, "capsize": 2})
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _sentence(scores: Scores) -> str:
    before, after = scores.of_role("before")[0], _after(scores)

    def changes(sample: Sample) -> bool:
        return sample.set == FORGET and sample.answers[before] != sample.answers[after]

    shown = next(filter(changes, scores.samples), None)
    if shown is None:
        return ""
    label = f"  before forgetting {scores.topic!r}:  "
    return f"{shown.prompt}\n{label}{shown.answers[before]}\n{'  after:':<{len(label)}}{shown.answers[after]}"
