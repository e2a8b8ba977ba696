"""The stages of one topic and seed: its sentences, the search over S', every translation, and the scores."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codeunlearn.audit.beside import Beside, beside
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.texts import Text
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import METRICS
from codeunlearn.evaluation.reached import Reached
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import BEFORE, GOLD, PLAIN, ZERO_SHOT, System, unlearned
from codeunlearn.evaluation.test_sets import FORGET, make_test_sets
from codeunlearn.experiments.answers import UnitAnswers, placebo_name
from codeunlearn.experiments.config import PoolChoice, ReproductionConfig, TopicConfig
from codeunlearn.experiments.extras import Extras
from codeunlearn.experiments.models import BASE, Models, make_topic
from codeunlearn.experiments.searches import TimedSearch, deletion_name, make_searches, read_searches
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.methods.placebo import draw_placebos, stand_in
from codeunlearn.tasks.base import Task, View
from codeunlearn.unlearning import ForgetSet, make_recipe
from codeunlearn.unlearning.recipes.base import RETAINED

SETS = "/sets"
"""How the names of stages end that find a topic's sentences, which needs no model."""


@dataclass(frozen=True)
class Unit:
    """One topic with one seed and one choice of pools: what is searched and scored at once."""

    topic: TopicConfig
    seed: int
    pools: PoolChoice

    @property
    def sets(self) -> str:
        """The stage that finds its sentences."""
        return f"{self.name}{SETS}"

    @property
    def name(self) -> str:
        return f"{self.topic.word}/{self.seed}" + ("" if self.pools == "disjoint" else f"-{self.pools}")


def units(config: ReproductionConfig) -> list[Unit]:
    return [
        Unit(topic, seed, pools) for topic in config.topics for seed in config.seeds for pools in config.search.pools
    ]


