"""The metrics of a reproduction beyond the lexical ones, none of which needs a download: a scorer's, and fluency."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from codeunlearn.corpus.target_words import ParallelText
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.extra_metrics import ExtraMetricsConfig, extra_metrics
from codeunlearn.evaluation.fluency import CharacterModel, fit_fluency
from codeunlearn.evaluation.protocol import MetricsFor, TestSet
from codeunlearn.record import public_name
from codeunlearn.reproduction.texts import Text
from codeunlearn.training.resuming import weights_digest


@dataclass
class Extras:
    """Opens the scorer once for all topics.

    Attributes:
        scorer: see `ScoreConfig.scorer`.
        text: fluency is fitted on the target side of its train pool.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    scorer: str | None
    text: Text
    device: str
    _fluency: dict[str, CharacterModel] = field(default_factory=dict[str, CharacterModel])

    def identity(self) -> dict[str, Any]:
        """What scores depend on."""
        weights = {"scorer": public_name(self.scorer), "weights": weights_digest(self.scorer)} if self.scorer else {}
        return {"fluency": True, **weights}

    def without(self, topic: Topic | None = None, words: tuple[str, ...] = ()) -> MetricsFor:
        """The metrics of a topic's sets; fluency is fitted without the topic."""

        def metrics(test: TestSet) -> dict[str, Any]:
            return {**self._of_scorer(test), "fluency": self._fluency_without(topic, words)}

        return metrics

    @cached_property
    def _of_scorer(self) -> MetricsFor:
        return extra_metrics(
            ExtraMetricsConfig(embedding_precision=self.scorer, seq2seq_score=self.scorer), device=self.device
        )

    def _fluency_without(self, topic: Topic | None, words: tuple[str, ...]) -> CharacterModel:
        """One for each topic and its words; all seeds of a topic share it."""
        key = repr((topic, words))
        if key not in self._fluency:
            self._fluency = {key: fit_fluency(ParallelText.of(self.text.pools["train"]), topic, words)}
        return self._fluency[key]
