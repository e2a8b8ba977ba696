"""The options of the recommended recipe's rounds."""

from __future__ import annotations

from dataclasses import dataclass

from codeunlearn.codebook import DeletionMode
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.statistics import Correction
from codeunlearn.unlearning.recipes.counted import check_levels


@dataclass(frozen=True)
class PathOptions:
    """How `find_path` looks for the codes to delete.

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
        check_levels(alpha=self.alpha, fdr=self.fdr)
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
