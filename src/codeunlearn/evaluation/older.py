"""Scores and curves in the files of older versions, which stay readable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codeunlearn.evaluation.curve import Curve, Point
from codeunlearn.evaluation.scores import Comparison, Row, Sample, Scores
from codeunlearn.evaluation.systems import AFTER, BEFORE, BYPASS, Role
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.validation import NumberOrNan, validated


@dataclass(frozen=True)
class _Delta:
    """A difference to the codebook model; one of a reproduction says of which system, and what is beyond D_R."""

    set: str
    metric: str
    before: NumberOrNan
    after: NumberOrNan
    delta: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan
    normalised: float | None = None
    normalised_low: float | None = None
    normalised_high: float | None = None
    denominator_within_noise: bool = False
    system: str = AFTER
    beyond_retain: float | None = None
    beyond_retain_low: float | None = None
    beyond_retain_high: float | None = None


@dataclass(frozen=True)
class _Contrast:
    set: str
    metric: str
    difference: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan


@dataclass(frozen=True)
class _OldSample:
    set: str
    source: str
    reference: str
    translations: dict[str, str]


@dataclass(frozen=True)
class _PlaceboDeltas:
    set: str
    metric: str
    deltas: list[NumberOrNan]


@dataclass(frozen=True)
class _Evaluation:
    """What ``codeunlearn evaluate`` wrote, and, without its first fields, the scores of one unit of a reproduction."""

    topic: str
    sizes: dict[str, int]
    scores: list[Row]
    deltas: list[_Delta] = field(default_factory=list[_Delta])
    contrasts: list[_Contrast] = field(default_factory=list[_Contrast])
    examples: list[_OldSample] = field(default_factory=list[_OldSample])
    target_words: tuple[str, ...] = ()
    zero_point: str = "zero-shot"
    details: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class _Unit(_Evaluation):
    changes: list[_Delta] = field(default_factory=list[_Delta])
    placebos: list[_PlaceboDeltas] = field(default_factory=list[_PlaceboDeltas])
    codes: dict[str, int] = field(default_factory=dict[str, int])
    placebo_use: dict[str, float] = field(default_factory=dict[str, float])
    seed: int = 0
    pools: str = "disjoint"


@dataclass(frozen=True)
class _OldSweepRow:
    """One topic at one S', as a sweep wrote it."""

    topic: str
    s_prime: int
    codes: int
    n_search: int
    n_forget: int
    recall_before: NumberOrNan
    recall_after: NumberOrNan
    recall_low: NumberOrNan
    recall_high: NumberOrNan
    forget_chrf_delta: NumberOrNan
    retain_chrf_delta: NumberOrNan
    retain_low: NumberOrNan
    retain_high: NumberOrNan
    retain_bleu_delta: NumberOrNan
    neighbour_chrf_delta: float | None


@dataclass(frozen=True)
class _OldSweep:
    rows: list[_OldSweepRow]
    details: dict[str, Any]


@dataclass(frozen=True)
class _OldPoint:
    codes: int
    s_prime: int
    recall: NumberOrNan
    recall_low: NumberOrNan
    recall_high: NumberOrNan
    topic_loss: NumberOrNan
    forget_chrf_delta: NumberOrNan
    retain_chrf_delta: NumberOrNan
    retain_low: NumberOrNan
    retain_high: NumberOrNan
    retain_changed: NumberOrNan
    degenerate: NumberOrNan
    topic_loss_low: float | None = None
    topic_loss_high: float | None = None


@dataclass(frozen=True)
class _OldCurve:
    topic: str
    preset: str
    recall_before: NumberOrNan
    n_forget: int
    n_retain: int
    points: list[_OldPoint]
    details: dict[str, Any] | tuple[()] = ()  # a list by the first versions, always empty


