"""From the sentence sums of scores to rows with intervals: one system, one against the one before, and `closed`."""

from __future__ import annotations

import math
from typing import Any

from codeunlearn.evaluation.bootstrap import Resampled, interval, ratio, resample, wilson_interval
from codeunlearn.evaluation.metrics.base import Score
from codeunlearn.evaluation.scores import CLOSED, NOT_DEFINED, Comparison, Row


def row_of(system: str, set_name: str, score: Score, seed: int) -> Row:
    """A score with its interval."""
    bounds = interval(resample(score.sums, seed=seed))
    low, high = bounds.low, bounds.high
    if score.is_rate and score.count and score.value in (0.0, 100.0):
        low, high = (100 * bound for bound in wilson_interval(score.value / 100, score.count))
    return Row(system, set_name, score.name, score.value, low, high, score.count, score.signature)


def comparison_of(
    system: str,
    set_name: str,
    before: Score,
    after: Score,
    *,
    zero: Score | None = None,
    retained: tuple[Score, Score] | None = None,
    seed: int = 0,
) -> Comparison:
    """The paired difference of two scores of one set.

    Args:
        zero: the zero-shot model's score; None for no normalised drop.
        retained: the same two scores on D_R; None on D_R itself.
    """
    old, new = resample(before.sums, seed=seed), resample(after.sums, seed=seed)
    change = interval(new - old)
    values = before.value, after.value, change.value, change.low, change.high
    more: dict[str, Any] = {
        **_normalised(old, new, zero, seed),
        **({} if retained is None else _beyond(new - old, retained, seed)),
    }
    return Comparison(system, set_name, before.name, *values, **more)


def closed_row(system: str, set_name: str, before: Score, after: Score, control: Score, seed: int) -> Row:
    """The share of the way from the probability before to that under the control prompt, per cent, from one bootstrap.

    Undefined where before is not clearly above the control: its interval reaches down to it.
    """
    old = resample(before.sums, seed=seed)
    share = ratio(old - resample(after.sums, seed=seed), old - resample(control.sums, seed=seed))
    if share.denominator_within_noise:
        return Row(system, set_name, CLOSED, math.nan, math.nan, math.nan, before.count, NOT_DEFINED)
    found = share.interval
    signature = f"{before.signature}|floor:control prompt"
    return Row(system, set_name, CLOSED, 100 * found.value, 100 * found.low, 100 * found.high, before.count, signature)


def _beyond(change: Resampled, retained: tuple[Score, Score], seed: int) -> dict[str, float]:
    """The two sets hold different sentences, so their samples are drawn with different seeds."""
    old, new = (resample(score.sums, seed=seed + 1) for score in retained)
    bounds = interval(change.minus_independent(new - old))
    return {"beyond_retain": bounds.value, "beyond_retain_low": bounds.low, "beyond_retain_high": bounds.high}


def _normalised(old: Resampled, new: Resampled, zero: Score | None, seed: int) -> dict[str, Any]:
    if zero is None:
        return {}
    floor = resample(zero.sums, seed=seed)
    # The denominator is what training gained, positive also where lower is better.
    drop = ratio(new - old, old - floor) if zero.higher_is_better else ratio(old - new, floor - old)
    return {
        "normalised": _percent(drop.interval.value),
        "normalised_low": _percent(drop.interval.low),
        "normalised_high": _percent(drop.interval.high),
        "denominator_within_noise": drop.denominator_within_noise,
    }


def _percent(share: float) -> float | None:
    """Per cent; None for an unbounded end of an interval, which JSON cannot hold."""
    return 100 * share if math.isfinite(share) else None
