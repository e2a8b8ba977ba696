"""The scores of an evaluation as lines of text, one per metric and set: what the terminal and the page both show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from codeunlearn.evaluation.scores import CLOSED, NOT_DEFINED, Comparison, Row, Scores
from codeunlearn.evaluation.systems import AFTER, BEFORE
from codeunlearn.reporting.labels import (
    MetricLabel,
    bounds,
    is_defined,
    metric_label,
    metric_order,
    number,
    set_label,
    signed,
    system_order,
)

NOISE_MARK = "†"


@dataclass(frozen=True)
class ScoreLine:
    """One metric on one set.

    Attributes:
        metric: name of the metric and where it is better.
        count: sentences that enter the metric.
        values: score by system.
        intervals: 95% interval by system.
        change: unlearned minus codebook model; empty when they were not compared.
        change_bounds: its 95% interval.
        is_clear: that interval excludes 0.
        normalised: the normalised drop with its mark; empty for metrics that have none.
        normalised_bounds: its 95% interval; empty when it says nothing.
    """

    metric: MetricLabel
    count: int
    values: dict[str, str]
    intervals: dict[str, str]
    change: str = ""
    change_bounds: str = ""
    is_clear: bool = False
    normalised: str = ""
    normalised_bounds: str = ""


@dataclass(frozen=True)
class ScoreGroup:
    """The lines of one set."""

    set: str
    label: str
    size: int
    lines: list[ScoreLine]


def score_groups(evaluation: Scores) -> list[ScoreGroup]:
    """All sets in the evaluation's order, metrics in the order of `metric_order`."""
    rows: dict[str, dict[str, list[Row]]] = {name: {} for name in evaluation.sizes}
    for row in evaluation.rows:
        rows[row.set].setdefault(row.metric, []).append(row)
    return [
        ScoreGroup(
            name,
            set_label(name, evaluation.topic),
            size,
            [
                _line(rows[name][metric], evaluation.comparison(AFTER, name, metric))
                for metric in sorted(rows[name], key=metric_order)
            ],
        )
        for name, size in evaluation.sizes.items()
    ]


def systems_of(evaluation: Scores) -> list[str]:
    """Systems that were scored, in the order in which they are shown."""
    return sorted({row.system for row in evaluation.rows}, key=system_order)


def compares(evaluation: Scores) -> bool:
    """Whether the evaluation holds both the model before and the model after."""
    return {BEFORE, AFTER} <= {row.system for row in evaluation.rows}


def closed_notes(evaluation: Scores) -> list[str]:
    """What `closed` says, or why it says nothing; empty where it was not measured."""
    rows = [row for row in evaluation.rows if row.metric == CLOSED]
    if not rows:
        return []
    notes = ["Closed: of the way from the probability of the topic's words before to that with a control prompt."]
    if any(not is_defined(row.value) for row in rows):
        notes.append(f"Closed is {NOT_DEFINED}.")
    return notes


def has_noise(groups: list[ScoreGroup]) -> bool:
    """Whether a line carries the mark of a normalised drop that says nothing."""
    return any(NOISE_MARK in line.normalised for group in groups for line in group.lines)


def is_clear(delta: Comparison) -> bool:
    """Whether the interval of a change excludes 0; not so where it is undefined."""
    return is_defined(delta.low) and is_defined(delta.high) and (delta.low > 0 or delta.high < 0)


def _line(rows: list[Row], delta: Comparison | None) -> ScoreLine:
    label = metric_label(rows[0].metric, rows[0].set)
    decimals = label.decimals
    line = ScoreLine(
        metric=label,
        count=rows[0].count,
        values={row.system: number(row.value, decimals) for row in rows},
        intervals={row.system: f"[{number(row.low, decimals)}, {number(row.high, decimals)}]" for row in rows},
    )
    if delta is None:
        return replace(line, change_bounds=line.intervals.get(AFTER, "")) if label.text.startswith("Closed") else line
    return replace(
        line,
        change=signed(delta.delta, decimals),
        change_bounds=bounds(delta.low, delta.high, decimals),
        is_clear=is_clear(delta),
        normalised=_normalised(delta),
        normalised_bounds=_normalised_bounds(delta),
    )


def _normalised(delta: Comparison) -> str:
    if delta.normalised is None:
        return NOISE_MARK if delta.denominator_within_noise else ""
    text = f"{signed(delta.normalised, 0)}%"
    return f"({text}) {NOISE_MARK}" if delta.denominator_within_noise else text


def _normalised_bounds(delta: Comparison) -> str:
    if delta.normalised is None or delta.denominator_within_noise:
        return ""
    return bounds(delta.normalised_low, delta.normalised_high, 0)
