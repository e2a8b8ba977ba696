"""The stages of a study of recipes: what each needs to make a topic go, and what that costs.

Codes are searched on the train pool. Of every recipe the same sizes are tried on the validation pool, and for each loss of
the topic's words the fewest codes that reach it are taken; only these meet the test pool.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from codeunlearn.codebook import DeletionMode
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.examples import sample_pool
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.curve import Curve, Point, curve
from codeunlearn.evaluation.metrics.lexical import chrf
from codeunlearn.evaluation.reached import Reached
from codeunlearn.evaluation.systems import BEFORE
from codeunlearn.evaluation.test_sets import TestSet, make_test_sets, topic_tests
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.models import Models
from codeunlearn.experiments.recipes_config import ComparedRecipe
from codeunlearn.experiments.stages import Stage
from codeunlearn.experiments.units import TopicStages, Unit, build_sets, units
from codeunlearn.methods.placebo import draw_placebos
from codeunlearn.tasks.base import Example, Task, View
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.unlearning import ForgetSet
from codeunlearn.unlearning.recipes.base import RETAINED, Step, beginnings

SHOWN = 6  # examples that are kept


@dataclass(frozen=True)
class Studied:
    """One recipe on one topic with one seed.

    Attributes:
        seconds: processor seconds of the search; None where nobody took the time.
        validation: every size, up to the first at which the largest loss is reached.
        test: the sizes that were chosen on it.
    """

    seconds: float | None
    validation: Curve
    test: Curve

    def chosen(self, loss: float) -> Chosen:
        """What a loss of so many per cent takes on validation, and what that does on test."""
        point = chosen_point(self.validation, loss)
        same = (one for one in self.test.points if (one.codes, one.s_prime) == (point.codes, point.s_prime))
        return Chosen(point, next(same), self.validation.at_loss(loss) is not None)


class Chosen(NamedTuple):
    """A choice, what it does on other sentences, and whether it reached the loss where it was made."""

    validation: Point
    test: Point
    reached: bool


@dataclass(frozen=True)
class RecipeStudy:
    """All recipes on one topic with one seed; those that found no code are left out.

    Attributes:
        neighbours: change of chrF, by neighbour and recipe, at the largest loss; of the first seed, as all below.
        placebo: change of chrF on the unrelated sentences, one for each draw of random codes.
        examples: the first sentences (``prompt``), and answers to them ``before`` and after each recipe.
    """

    recipes: dict[str, Studied]
    neighbours: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    placebo: list[float] = field(default_factory=list[float])
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@dataclass(frozen=True)
class NullControl:
    """How many codes each recipe finds where there is no topic: every one is an accident.

    Attributes:
        codes: by recipe, with its S' where it has one.
    """

    sentences: int
    codes: dict[str, int]


def chosen_point(validation: Curve, loss: float) -> Point:
    """The fewest codes that reach a loss; where none do, those that take most."""
    return validation.at_loss(loss) or max(validation.points, key=lambda point: point.topic_loss)


class RecipeStages:
    """The stages of all topics.

    Args:
        topics: makes and reads their sentences.
    """

    def __init__(self, config: ReproductionConfig, models: Models, topics: TopicStages) -> None:
        self.config, self.models, self.topics, self.study = config, models, topics, config.recipes

    def stages(self, model_seed: int) -> list[Stage]:
        """Of all units with these models."""
        found = [unit for unit in units(self.config) if self.config.model_seed(unit.seed) == model_seed]
        identity = self.topics.text.identity()
        first = [unit for unit in found if self.study.null_control and self._is_first(unit)]
        return [
            *(stage for unit in found for stage in (self.topics.sets(unit, identity), self._recipes(unit))),
            *(self._null_control(unit, identity) for unit in first),
        ]

    def _is_first(self, unit: Unit) -> bool:
        return unit.seed == self.config.seeds[0]

    def _model(self, unit: Unit) -> str:
        return f"joint-{self.config.model_seed(unit.seed)}"

    def _recipes(self, unit: Unit) -> Stage:
        scores = self.config.scores
        settings = {
            "recipes": {
                key: value for key, value in asdict(self.study).items() if key not in ("shown", "null_control")
            },
            "placebo_draws": scores.placebo_draws,
            "usage_size": scores.usage_size,
            "beams": scores.beams,
            "seed": unit.seed,
            "first": self._is_first(unit),
        }
        after = (unit.sets, self._model(unit))
        return Stage(recipes_name(unit), settings, after, lambda: asdict(self._study(unit)))

    def _study(self, unit: Unit) -> RecipeStudy:
        sets, text = self.topics.read_sets(unit), self.topics.text
        validation = make_test_sets(sets, text.pools, "validation")
        test = topic_tests(replace(sets, retain=self._unrelated(sets), neighbours={}))
        recipes: dict[str, Studied] = {}
        gone: dict[str, _Deletion] = {}
        for one in self.study.compared:
            tried = self._searched(one, unit, sets, validation)
            if tried is None:
                continue
            chosen = {_key(tried.at(loss)): tried.at(loss) for loss in self.study.losses}
            on_test = self._curve(one, unit, sets, test, list(chosen.values()))
            recipes[one.name] = Studied(tried.seconds, tried.curve, on_test)
            gone[one.name] = _Deletion(tried.at(max(self.study.losses)).forget_set, one.mode)
        return (
            RecipeStudy(recipes, **self._beside(unit, sets, test, gone))
            if self._is_first(unit)
            else RecipeStudy(recipes)
        )

    def _searched(
        self, one: ComparedRecipe, unit: Unit, sets: TopicSets, validation: Sequence[TestSet]
    ) -> _Tried | None:
        """A recipe's sets and their curve on validation; None where it finds no code."""
        began = time.process_time()
        found = one.make().search(*self.models.open(self._model(unit)), sets, seed=unit.seed, steps=one.s_primes)
        seconds = time.process_time() - began
        whole = found.steps or (Step(len(found.forget_set), "its choice", found.forget_set),)
        steps = sorted((step for step in whole if step.forget_set.ids), key=lambda step: len(step.forget_set))
        if not steps:
            return None
        enough = max(self.study.losses)
        tried = _Tried(steps, seconds, self._curve(one, unit, sets, validation, steps, enough))
        if not one.cut:
            return tried
        best = tried.at(enough).forget_set
        parts = beginnings(best, (*self.study.sizes, len(best)))
        return _Tried(parts, seconds, self._curve(one, unit, sets, validation, parts, enough))

    def _curve(
        self,
        one: ComparedRecipe,
        unit: Unit,
        sets: TopicSets,
        tests: Sequence[TestSet],
        steps: Sequence[Step],
        enough: float | None = None,
    ) -> Curve:
        return curve(
            self.models.task,
            tests,
            self.models.system(BEFORE, "before", self._model(unit)),
            sorted(steps, key=lambda step: len(step.forget_set)),
            seed=unit.seed,
            step_name="codes" if one.cut else "S'",
            n_search=len(sets.search),
            mode=one.mode,
            how=self.models.how,
            enough=enough,
        )

    def _unrelated(self, sets: TopicSets) -> list[Example]:
        """Of the test pool, without topic and neighbours."""
        near = [sets.topic, *(Topic.from_word(name) for name in sets.neighbours)]
        sample = sample_pool(self.topics.text.pools["test"], 2 * self.study.unrelated)
        held = {row for topic in near for row in topic.rows([example.prompt for example in sample])}
        return [example for row, example in enumerate(sample) if row not in held][: self.study.unrelated]

    def _beside(
        self, unit: Unit, sets: TopicSets, test: Sequence[TestSet], gone: Mapping[str, _Deletion]
    ) -> dict[str, Any]:
        """Neighbours, placebo and examples at the largest loss."""
        with self.models.system(BEFORE, "before", self._model(unit)).open() as view:

            def asked(examples: Sequence[Example]) -> _Asked:
                return _Asked(self.models.task, view, examples, self.models.how)

            topic, rest = (asked(one.examples) for one in test)
            near = {name: asked(examples) for name, examples in sets.neighbours.items() if examples}
            shown = {recipe: topic.after(one)[:SHOWN] for recipe, one in gone.items()}
            return {
                "neighbours": {
                    name: {recipe: sentences.change(one) for recipe, one in gone.items()}
                    for name, sentences in near.items()
                },
                "placebo": [rest.change(one) for one in self._placebos(view, gone, unit.seed)],
                "examples": {"prompt": topic.prompts[:SHOWN], "before": topic.before[:SHOWN], **shown},
            }

    def _placebos(self, view: View, gone: Mapping[str, _Deletion], seed: int) -> list[_Deletion]:
        scores, name = self.config.scores, self.study.placebo
        if name is None or name not in gone or not scores.placebo_draws:
            return []
        sentences = ParallelText.of(self.topics.text.pools["train"]).sources[: scores.usage_size]
        chosen, mode = gone[name]
        drawn = draw_placebos(view, chosen, sentences, draws=scores.placebo_draws, seed=seed).sets
        return [_Deletion(one, mode) for one in drawn]

    def _null_control(self, unit: Unit, identity: dict[str, Any]) -> Stage:
        """Two random replacements of the topic's word are set against each other."""
        search, levels = self.config.search, self.study.null_control
        sizes = {"search_size": search.size, "eval_size": 0, "draws": 2, "minimum": self.config.scores.minimum}
        sizes["search_retain_size"] = RETAINED
        recipes = told_apart(self.study.compared)

        def make() -> dict[str, Any]:
            sets = build_sets(unit, self.topics.text, sizes, self.models.task)
            first, second = sets.controls
            replaced = [replace(example, prompt=text) for example, text in zip(sets.search, first, strict=True)]
            null = replace(sets, search=replaced, controls=[second])
            codes: dict[str, int] = {}
            for label, one in recipes.items():
                found = one.make().search(*self.models.open(self._model(unit)), null, seed=unit.seed, steps=levels)
                by_step = {f"{label}, {step.label}": len(step.forget_set) for step in found.steps}
                codes |= by_step if found.step_name == "S'" else {label: len(found.forget_set)}
            return asdict(NullControl(len(first), codes))

        compared = [
            {"recipe": one.preset, "options": one.options, **({"mode": one.mode} if one.knows_mode else {})}
            for one in recipes.values()
        ]
        settings = {"text": identity, "topic": asdict(unit.topic), "seed": unit.seed, **sizes}
        return Stage(null_name(unit), {**settings, "compared": compared, "levels": levels}, (self._model(unit),), make)


