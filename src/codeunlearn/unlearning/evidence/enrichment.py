"""Which codes a topic lights up: frequencies, log ratio R, chi-squared test (paper, eqs. 9-11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc  # pyright: ignore[reportMissingTypeStubs]

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.counts import CodeCounts, IntArray, TopTokens

FloatArray = NDArray[np.float64]
Unit = Literal["sentence", "token"]
UNITS: tuple[Unit, ...] = get_args(Unit)
EPSILON = 1e-6


@dataclass(frozen=True, eq=False)
class EnrichmentTable:
    """One row per code that fired at least once in D_T or its control; [M] arrays in the order of ``ids``.

    Attributes:
        ids: code ids, ascending.
        topic: units (sentences or tokens) of D_T in which the code fires.
        control: the same in the control.
        f_topic: frequency in D_T, eq. 9.
        f_control: frequency in the control, eq. 10.
        r: R, the log2 ratio of the two, eq. 11.
        chi2: statistic of the 2 x 2 chi-squared test of presence against group, one degree of freedom.
        p: its two-sided p-value, where the sign of R says in which group the code is more frequent; or the p-value of the
            test that a preset has instead.
        only_topic: sentence pairs with the code only on the topic side; None when the counts are not paired.
        only_control: sentence pairs with the code only on the control side; None when the counts are not
            paired.
        top_tokens: the tokens of D_T that most often fire the code, with their numbers.
        s_prime: S'.
        unit: what was counted.
        epsilon: the constant of eq. 11.
        yates: whether the test has Yates' continuity correction.
        n_topic: units in D_T.
        n_control: units in the control, all draws together.
    """

    ids: IntArray
    topic: IntArray
    control: IntArray
    f_topic: FloatArray
    f_control: FloatArray
    r: FloatArray
    chi2: FloatArray
    p: FloatArray
    only_topic: IntArray | None
    only_control: IntArray | None
    top_tokens: tuple[TopTokens, ...]
    s_prime: int
    unit: Unit
    epsilon: float
    yates: bool
    n_topic: int
    n_control: int

    def __len__(self) -> int:
        return len(self.ids)


def enrichment(
    counts: CodeCounts,
    s_prime: int,
    *,
    epsilon: float = EPSILON,
    unit: Unit = "sentence",
    yates: bool = False,
) -> EnrichmentTable:
    """The enrichment of every code that fired (paper, section 3.5).

    Args:
        s_prime: one of the counted values of S'.
        epsilon: the paper's "small constant" in eq. 11, whose value it does not give. R of a code that is
            absent from the control grows without bound as epsilon shrinks; the selection uses only R's sign,
            which epsilon never changes.
        unit: what the sample sizes N of eqs. 9 and 10 count. The paper speaks of activations, that is tokens;
            tokens of one sentence are not independent, so presence per sentence is the default.
        yates: continuity correction of the chi-squared test, which the paper does not mention.

    Raises:
        CodeUnlearnError: an S' that was not counted, an unknown unit, or epsilon not above zero.
    """
    if unit not in UNITS:
        raise CodeUnlearnError(f"Unknown unit {unit!r}; count by {' or '.join(UNITS)}.")
    if not epsilon > 0:
        raise CodeUnlearnError(f"Epsilon must be above zero, or R is undefined for absent codes; got {epsilon}.")
    at = counts.level(s_prime)
    by_sentence = unit == "sentence"
    topic = (counts.sentences_topic if by_sentence else counts.tokens_topic)[at]
    control = (counts.sentences_control if by_sentence else counts.tokens_control)[at]
    n_topic = counts.n_topic if by_sentence else counts.n_topic_tokens
    n_control = counts.n_control if by_sentence else counts.n_control_tokens
    seen = np.flatnonzero(topic + control)
    seen = seen[np.argsort(counts.code_ids[seen], kind="stable")]
    topic, control, ids = topic[seen], control[seen], counts.code_ids[seen]
    f_topic, f_control = topic / n_topic, control / n_control
    # Several controls of one sentence are no independent evidence: together they weigh as much as one.
    draws = counts.draws
    statistic, p = chi_squared(topic, n_topic, control / draws, n_control / draws, yates=yates)
    pairs = counts.paired_table(s_prime) if counts.paired else None
    tokens = counts.top_tokens(s_prime)
    return EnrichmentTable(
        ids=ids,
        topic=topic,
        control=control,
        f_topic=f_topic,
        f_control=f_control,
        r=np.log2((f_topic + epsilon) / (f_control + epsilon)),
        chi2=statistic,
        p=p,
        only_topic=None if pairs is None else pairs.only_topic[seen],
        only_control=None if pairs is None else pairs.only_control[seen],
        top_tokens=tuple(tokens.get(code, ()) for code in ids.tolist()),
        s_prime=s_prime,
        unit=unit,
        epsilon=epsilon,
        yates=yates,
        n_topic=n_topic,
        n_control=n_control,
    )


def chi_squared(
    topic: IntArray, n_topic: int, control: IntArray | FloatArray, n_control: float, *, yates: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Pearson's chi-squared test of many 2 x 2 tables (present or absent, topic or control) in closed form.

    Args:
        topic: [M] units of the topic with the code, at most ``n_topic``.
        control: [M] units of the control with the code, at most ``n_control``; a mean over draws need not be whole.
        yates: continuity correction, as ``scipy.stats.chi2_contingency(correction=True)`` has it.

    Returns:
        Statistics and p-values, [M] each; 0 and 1 for a code that is present everywhere or nowhere.
    """
    a, c = topic.astype(np.float64), control.astype(np.float64)
    n = float(n_topic + n_control)
    determinant = np.abs(a * (n_control - c) - c * (n_topic - a))
    if yates:
        determinant = np.maximum(determinant - n / 2, 0.0)
    present = a + c
    margins = float(n_topic) * float(n_control) * present * (n - present)
    statistic = np.divide(n * determinant**2, margins, out=np.zeros_like(a), where=margins > 0)
    p: FloatArray = chdtrc(1, statistic)
    return statistic, p
