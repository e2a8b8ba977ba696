"""Bootstrap: vectorised and naive agree, pairs are pairs, and a ratio owns up to its denominator."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from scipy.stats import binomtest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import (
    Resampled,
    SentenceSums,
    interval,
    quotient,
    ratio,
    resample,
    resample_statistic,
    sentence_mean,
    wilson_interval,
)
from codeunlearn.evaluation.metrics.lexical import bleu, chrf


def normal(mean: float, n: int, seed: int, spread: float = 1.0) -> list[float]:
    return np.random.default_rng(seed).normal(mean, spread, n).tolist()


def test_the_vectorised_samples_are_those_of_the_naive_loop() -> None:
    rows = np.random.default_rng(0).uniform(1, 2, size=(30, 2))
    sums = SentenceSums(rows, quotient)
    fast = resample(sums, draws=150, seed=3)
    slow = resample_statistic(lambda i: rows[i, 0].sum() / rows[i, 1].sum(), 30, draws=150, seed=3)
    np.testing.assert_allclose(fast.draws, slow.draws, rtol=1e-12)
    assert fast.value == pytest.approx(slow.value)
    assert interval(fast).low == pytest.approx(interval(slow).low)


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = normal(5, 400, seed=1)
    found = interval(resample(sentence_mean(values), draws=4000, seed=0))
    half = 1.96 * np.std(values) / math.sqrt(400)
    assert found.value == pytest.approx(np.mean(values))
    assert found.low == pytest.approx(np.mean(values) - half, abs=0.02)
    assert found.high == pytest.approx(np.mean(values) + half, abs=0.02)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    intervals = [
        interval(resample(sentence_mean(normal(0, 40, seed)), draws=400, seed=0), level=0.8) for seed in range(200)
    ]
    assert 0.7 < np.mean([found.low <= 0 <= found.high for found in intervals]) < 0.9


def test_a_higher_level_makes_a_wider_interval() -> None:
    resampled = resample(sentence_mean(normal(0, 50, seed=2)), seed=0)
    wide, narrow = interval(resampled, level=0.99), interval(resampled, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high
    with pytest.raises(CodeUnlearnError, match="between 0 and 1"):
        interval(resampled, level=95)


def test_the_seed_decides_the_interval() -> None:
    sums = sentence_mean(normal(0, 50, seed=2))
    assert interval(resample(sums, seed=5)) == interval(resample(sums, seed=5))
    assert interval(resample(sums, seed=5)) != interval(resample(sums, seed=6))


def test_pairing_cancels_what_the_sentences_share() -> None:
    shared = np.array(normal(0, 200, seed=1, spread=10))
    before = sentence_mean(shared + 1)
    after = sentence_mean(shared + np.array(normal(0, 200, seed=2, spread=0.1)))
    difference = interval(resample(before) - resample(after))
    alone = interval(resample(before))
    assert difference.low > 0.9
    assert difference.high < 1.1
    assert alone.high - alone.low > 10 * (difference.high - difference.low)


def test_what_is_not_paired_cannot_be_subtracted() -> None:
    one, other = sentence_mean([1.0, 2.0, 3.0]), sentence_mean([1.0, 2.0])
    with pytest.raises(CodeUnlearnError, match="same sentences"):
        resample(one) - resample(other)
    with pytest.raises(CodeUnlearnError, match="same sentences"):
        resample(one, seed=1) - resample(one, seed=2)
    with pytest.raises(CodeUnlearnError, match="same sentences"):
        ratio(resample(one, draws=10), resample(one, draws=20))


def test_independent_sets_are_subtracted_with_different_seeds_only() -> None:
    topic, retained = sentence_mean(normal(3, 80, seed=1)), sentence_mean(normal(1, 120, seed=2))
    found = interval(resample(topic, seed=1).minus_independent(resample(retained, seed=2)))
    error = math.sqrt(np.var(topic.rows[:, 0]) / 80 + np.var(retained.rows[:, 0]) / 120)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    with pytest.raises(CodeUnlearnError, match="different bootstrap seeds"):
        resample(topic).minus_independent(resample(retained))


def test_a_ratio_is_bootstrapped_jointly() -> None:
    base = np.array(normal(10, 100, seed=1, spread=3))
    zero, full = sentence_mean(base), sentence_mean(base * 3)
    half = sentence_mean(base * 2)
    drop = ratio(resample(full) - resample(half), resample(full) - resample(zero))
    # Numerator and denominator move together exactly, so the ratio does not move at all.
    assert drop.interval.value == pytest.approx(0.5)
    assert drop.interval.low == pytest.approx(0.5)
    assert drop.interval.high == pytest.approx(0.5)
    assert not drop.denominator_within_noise


def test_a_ratio_over_noise_is_flagged_and_unbounded() -> None:
    full, after, zero = (sentence_mean(normal(mean, 60, seed)) for mean, seed in ((0.0, 1), (-1.0, 2), (0.0, 3)))
    drop = ratio(resample(full) - resample(after), resample(full) - resample(zero))
    assert drop.denominator_within_noise
    assert drop.denominator.low <= 0 <= drop.denominator.high
    assert drop.interval.low == -math.inf
    assert drop.interval.high == math.inf
    assert math.isfinite(drop.interval.value)
    stored = json.loads(json.dumps(drop.to_dict(), allow_nan=False))
    assert stored["low"] is None
    assert stored["denominator_within_noise"] is True


def test_a_ratio_over_something_negative_is_flagged_too() -> None:
    """A drop from a model that is worse than its zero point is no drop."""
    worse = Resampled(-1.0, np.full(50, -1.0), (5, 0))
    assert ratio(worse, worse).denominator_within_noise


def test_a_rate_of_zero_or_one_still_has_a_width() -> None:
    for found, n in ((0, 36), (36, 36), (5, 10)):
        expected = binomtest(found, n).proportion_ci(method="wilson")
        assert wilson_interval(found / n, n) == pytest.approx((expected.low, expected.high))
    assert wilson_interval(0.0, 36)[1] > 0.05


def test_a_ratio_over_exactly_zero_has_no_value() -> None:
    same = resample(sentence_mean([1.0, 2.0, 3.0]))
    drop = ratio(same, same - same)
    assert drop.denominator_within_noise
    assert math.isnan(drop.interval.value)


def test_samples_without_a_counted_sentence_are_left_out() -> None:
    rows = np.array([[100.0, 1.0]] + [[0.0, 0.0]] * 4)
    found = interval(resample(SentenceSums(rows, quotient)))
    assert (found.value, found.low, found.high) == (100, 100, 100)


def test_an_undefined_metric_has_an_undefined_interval() -> None:
    found = interval(resample(SentenceSums(np.zeros((3, 2)), quotient)))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.to_dict()["value"] is None


def test_no_sentences_cannot_be_resampled() -> None:
    with pytest.raises(CodeUnlearnError, match="at least one sentence"):
        resample_statistic(lambda i: 0.0, 0)


def test_bleu_and_chrf_of_a_thousand_samples_take_no_time() -> None:
    sentence = "le vieux capitaine regardait la mer sans dire un mot depuis le matin"
    hypotheses = [f"{sentence} numero {i}" for i in range(500)]
    references = [[f"{sentence} chapitre {i % 7}"] for i in range(500)]
    scores = [bleu(hypotheses, references), chrf(hypotheses, references)]
    start = time.process_time()
    for score in scores:
        resample(score.sums, draws=1000)
    assert time.process_time() - start < 2
