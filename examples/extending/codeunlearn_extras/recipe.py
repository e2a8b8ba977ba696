"""A recipe: codes of many of the topic's sentences that none of their controls has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from codeunlearn.unlearning import RECIPES, CodeCounts, EnrichmentTable, enrichment
from codeunlearn.unlearning.recipes.counted import Counted


@RECIPES.register("exclusive")
@dataclass(frozen=True)
class Exclusive(Counted):
    """Counting, steps (values of S') and the forget set come from `Counted`.

    Attributes:
        share: of the topic's sentences that a code must have.
    """

    name: ClassVar[str] = "exclusive"
    s_prime: int = 8
    share: float = 0.1

    def table(self, counts: CodeCounts, s_prime: int) -> EnrichmentTable:
        return enrichment(counts, s_prime)

    def select(self, table: EnrichmentTable) -> Any:
        return (table.f_topic >= self.share) & (table.control == 0)

    def expected_false_positives(self, table: EnrichmentTable) -> float:
        return 0.0
