"""The paper's recipe: codes that fire more often with the topic than without it, by a chi-squared test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.counts import CodeCounts
from codeunlearn.unlearning.evidence.enrichment import EPSILON, EnrichmentTable, Unit, enrichment
from codeunlearn.unlearning.recipes.base import RECIPES
from codeunlearn.unlearning.recipes.counted import Counted


@dataclass(frozen=True)
class Paper(Counted):
    """The paper's recipe: R > 0 and chi-squared p <= 0.05, without correction for the number of codes.

    Attributes:
        alpha: significance level.
        unit: what eqs. 9 and 10 count, see `enrichment`.
        epsilon: constant of eq. 11, see `enrichment`.
        yates: continuity correction of the test, see `enrichment`.
    """

    name: ClassVar[str] = "paper"
    alpha: float = 0.05
    unit: Unit = "sentence"
    epsilon: float = EPSILON
    yates: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise CodeUnlearnError(f"The significance level must be above 0 and at most 1; got {self.alpha}.")

    def table(self, counts: CodeCounts, s_prime: int) -> EnrichmentTable:
        return enrichment(counts, s_prime, epsilon=self.epsilon, unit=self.unit, yates=self.yates)

    def select(self, table: EnrichmentTable) -> NDArray[np.bool_]:
        return (table.r > 0) & (table.p <= self.alpha)

    def expected_false_positives(self, table: EnrichmentTable) -> float:
        """Half of alpha times the codes tested, since only one of the two directions counts.

        Nominal: it supposes independent sentences. Sentences that differ from their control in one word give
            fewer.
        """
        return self.alpha / 2 * len(table)


RECIPES.register(Paper.name)(Paper)
