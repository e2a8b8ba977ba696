"""The metrics of a reproduction beyond the lexical ones: fluency, and those of the models that its configuration names."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.texts import Text
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.metrics.bartscore import BartScoreConfig
from codeunlearn.evaluation.metrics.base import Metric, on_answers, standard_metrics
from codeunlearn.evaluation.metrics.bertscore import bertscore_config
from codeunlearn.evaluation.metrics.fluency import CharacterModel, fit_fluency
from codeunlearn.evaluation.metrics.opening import ExtraMetricsConfig, opened_metrics
from codeunlearn.experiments.config import ScoreConfig
from codeunlearn.record import public_name
from codeunlearn.training.resuming import other_files_digest, weights_digest


@dataclass
class Extras:
    """Opens the models once for all topics.

    Attributes:
        config: names the models.
        text: fluency is fitted on the target side of its train pool.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    config: ScoreConfig
    text: Text
    device: str
    _fluency: dict[str, CharacterModel] = field(default_factory=dict[str, CharacterModel])

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What scores depend on."""
        config = self.config
        named: dict[str, Any] = {"fluency": True}
        if config.scorer:
            named |= {"scorer": public_name(config.scorer), **_identity(config.scorer)}
        for name in ("bertscore", "bartscore", "comet"):
            if model := getattr(config, name):
                named[name] = {"model": public_name(model), **_identity(model)}
        return named

    def without(self, topic: Topic | None = None, words: tuple[str, ...] = ()) -> dict[str, Metric]:
        """All metrics of a topic's sets, the standard ones first; fluency is fitted without the topic."""
        return {**standard_metrics(), **self._of_models, "fluency": on_answers(self._fluency_without(topic, words))}

    @cached_property
    def _of_models(self) -> dict[str, Metric]:
        config = self.config
        return opened_metrics(
            ExtraMetricsConfig(
                embedding_precision=config.scorer,
                seq2seq_score=config.scorer,
                bertscore=bertscore_config(config.bertscore) if config.bertscore else None,
                bartscore=BartScoreConfig(config.bartscore) if config.bartscore else None,
                comet=config.comet,
            ),
            device=self.device,
        )

    def _fluency_without(self, topic: Topic | None, words: tuple[str, ...]) -> CharacterModel:
        """That of the last topic and words is kept, for all sets and rows of a unit."""
        key = repr((topic, words))
        if key not in self._fluency:
            self._fluency = {key: fit_fluency(ParallelText.of(self.text.pools["train"]), topic, words)}
        return self._fluency[key]


def _identity(model: str) -> dict[str, Any]:
    return {"weights": weights_digest(model), "other_files": other_files_digest(model)}
