"""What each part of the method contributes: variants of the codebook model, all searched and scored alike."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from codeunlearn.codebook import DeletionMode
from codeunlearn.evaluation.protocol import BEFORE, TopicEvaluation, evaluate_sets, metrics_of
from codeunlearn.evaluation.sweep import SweepRow, sweep_topic
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, TestSet, whole_pool
from codeunlearn.evaluation.topic import EvaluationConfig
from codeunlearn.experiments.config import REFERENCE, ReproductionConfig, Variant
from codeunlearn.experiments.models import Models, variant_name
from codeunlearn.experiments.stages import Stage
from codeunlearn.experiments.units import TopicStages, Unit, units
from codeunlearn.validation import validated


@dataclass(frozen=True)
class AblationResult:
    """One variant.

    Attributes:
        quality: how well it translates with nothing forgotten, on random sentences of the test pool.
        rows: every topic at every S'.
    """

    name: str
    quality: TopicEvaluation
    rows: list[SweepRow]

    @classmethod
    def from_dict(cls, name: str, content: Mapping[str, Any], where: str = "ablation") -> AblationResult:
        """What its stage left.

        Raises:
            CodeUnlearnError: it is something else, or damaged.
        """
        return validated(cls, {"name": name, **content}, where)

    def at(self, s_prime: int) -> list[SweepRow]:
        """The topics' rows of one S'."""
        return [row for row in self.rows if row.s_prime == s_prime]

    def mean(self, s_prime: int, field: str) -> float:
        """The mean over topics of one number of their rows."""
        return statistics.fmean(getattr(row, field) for row in self.at(s_prime))


def variants(config: ReproductionConfig) -> list[Variant]:
    """The reference first; none where the configuration has no ablations."""
    return [Variant(REFERENCE), *config.ablations.variants] if config.ablations.variants else []


def result_name(name: str) -> str:
    """The stage with a variant's results."""
    return f"ablations/{name}/scores"


class Ablations:
    """The stages of all variants.

    Args:
        topics: whose sentences are searched and scored, those of the first seed.
    """

    def __init__(self, config: ReproductionConfig, models: Models, topics: TopicStages) -> None:
        self.config, self.models, self.topics = config, models, topics

    def stages(self) -> list[Stage]:
        """Each model, where a variant has its own, then its scores."""
        return [stage for variant in variants(self.config) for stage in self._of(variant)]

    def _of(self, variant: Variant) -> list[Stage]:
        model = self._model(variant)
        own = [self.models.variant(variant)] if model == variant_name(variant.name) else []
        return [*own, self._scores(variant, model)]

    def _model(self, variant: Variant) -> str:
        """Name of the model: its own, or the reference's for a deletion mode."""
        if variant.mode is None and variant.name != REFERENCE:
            return variant_name(variant.name)
        own = self.config.ablations.train or self.config.ablation_start != self.config.joint.start
        return variant_name(REFERENCE) if own else f"joint-{self.config.seeds[0]}"

    def _scores(self, variant: Variant, model: str) -> Stage:
        seed, scores, search = self.config.seeds[0], self.config.scores, self.config.search
        topics = self.config.ablations.topics or [topic.word for topic in self.config.topics]
        first = [
            unit
            for unit in units(self.config)
            if (unit.seed, unit.pools) == (seed, search.pools[0]) and unit.topic.word in topics
        ]

        def make() -> dict[str, Any]:
            whole = whole_pool(self.models.text.pools["test"], scores.whole, seed)
            systems = {BEFORE: self.models.translator(model, seed)}
            return {
                "quality": evaluate_sets("no topic", whole, systems, examples=0, seed=seed).to_dict(),
                "rows": [asdict(row) for unit in first for row in self._rows(unit, model, variant.mode)],
            }

        settings = {
            "mode": variant.mode,
            "preset": search.preset,
            "s_primes": search.s_primes,
            "beams": scores.beams,
            "whole": scores.whole,
            "metrics": sorted(metrics_of(TestSet("", [], ("x",)))),
            "seed": seed,
        }
        after = (model, *(f"{unit.name}/sets" for unit in first))
        return Stage(result_name(variant.name), settings, after, make, together=True)

    def _rows(self, unit: Unit, model: str, mode: DeletionMode | None) -> Iterator[SweepRow]:
        sets, search = self.topics.read_sets(unit), self.config.search
        tests = [TestSet(FORGET, sets.forget, sets.target_words), TestSet(RETAIN, sets.retain)]
        config = EvaluationConfig(num_beams=self.config.scores.beams, seed=unit.seed, device=self.models.device)
        opened = self.models.open(model)
        return sweep_topic(*opened, sets, tests, config, preset=search.preset, s_primes=search.s_primes, mode=mode)
