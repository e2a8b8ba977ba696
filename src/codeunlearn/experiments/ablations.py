"""What each part of the method contributes: variants of the codebook model, all searched and scored alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from codeunlearn.codebook import DeletionMode
from codeunlearn.evaluation.curve import Curve, curve
from codeunlearn.evaluation.curves import Curves
from codeunlearn.evaluation.metrics.base import METRICS
from codeunlearn.evaluation.scores import Scores
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import BEFORE
from codeunlearn.evaluation.test_sets import topic_tests, whole_pool
from codeunlearn.experiments.ablations_config import REFERENCE, Variant
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.models import Models, variant_name
from codeunlearn.experiments.stages import Stage
from codeunlearn.experiments.units import TopicStages, Unit, units
from codeunlearn.unlearning import make_recipe
from codeunlearn.validation import validated


@dataclass(frozen=True)
class AblationResult:
    """One variant.

    Attributes:
        quality: how well it answers with nothing forgotten, on random prompts of the test pool.
        curves: every topic at every size; none of a topic for which no code is found.
    """

    name: str
    quality: Scores
    curves: list[Curve]

    @classmethod
    def from_dict(cls, name: str, content: Mapping[str, Any], where: str = "ablation") -> AblationResult:
        """What its stage left, of older versions too.

        Raises:
            CodeUnlearnError: it is something else, or damaged.
        """
        saved = validated(_Saved, content, where)
        kept = {"rows": saved.rows} if saved.rows else {"curves": saved.curves}
        curves = Curves.from_dict({**kept, "details": {}}, where).curves
        return cls(name, Scores.from_dict(saved.quality, where), curves)


@dataclass(frozen=True)
class _Saved:
    """The file of an `AblationResult`; older versions kept the rows of a sweep."""

    quality: dict[str, Any]
    curves: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


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
            before = self.models.system(BEFORE, "before", model)
            quality = score(self.models.task, whole, [before], seed=seed, how=self.models.how, samples=0)
            return {
                "quality": quality.to_dict(),
                "curves": [asdict(found) for unit in first if (found := self._curve(unit, model, variant.mode))],
            }

        settings = {
            "mode": variant.mode,
            "preset": search.preset,
            "s_primes": search.s_primes,
            "beams": scores.beams,
            "whole": scores.whole,
            "metrics": sorted(METRICS.names()),
            "seed": seed,
        }
        after = (model, *(unit.sets for unit in first))
        return Stage(result_name(variant.name), settings, after, make, together=True)

    def _curve(self, unit: Unit, model: str, mode: DeletionMode | None) -> Curve | None:
        """A topic searched at every size, scored on the topic's sentences and unrelated ones; None where no code is found."""
        sets, search = self.topics.read_sets(unit), self.config.search
        tests = topic_tests(replace(sets, neighbours={}))
        opened = self.models.open(model)
        found = make_recipe(search.preset).search(*opened, sets, seed=unit.seed, steps=search.s_primes)
        if not found.steps:
            return None
        return curve(
            self.models.task,
            tests,
            self.models.system(BEFORE, "before", model),
            found.steps,
            seed=unit.seed,
            step_name=found.step_name,
            n_search=len(sets.search),
            mode=mode,
            how=self.models.how,
        )
