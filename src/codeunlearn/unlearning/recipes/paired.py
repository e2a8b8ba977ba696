"""The paper's counts with a test that knows which control belongs to which sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.counts import CodeCounts, IntArray
from codeunlearn.unlearning.evidence.enrichment import EnrichmentTable, enrichment
from codeunlearn.unlearning.evidence.statistics import (
    Correction,
    FloatArray,
    adjust,
    fisher,
    g_test,
    mcnemar,
    smallest_fisher,
    smallest_g,
    smallest_mcnemar,
)
from codeunlearn.unlearning.recipes.base import RECIPES
from codeunlearn.unlearning.recipes.counted import Counted, check_levels


@dataclass(frozen=True)
class Paired(Counted):
    """The paper's counts with a test that knows the pairs: exact McNemar, false discovery control, smallest effect.

    Attributes:
        test: ``mcnemar`` or its ``mid-p`` for pairs; ``fisher`` or ``g`` for groups. Where a control is not the same
            sentence, tests of pairs give way to Fisher's.
        alpha: a code whose smallest possible p-value under the test exceeds this is not tested.
        fdr: false discovery rate among the chosen codes.
        correction: ``bh`` or ``by``, see `adjust`.
        min_effect: smallest difference of the two frequencies.
    """

    name: ClassVar[str] = "paired"
    test: Literal["mcnemar", "mid-p", "fisher", "g"] = "mcnemar"
    alpha: float = 0.05
    fdr: float = 0.05
    correction: Correction = "bh"
    min_effect: float = 0.01

    def __post_init__(self) -> None:
        check_levels(alpha=self.alpha, fdr=self.fdr)

    def table(self, counts: CodeCounts, s_prime: int) -> EnrichmentTable:
        if counts.draws > 1:
            raise CodeUnlearnError("The preset paired tests one control for each sentence; use --draws 1.")
        table = enrichment(counts, s_prime)
        pairs = self._pairs(table)
        if pairs is not None:
            return replace(table, p=mcnemar(*pairs, mid_p=self.test == "mid-p"))
        groups = table.topic, table.n_topic, table.control, table.n_control
        return replace(table, p=g_test(*groups) if self.test == "g" else fisher(*groups))

    def select(self, table: EnrichmentTable) -> NDArray[np.bool_]:
        chosen = table.f_topic - table.f_control >= self.min_effect
        tested = self._smallest_p(table) <= self.alpha
        q = np.ones(len(table))
        q[tested] = adjust(table.p[tested], self.correction)
        return chosen & (q <= self.fdr)

    def _pairs(self, table: EnrichmentTable) -> tuple[IntArray, IntArray] | None:
        """The discordant pairs, where the test is one of pairs and there are some."""
        if self.test in ("fisher", "g") or table.only_topic is None or table.only_control is None:
            return None
        return table.only_topic, table.only_control

    def _smallest_p(self, table: EnrichmentTable) -> FloatArray:
        pairs = self._pairs(table)
        if pairs is not None:
            return smallest_mcnemar(pairs[0] + pairs[1], mid_p=self.test == "mid-p")
        smallest = smallest_g if self.test == "g" else smallest_fisher
        return smallest(table.topic + table.control, table.n_topic, table.n_control)

    def expected_false_positives(self, table: EnrichmentTable) -> float:
        """None where the topic has no effect at all; of the codes chosen, this share is expected to be wrong."""
        return self.fdr * float(self.select(table).sum())


RECIPES.register(Paired.name)(Paired)
