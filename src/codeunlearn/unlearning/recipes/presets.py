"""Presets: named, documented recipes that turn counts into the codes to delete.

A new recipe is a small frozen dataclass with the members of `Preset`, its options as fields, and one entry in
`PRESETS`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from codeunlearn.codebook import DeletionMode
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.counts import CodeCounts, IntArray
from codeunlearn.unlearning.evidence.enrichment import EPSILON, EnrichmentTable, Unit, enrichment
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


class Preset(Protocol):
    """What a recipe has to offer; its dataclass fields are its options and go into the forget set."""

    name: ClassVar[str]

    def table(self, counts: CodeCounts, s_prime: int) -> EnrichmentTable:
        """The evidence on which the recipe decides."""
        ...

    def select(self, table: EnrichmentTable) -> NDArray[np.bool_]:
        """[M] whether each code of the table is to be deleted."""
        ...

    def expected_false_positives(self, table: EnrichmentTable) -> float:
        """How many of the codes that the recipe chooses are expected to be accidents."""
        ...


def _check_levels(**levels: float) -> None:
    for name, level in levels.items():
        if not 0 < level <= 1:
            raise CodeUnlearnError(f"{name} must be above 0 and at most 1; got {level}.")


@dataclass(frozen=True)
class PaperPreset:
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


@dataclass(frozen=True)
class PairedPreset:
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
        _check_levels(alpha=self.alpha, fdr=self.fdr)

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


@dataclass(frozen=True)
class RecommendedPreset:
    """Options of `find_path`, which works in rounds and so is no `Preset` of one table.

    Attributes:
        alpha: a code whose smallest possible p-value exceeds this is not tested.
        fdr: false discovery rate among the candidates of a round.
        correction: ``bh`` or ``by``, see `adjust`.
        min_effect: smallest difference of the shares of sentences that hold a candidate.
        retain_weight: what the loss of one nat per unrelated sentence weighs against the whole topic.
        topic_left: done when the topic's words have kept this share of their probability.
        min_gain: a candidate that takes less than this share of it, after its price, is not worth deleting.
        min_progress: a round that brings less than this on top of the best before it is an idle one.
        patience: so many idle rounds in a row end the search.
        max_codes: most codes to delete; None for no bound.
        candidates: most candidates that are tried in a round, those with the largest effect.
        screening_sentences: topic sentences on which all of them are tried first.
        finalists: most candidates that are then tried on all sentences, those that took most.
        codes_per_round: most codes that are deleted before the others are tried again.
        topic_sentences: topic sentences on which deletions are tried.
        retained_sentences: unrelated sentences on which each candidate is tried.
        mode: what happens to the slot of a deleted code; the model's own way unless given.
    """

    name: ClassVar[str] = "recommended"
    alpha: float = 0.05
    fdr: float = 0.05
    correction: Correction = "bh"
    min_effect: float = 0.01
    retain_weight: float = 1.0
    topic_left: float = 0.02
    min_gain: float = 0.0005
    min_progress: float = 0.002
    patience: int = 6
    max_codes: int | None = None
    candidates: int = 40
    screening_sentences: int = 48
    finalists: int = 20
    codes_per_round: int = 6
    topic_sentences: int = 96
    retained_sentences: int = 16
    mode: DeletionMode | None = None

    def __post_init__(self) -> None:
        _check_levels(alpha=self.alpha, fdr=self.fdr)
        for name in (
            "candidates",
            "screening_sentences",
            "finalists",
            "codes_per_round",
            "topic_sentences",
            "retained_sentences",
            "max_codes",
            "patience",
        ):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise CodeUnlearnError(f"{name} must be at least 1, not {number}.")


PRESETS: dict[str, Preset] = {preset.name: preset for preset in (PaperPreset(), PairedPreset())}


def find_preset(preset: str | Preset) -> Preset:
    """The preset of that name; a preset with options of its own is returned as it is.

    Raises:
        CodeUnlearnError: no preset has that name.
    """
    if not isinstance(preset, str):
        return preset
    if preset == "recommended":
        raise CodeUnlearnError("The preset recommended knows no S'; use `codeunlearn forget` or search_recommended().")
    if preset not in PRESETS:
        raise CodeUnlearnError(f"Unknown preset {preset!r}; choose one of {', '.join(sorted(PRESETS))}.")
    return PRESETS[preset]


def preset_options(preset: Preset) -> dict[str, Any]:
    """The options of a preset by name, for the record."""
    return asdict(cast(Any, preset))


def chosen_rows(table: EnrichmentTable, chosen: NDArray[np.bool_]) -> IntArray:
    """Rows of the table that were chosen, strongest evidence first: by p, then by R, then by id."""
    rows = np.flatnonzero(chosen)
    return rows[np.lexsort((table.ids[rows], -table.r[rows], table.p[rows]))]