def recipes_name(unit: Unit) -> str:
    """The stage with a unit's study."""
    return f"{unit.name}/recipes"


def null_name(unit: Unit) -> str:
    return f"{unit.name}/null-control"


def told_apart(compared: Sequence[ComparedRecipe]) -> dict[str, ComparedRecipe]:
    """Those that search differently, by preset, or by name where the preset says nothing or could mislead."""
    known: list[ComparedRecipe] = []
    for one in compared:
        if all((one.preset, one.make()) != (other.preset, other.make()) for other in known):
            known.append(one)
    presets = [one.preset for one in known]
    named = {one.preset for one in known for other in known if other is not one and other.name == one.preset}
    unclear = named | {preset for preset in presets if presets.count(preset) > 1}
    return {one.name if one.preset in unclear else one.preset: one for one in known}


class _Deletion(NamedTuple):
    """Codes, and what happens to their slots."""

    codes: ForgetSet
    mode: DeletionMode | None


class _Tried(NamedTuple):
    """What a recipe offers, the processor seconds of its search, and its curve on validation."""

    steps: Sequence[Step]
    seconds: float
    curve: Curve

    def at(self, loss: float) -> Step:
        point = chosen_point(self.curve, loss)
        return next(step for step in self.steps if _key(step) == (point.codes, point.s_prime))


def _key(step: Step) -> tuple[int, int]:
    return len(step.forget_set), step.forget_set.s_prime


class _Asked:
    """Sentences, answered by the model before and after deletions."""

    def __init__(self, task: Task, view: View, examples: Sequence[Example], how: DecodingConfig) -> None:
        self._task, self._view, self._how = task, view, how
        self._references = [example.answers for example in examples]
        self.prompts = [example.prompt for example in examples]
        self._reached, self.before = Reached(view, self.prompts), self._ask(range(len(examples)))

    def after(self, deletion: _Deletion) -> list[str]:
        return self._reached.after(deletion.codes, self.before, self._ask, deletion.mode)

    def change(self, deletion: _Deletion) -> float:
        """Of chrF."""
        return self._chrf(self.after(deletion)) - self._chrf(self.before)

    def _ask(self, places: Sequence[int]) -> list[str]:
        return self._task.answer(self._view, [self.prompts[place] for place in places], self._how).texts

    def _chrf(self, texts: Sequence[str]) -> float:
        return chrf(texts, self._references).value
