"""Tests and effect sizes for codes that are present in a topic's sentences and absent from their controls.

All of them take one entry per code and are one-sided: is the code more frequent with the topic than without it?
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from codeunlearn.errors import CodeUnlearnError

stats: Any = scipy_stats  # scipy brings no types
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Correction = Literal["bh", "by"]


def mcnemar(only_topic: IntArray, only_control: IntArray, *, mid_p: bool = False) -> FloatArray:
    """Exact one-sided McNemar test of pairs, [M] each; `mid_p` counts half of the observed table's probability.

    Under the null a pair that holds the code on one side only does so on either side with the same chance. The exact test
    keeps its level for small numbers at the price of power; the mid-p test gives most of that power back (Fagerland,
    Lydersen and Laake 2013).
    """
    discordant = only_topic + only_control
    p: FloatArray = stats.binom.sf(only_topic - 1, discordant, 0.5)
    return p - 0.5 * stats.binom.pmf(only_topic, discordant, 0.5) if mid_p else p


def smallest_mcnemar(discordant: IntArray, *, mid_p: bool = False) -> FloatArray:
    """The smallest p-value that `mcnemar` could give for so many discordant pairs, [M].

    A code whose smallest p-value is not significant can never be chosen, whatever the data say, and need not be tested
    (Tarone 1990); leaving it out makes the correction for the others milder. Every test has a smallest p-value of its own.
    """
    return 0.5 ** (discordant + int(mid_p)).astype(np.float64)


def sign_flip(differences: FloatArray, *, permutations: int = 4999, seed: int = 0) -> FloatArray:
    """Permutation test of the mean difference of each code, [M], when a sentence has several controls.

    Args:
        differences: [N, M] presence with the topic minus mean presence in the sentence's controls. Under the null each
            sentence's differences are as likely with the opposite sign; all codes of a sentence flip together.
        permutations: the smallest p-value is one over this number plus one.
    """
    generator = np.random.default_rng(seed)
    observed = differences.sum(0)
    reached = np.ones(differences.shape[1])
    for start in range(0, permutations, 500):
        signs = generator.choice((-1.0, 1.0), size=(min(500, permutations - start), len(differences)))
        reached += (signs @ differences >= observed - 1e-9).sum(0)
    return reached / (permutations + 1)


def fisher(topic: IntArray, n_topic: int, control: IntArray, n_control: int) -> FloatArray:
    """Fisher's exact one-sided test of unpaired groups, [M]."""
    return stats.hypergeom.sf(topic - 1, n_topic + n_control, topic + control, n_topic)


def smallest_fisher(present: IntArray, n_topic: int, n_control: int) -> FloatArray:
    """The smallest p-value that `fisher` could give for codes in so many units of both groups together, [M]."""
    return fisher(*_most_uneven(present, n_topic), n_control)


def smallest_g(present: IntArray, n_topic: int, n_control: int) -> FloatArray:
    """The smallest p-value that `g_test` could give for codes in so many units of both groups together, [M]."""
    return g_test(*_most_uneven(present, n_topic), n_control)


def _most_uneven(present: IntArray, n_topic: int) -> tuple[IntArray, int, IntArray]:
    """The table with as many units as can be on the topic's side."""
    topic = np.minimum(present, n_topic)
    return topic, n_topic, present - topic


def g_test(topic: IntArray, n_topic: int, control: IntArray, n_control: int) -> FloatArray:
    """Likelihood-ratio test of unpaired groups, one-sided, [M]; for rare events better than chi-squared (Dunning 1993)."""
    table = np.stack([[topic, n_topic - topic], [control, n_control - control]]).astype(np.float64)
    expected = table.sum(0, keepdims=True) * table.sum(1, keepdims=True) / (n_topic + n_control)
    terms = np.where(
        table > 0, table * np.log(np.where(table > 0, table, 1) / np.where(expected > 0, expected, 1)), 0.0
    )
    two_sided: FloatArray = stats.chi2.sf(2 * terms.sum((0, 1)), 1)
    more = topic / n_topic > control / n_control
    return np.where(more, two_sided / 2, 1 - two_sided / 2)


def adjust(p: FloatArray, correction: Correction = "bh") -> FloatArray:
    """q-values: the smallest false discovery rate at which each code would be chosen, [M].

    ``bh`` is Benjamini and Hochberg (1995), for tests that are independent or depend positively; ``by`` is Benjamini and
    Yekutieli (2001), for any dependence.
    """
    if correction not in ("bh", "by"):
        raise CodeUnlearnError(f"Unknown correction {correction!r}; use bh or by.")
    return stats.false_discovery_control(p, method=correction) if len(p) else p


def risk_difference(
    only_topic: IntArray | FloatArray, only_control: IntArray | FloatArray, pairs: int, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Difference of the two frequencies of a code over the pairs, with its interval; [M] each.

    The interval adds one pair to each discordant cell (Bonett and Price 2012), so it also holds for small numbers.

    Args:
        only_topic: pairs with the code on the topic's side only; for sentences with several controls see `discordance`.
    """
    z = stats.norm.ppf(0.5 + confidence / 2)
    b, c = (only_topic + 1) / (pairs + 2), (only_control + 1) / (pairs + 2)
    half = z * np.sqrt((b + c - (b - c) ** 2) / (pairs + 2))
    return (only_topic - only_control) / pairs, np.maximum(b - c - half, -1), np.minimum(b - c + half, 1)


def discordance(differences: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How many discordant sentences on either side have the mean and the variance of these differences, [M] each.

    Args:
        differences: [N, M] as in `sign_flip`. With one control for each sentence the result is McNemar's two counts; controls
            of one sentence depend on each other, so that with several their pairs must not be counted as if they did not.
    """
    total, squares = differences.sum(0), (differences**2).sum(0)
    return (squares + total) / 2, (squares - total) / 2


def group_difference(
    topic: IntArray, n_topic: int, control: IntArray, n_control: int, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Difference of the two frequencies of a code in unpaired groups, with its interval; [M] each.

    The interval adds a unit with the code and one without it to each group (Agresti and Caffo 2000).
    """
    z = stats.norm.ppf(0.5 + confidence / 2)
    p, q = (topic + 1) / (n_topic + 2), (control + 1) / (n_control + 2)
    half = z * np.sqrt(p * (1 - p) / (n_topic + 2) + q * (1 - q) / (n_control + 2))
    return topic / n_topic - control / n_control, np.maximum(p - q - half, -1), np.minimum(p - q + half, 1)


def paired_odds_ratio(only_topic: IntArray, only_control: IntArray) -> FloatArray:
    """Odds that a discordant pair has the code on the topic's side, half a pair added to each cell, [M]."""
    return (only_topic + 0.5) / (only_control + 0.5)


def log_odds(
    topic: IntArray | FloatArray, control: IntArray | FloatArray, prior: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log odds ratio shrunk by an informative Dirichlet prior, and its z-score; [M] each (Monroe, Colaresi and Quinn 2008).

    Args:
        topic: [M] counts of each code with the topic; its odds are against all other codes.
        control: [M] the same without it.
        prior: [M] expected counts in a larger text, scaled to the strength wanted: a rare code needs more evidence to
            stand out.
    """
    total = prior.sum()

    def logit(count: IntArray | FloatArray) -> FloatArray:
        return np.log(count + prior) - np.log(count.sum() + total - count - prior)

    delta = logit(topic) - logit(control)
    return delta, delta / np.sqrt(1 / (topic + prior) + 1 / (control + prior))