class TopicStages:
    """The stages of all topics.

    Args:
        store: where the results of earlier stages are.
        out: folder of the reproduction; a unit's sentences lie in ``out/topics``, its scores sentence by sentence in
            ``out/results``.
    """

    def __init__(
        self, config: ReproductionConfig, models: Models, store: StageStore, out: Path, text: Text, extras: Extras
    ) -> None:
        self.config, self.models, self.store, self.out, self.text = config, models, store, out, text
        self.extras = extras

    def stages(self, model_seed: int) -> list[Stage]:
        """Of all units with these models: searches first, which several processes make together, then what they share out."""
        found = [unit for unit in units(self.config) if self.config.model_seed(unit.seed) == model_seed]
        identity = self.text.identity()
        first = [stage for unit in found for stage in (self.sets(unit, identity), self._search(unit))]
        return first + [stage for unit in found for stage in (self._translations(unit), self._scores(unit))]

    def sets(self, unit: Unit, identity: dict[str, Any]) -> Stage:
        """The sentences of a unit; those of the validation pool too where something is chosen on it.

        Args:
            identity: of the text.
        """
        search, scores, compared = self.config.search, self.config.scores, self.config.recipes.compared
        sizes = {"search_size": search.size, "eval_size": scores.size, "draws": search.draws, "minimum": scores.minimum}
        if self.config.knowledge.probes is not None:
            sizes["eval_size"] = 0
        if compared:
            sizes["tune_size"] = scores.size
        recipes = [one.make() for one in compared] or [make_recipe(search.preset)]
        if retained := max(RETAINED if scores.methods or scores.attacks else 0, *(r.needs().retained for r in recipes)):
            sizes["search_retain_size"] = retained
        folder = self.out / "topics" / unit.name

        def make() -> dict[str, Any]:
            sets = build_sets(unit, self.text, sizes, self.models.task)
            sets.save(folder / "sets.json")
            words = {"target_words": sets.target_words, "neighbours": list(sets.neighbours)}
            content = (folder / "sets.json").read_bytes()
            return {"sizes": sets.sizes(), **words, "sha256": hashlib.sha256(content).hexdigest()}

        topic = asdict(unit.topic)
        if not unit.topic.in_place_of:
            del topic["in_place_of"]  # which older versions did not know
        settings = {"topic": topic, "seed": unit.seed, "pools": unit.pools, "text": identity, **sizes}
        return Stage(unit.sets, settings, (), make, folder)

    def _search(self, unit: Unit) -> Stage:
        search, joint = self.config.search, self._joint(unit)

        def make() -> dict[str, Any]:
            opened, sets = self.models.open(joint), self.read_sets(unit)
            return make_searches(*opened, sets, search.preset, search.s_primes, unit.seed)

        settings = {"preset": search.preset, "s_primes": search.s_primes, "seed": unit.seed}
        return Stage(f"{unit.name}/search", settings, (unit.sets, joint), make, together=True)

    def _translations(self, unit: Unit) -> Stage:
        scores, names = self.config.scores, self._compared(unit)

        def make() -> dict[str, Any]:
            tests = make_test_sets(self.read_sets(unit), self.text.pools, "test")
            prompts = [prompt for test in tests for prompt in test.prompts]
            texts: dict[str, list[str]] = {}
            for system, name in names.items():
                with self.models.system(system, "reference", name).open() as view:
                    texts[system] = self.models.task.answer(view, prompts, self.models.how).texts
            found = self._searches(unit)
            drawn, used = self._placebos(unit)
            with self.models.system(BEFORE, "before", self._joint(unit)).open() as view:
                before = self.models.task.answer(view, prompts, self.models.how).texts
                reached = Reached(view, prompts)

                def after(forget_set: ForgetSet) -> list[str]:
                    def again(places: list[int]) -> list[str]:
                        return self.models.task.answer(view, [prompts[i] for i in places], self.models.how).texts

                    return reached.after(forget_set, before, again)

                return UnitAnswers(
                    tests=tests,
                    before=before,
                    systems=texts,
                    deleted={one.system: after(one.forget_set) for one in found},
                    codes={one.system: len(one.forget_set) for one in found},
                    placebos=[after(one) for one in drawn],
                    placebo_use=used,
                    placebo_ids=[list(one.ids) for one in drawn],
                ).to_dict()

        settings = {
            "beams": scores.beams,
            "s_prime": scores.s_prime,
            "placebo_draws": scores.placebo_draws,
            "usage_size": scores.usage_size,
            "seed": unit.seed,
        }
        after = (unit.sets, f"{unit.name}/search", self._joint(unit), *names.values())
        return Stage(f"{unit.name}/translations", settings, tuple(dict.fromkeys(after)), make)

    def _scores(self, unit: Unit) -> Stage:
        folder = self.out / "results" / unit.name

        def make() -> dict[str, Any]:
            stage = f"{unit.name}/translations"
            said = UnitAnswers.from_dict(self.store.result(stage), str(self.store.path(stage)))
            words = next(test.words for test in said.tests if test.name == FORGET)
            return score(
                self.models.task,
                said.tests,
                self._systems(unit, said),
                topic=unit.topic.word,
                seed=unit.seed,
                metrics=self.extras.without(make_topic(unit.topic), words),
                how=self.models.how,
                answers=said.by_system(BEFORE),
                samples=0,
                details={
                    "seed": unit.seed,
                    "pools": unit.pools,
                    "codes": said.codes,
                    "placebo_use": said.placebo_use,
                },
                by_sentence=folder,
            ).to_dict()

        settings = {"metrics": sorted(METRICS.names()), "extras": self.extras.identity, "seed": unit.seed}
        compared = {"methods": self.config.scores.methods, "attacks": self.config.scores.attacks}
        settings |= {name: listed for name, listed in compared.items() if listed}
        return Stage(f"{unit.name}/scores", settings, (f"{unit.name}/translations",), make, folder)

    def _systems(self, unit: Unit, said: UnitAnswers) -> list[System]:
        """The codebook model before, the models beside it, it with every deletion, the placebos, and what else is compared."""
        before = self.models.system(BEFORE, "before", self._joint(unit))
        others = [self.models.system(row, "reference", name) for row, name in self._compared(unit).items()]
        found = [_with_deleted(before, one) for one in self._searches(unit)]
        drawn = enumerate(self._drawn(unit, said), start=1)
        placebos = [unlearned(before, one, name=placebo_name(draw), role="control") for draw, one in drawn]
        chosen = deletion_name(self.config.scores.s_prime, self._searches(unit)[0].step_name)
        last = next(system for system in found if system.name == chosen)
        return [before, *others, *found, *placebos, *self._beside(unit)(before, last)]

    def _beside(self, unit: Unit) -> Beside:
        scores = self.config.scores
        sets = self.read_sets(unit) if scores.methods or scores.attacks else None
        return beside(scores.methods, scores.attacks, sets, self.models.task, seed=unit.seed)

    def _searches(self, unit: Unit) -> list[TimedSearch]:
        return read_searches(self.store, f"{unit.name}/search")

    def _joint(self, unit: Unit) -> str:
        return f"joint-{self.config.model_seed(unit.seed)}"

    def _compared(self, unit: Unit) -> dict[str, str]:
        """The models beside the codebook model, by the name of their row."""
        if self.config.joint.model is not None:
            return {}
        seed = self.config.model_seed(unit.seed)
        gold = self.models.gold_of(unit.topic.word, seed)
        return {ZERO_SHOT: BASE, PLAIN: f"plain-{seed}", **({GOLD: gold} if gold else {})}

    def read_sets(self, unit: Unit) -> TopicSets:
        """The sentences of a unit whose first stage is finished.

        Raises:
            CodeUnlearnError: they are no longer what that stage wrote.
        """
        path, stage = self.out / "topics" / unit.name / "sets.json", unit.sets
        written = self.store.result(stage).get("sha256")
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != written:
            raise CodeUnlearnError(f"{path} is not what the stage {stage} wrote; make it again: --redo {stage}.")
        return TopicSets.load(path)

    def _drawn(self, unit: Unit, said: UnitAnswers) -> list[ForgetSet]:
        """The placebos that were translated; what older versions wrote does not name them, so they are drawn again."""
        if said.placebos and not said.placebo_ids:
            return self._placebos(unit)[0]
        return [stand_in(self._chosen(unit), ids) for ids in said.placebo_ids]

    def _chosen(self, unit: Unit) -> ForgetSet:
        """The codes that placebos stand in for."""
        return next(one.forget_set for one in self._searches(unit) if one.size == self.config.scores.s_prime)

    def _placebos(self, unit: Unit) -> tuple[list[ForgetSet], dict[str, float]]:
        """Random sets of codes, and how often theirs and the topic's are used, in tokens of the train pool."""
        scores, chosen = self.config.scores, self._chosen(unit)
        if not scores.placebo_draws:
            return [], {}
        view = View(*self.models.open(self._joint(unit)))
        sentences = ParallelText.of(self.text.pools["train"]).sources[: scores.usage_size]
        drawn, used = draw_placebos(view, chosen, sentences, draws=scores.placebo_draws, seed=unit.seed)
        if not drawn:
            return [], {}
        theirs = [sum(used[code] for code in one.ids) for one in drawn]
        return drawn, {"topic": sum(used[code] for code in chosen.ids), "placebo": sum(theirs) / len(theirs)}