def older_scores(content: Mapping[str, Any], where: str) -> Scores | None:
    """Scores in a file of an older version; None where it is of this one.

    Raises:
        CodeUnlearnError: it is damaged.
    """
    if "scores" not in content:
        return None
    old = validated(_Unit, content, where)
    beyond = {row.metric: row for row in old.contrasts if row.set == RETAIN}
    comparisons = [_compared(delta, beyond) for delta in (*old.deltas, *old.changes)]
    drawn = [(f"placebo {n}", p, delta) for p in old.placebos for n, delta in enumerate(p.deltas, start=1)]
    comparisons += [
        Comparison(name, p.set, p.metric, math.nan, math.nan, delta, math.nan, math.nan) for name, p, delta in drawn
    ]
    names = dict.fromkeys([row.system for row in old.scores] + [name for name, _, _ in drawn])
    unit = {"seed": old.seed, "pools": old.pools, "codes": old.codes, "placebo_use": old.placebo_use}
    return Scores(
        topic=old.topic,
        words=old.target_words,
        sizes=old.sizes,
        systems={name: _role(name) for name in names},
        zero_point=old.zero_point,
        rows=old.scores,
        comparisons=comparisons,
        samples=[Sample(s.set, s.source, s.reference, s.translations) for s in old.examples],
        details=unit if "changes" in content else old.details,
    )


def _role(name: str) -> Role:
    if name == BEFORE:
        return "before"
    if name == AFTER or name.startswith("S'="):
        return "after"
    return "attack" if name == BYPASS else "control" if name.startswith("placebo ") else "reference"


def _compared(delta: _Delta, beyond: Mapping[str, _Contrast]) -> Comparison:
    values = dict(vars(delta))
    if delta.set == FORGET and (contrast := beyond.get(delta.metric)):
        values |= {
            "beyond_retain": contrast.difference,
            "beyond_retain_low": contrast.low,
            "beyond_retain_high": contrast.high,
        }
    return Comparison(**values)


def older_curve(content: Mapping[str, Any], where: str) -> Curve | None:
    """A curve in a file of an older version; None where it is of this one.

    Raises:
        CodeUnlearnError: it is damaged.
    """
    if "preset" not in content:
        return None
    old = validated(_OldCurve, content, where)
    points = [Point(size=p.codes, label=f"{p.codes} codes", **vars(p)) for p in old.points]
    return Curve(
        old.topic, old.preset, "codes", old.recall_before, old.n_forget, old.n_retain, points, details=dict(old.details)
    )


def older_curves(content: Mapping[str, Any], where: str) -> list[Curve] | None:
    """The curves in a sweep's file of an older version; None where it is of this one.

    Topics that it had not finished are left out.

    Raises:
        CodeUnlearnError: it is damaged.
    """
    if "rows" not in content:
        return None
    old = validated(_OldSweep, content, where)
    wanted = old.details.get("s_primes")
    recipe = str(old.details.get("preset", ""))
    found: list[Curve] = []
    for topic in dict.fromkeys(row.topic for row in old.rows):
        rows = [row for row in old.rows if row.topic == topic]
        if wanted is None or {row.s_prime for row in rows} == set(wanted):
            found.append(_of_topic(rows, recipe))
    return found


def _of_topic(rows: list[_OldSweepRow], recipe: str) -> Curve:
    first = rows[0]
    points = [_point(row) for row in rows]
    return Curve(first.topic, recipe, "S'", first.recall_before, first.n_forget, first.n_forget, points, first.n_search)


def _point(row: _OldSweepRow) -> Point:
    loss = 100 * (1 - row.recall_after / row.recall_before) if row.recall_before else 0.0
    return Point(
        size=row.s_prime,
        label=f"S'={row.s_prime}",
        codes=row.codes,
        s_prime=row.s_prime,
        recall=row.recall_after,
        recall_low=row.recall_low,
        recall_high=row.recall_high,
        topic_loss=loss,
        forget_chrf_delta=row.forget_chrf_delta,
        retain_chrf_delta=row.retain_chrf_delta,
        retain_low=row.retain_low,
        retain_high=row.retain_high,
        retain_bleu_delta=row.retain_bleu_delta,
        neighbour_chrf_delta=row.neighbour_chrf_delta,
    )