def _with_deleted(before: System, found: TimedSearch) -> System:
    """A search that found nothing deletes nothing."""
    if not found.forget_set.ids:
        return replace(before, name=found.system, role="after")
    return unlearned(before, found.forget_set, name=found.system)


def build_sets(unit: Unit, text: Text, sizes: dict[str, int], task: Task) -> TopicSets:
    """The unit's sentences, for what models are asked; with the pools of the paper, search and scores draw from the same ones.

    Words on the target side and neighbours are those of the train pool in either case.
    """
    topic, own = make_topic(unit.topic, task.languages[0]), unit.topic
    named = (
        None
        if own.neighbours is None
        else {word: Topic.from_word(word, language=topic.language) for word in own.neighbours}
    )
    options: dict[str, Any] = {"tune_size": 0, **sizes, "seed": unit.seed, "answer_language": task.languages[1]}
    options["in_place_of"] = own.in_place_of
    sets = build_topic_sets(topic, text.pools, neighbours=named, vocabulary=text.vocabulary, **options)
    if own.target_words:
        sets = replace(sets, target_words=own.target_words)
    if unit.pools == "disjoint":
        return sets
    held = text.held()
    pools = {"train": held, "validation": held, "test": held}
    near = {word: Topic.from_word(word) for word in sets.neighbours}
    overlapping = build_topic_sets(topic, pools, neighbours=near, vocabulary=text.held_vocabulary, **options)
    return replace(overlapping, target_words=sets.target_words)
