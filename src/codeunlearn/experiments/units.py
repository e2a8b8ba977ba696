"""The stages of one topic and seed: its sentences, the search over S', every translation, and the scores."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codeunlearn.codebook import require_bottleneck
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.texts import Text
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.knowledge import EXTRACTION, PROBABILITY, RANK
from codeunlearn.evaluation.metrics.lexical import Score
from codeunlearn.evaluation.protocol import FORGET, PLAIN, ZERO_SHOT, TestSet
from codeunlearn.evaluation.retranslate import Retranslator
from codeunlearn.evaluation.topic import make_test_sets
from codeunlearn.experiments.config import PoolChoice, ReproductionConfig, TopicConfig
from codeunlearn.experiments.extras import Extras
from codeunlearn.experiments.models import BASE, Models, make_topic
from codeunlearn.experiments.scores import GOLD, KnowledgeOf, Translations, deletion_name, score_translations
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.methods.placebo import code_usage, placebos
from codeunlearn.unlearning import ForgetSet, forgetting, make_recipe
from codeunlearn.validation import validated

_WARM_UP = 8  # sentences read before the first search is timed


@dataclass(frozen=True)
class Unit:
    """One topic with one seed and one choice of pools: what is searched and scored at once."""

    topic: TopicConfig
    seed: int
    pools: PoolChoice

    @property
    def name(self) -> str:
        return f"{self.topic.word}/{self.seed}" + ("" if self.pools == "disjoint" else f"-{self.pools}")


@dataclass(frozen=True)
class TimedSearch:
    """A search of its own for one S', as the stage keeps it."""

    s_prime: int
    seconds: float
    sentences: int
    forget_set: ForgetSet


@dataclass(frozen=True)
class _SavedSearch:
    s_prime: int
    seconds: float
    sentences: int
    forget_set: dict[str, Any]


@dataclass(frozen=True)
class _SavedSearches:
    searches: list[_SavedSearch]


def searches(store: StageStore, unit: Unit) -> list[TimedSearch]:
    """What a unit's searches found.

    Raises:
        CodeUnlearnError: they are not finished, or their file is damaged.
    """
    stage = f"{unit.name}/search"
    path = store.path(stage)
    saved = validated(_SavedSearches, store.result(stage), str(path))
    try:
        return [
            TimedSearch(one.s_prime, one.seconds, one.sentences, ForgetSet.from_dict(one.forget_set))
            for one in saved.searches
        ]
    except CodeUnlearnError as error:
        raise CodeUnlearnError(f"{path}: {error}") from error


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
        first = [stage for unit in found for stage in (self._sets(unit, identity), self._search(unit))]
        return first + [stage for unit in found for stage in (self._translations(unit), self._scores(unit))]

    def _sets(self, unit: Unit, identity: dict[str, Any]) -> Stage:
        search, scores = self.config.search, self.config.scores
        sizes = {"search_size": search.size, "eval_size": scores.size, "draws": search.draws, "minimum": scores.minimum}
        folder = self.out / "topics" / unit.name

        def make() -> dict[str, Any]:
            sets = build_sets(unit, self.text, sizes)
            sets.save(folder / "sets.json")
            words = {"target_words": sets.target_words, "neighbours": list(sets.neighbours)}
            content = (folder / "sets.json").read_bytes()
            return {"sizes": sets.sizes(), **words, "sha256": hashlib.sha256(content).hexdigest()}

        settings = {"topic": asdict(unit.topic), "seed": unit.seed, "pools": unit.pools, "text": identity, **sizes}
        return Stage(f"{unit.name}/sets", settings, (), make, folder)

    def _search(self, unit: Unit) -> Stage:
        search, joint = self.config.search, self._joint(unit)

        def make() -> dict[str, Any]:
            sets = self.read_sets(unit)
            return {
                "searches": list(
                    timed_searches(*self.models.open(joint), sets, search.preset, search.s_primes, unit.seed)
                )
            }

        settings = {"preset": search.preset, "s_primes": search.s_primes, "seed": unit.seed}
        return Stage(f"{unit.name}/search", settings, (f"{unit.name}/sets", joint), make, together=True)

    def _translations(self, unit: Unit) -> Stage:
        scores, joint = self.config.scores, self._joint(unit)
        names = self._compared(unit)

        def make() -> dict[str, Any]:
            sets = self.read_sets(unit)
            tests = make_test_sets(sets, self.text.pools, "test")
            sources = [source for test in tests for source in test.sources]
            found = {s.s_prime: s.forget_set for s in searches(self.store, unit)}
            texts = {system: self.models.translator(name, unit.seed)(sources) for system, name in names.items()}
            model, tokenizer = self.models.open(joint)
            again = Retranslator(model, tokenizer, self.models.translator(joint, unit.seed), sources)
            deleted = {deletion_name(s_prime): again.after(one) for s_prime, one in found.items()}
            stand_ins, used = self._placebos(unit, found[scores.s_prime])
            return Translations(
                tests=tests,
                before=again.before,
                systems=texts,
                deleted=deleted,
                codes={deletion_name(s_prime): len(one) for s_prime, one in found.items()},
                placebos=[again.after(one) for one in stand_ins],
                placebo_use=used,
            ).to_dict()

        settings = {
            "beams": scores.beams,
            "s_prime": scores.s_prime,
            "placebo_draws": scores.placebo_draws,
            "usage_size": scores.usage_size,
            "seed": unit.seed,
        }
        after = (f"{unit.name}/sets", f"{unit.name}/search", joint, *names.values())
        return Stage(f"{unit.name}/translations", settings, tuple(dict.fromkeys(after)), make)

    def _scores(self, unit: Unit) -> Stage:
        folder = self.out / "results" / unit.name

        def make() -> dict[str, Any]:
            stage = f"{unit.name}/translations"
            translations = Translations.from_dict(self.store.result(stage), str(self.store.path(stage)))
            words = next(test.words for test in translations.tests if test.name == FORGET)
            scores, by_sentence = score_translations(
                translations,
                unit.topic.word,
                unit.seed,
                unit.pools,
                extras=self.extras.without(make_topic(unit.topic), words),
                knowledge=self._knowledge(unit),
            )
            by_sentence.save(folder)
            return scores.to_dict()

        settings = {
            "metrics": sorted(TestSet("", [], ("x",)).metrics()),
            "knowledge": [PROBABILITY, RANK, EXTRACTION],
            "extras": self.extras.identity,
            "seed": unit.seed,
        }
        return Stage(f"{unit.name}/scores", settings, (f"{unit.name}/translations",), make, folder)

    def _knowledge(self, unit: Unit) -> KnowledgeOf:
        """What every row knows of the references, under forced decoding."""
        states = {deletion_name(s.s_prime): s.forget_set for s in searches(self.store, unit)}
        names = self._compared(unit)

        def measure(row: str, test: TestSet) -> Mapping[str, Score]:
            if row in names:
                return self.models.translator(names[row], unit.seed).knowledge(test)
            model = self.models.open(self._joint(unit))[0]
            state = (lambda: forgetting(model, states[row])) if row in states and states[row].ids else nullcontext
            return self.models.translator(self._joint(unit), unit.seed, state=state).knowledge(test)

        return measure

    def _joint(self, unit: Unit) -> str:
        return f"joint-{self.config.model_seed(unit.seed)}"

    def _compared(self, unit: Unit) -> dict[str, str]:
        """The models beside the codebook model, by the name of their row."""
        seed = self.config.model_seed(unit.seed)
        gold = self.models.gold_of(unit.topic.word, seed)
        return {ZERO_SHOT: BASE, PLAIN: f"plain-{seed}", **({GOLD: gold} if gold else {})}

    def read_sets(self, unit: Unit) -> TopicSets:
        """The sentences of a unit whose first stage is finished.

        Raises:
            CodeUnlearnError: they are no longer what that stage wrote.
        """
        path, stage = self.out / "topics" / unit.name / "sets.json", f"{unit.name}/sets"
        written = self.store.result(stage).get("sha256")
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != written:
            raise CodeUnlearnError(f"{path} is not what the stage {stage} wrote; make it again: --redo {stage}.")
        return TopicSets.load(path)

    def _placebos(self, unit: Unit, chosen: ForgetSet) -> tuple[list[ForgetSet], dict[str, float]]:
        """Random sets of codes, and how often theirs and the topic's are used, in tokens of the train pool.

        There is none where no code is chosen, or too few are left to stand in for the chosen ones.
        """
        scores = self.config.scores
        if not scores.placebo_draws or not 0 < len(chosen) <= chosen.num_codes // 2:
            return [], {}
        model, tokenizer = self.models.open(self._joint(unit))
        sentences = ParallelText.of(self.text.pools["train"]).sources[: scores.usage_size]
        usage = code_usage(model, tokenizer, sentences)
        ids = require_bottleneck(model).codebook.code_ids.cpu().numpy()
        drawn = placebos(chosen, usage, ids, draws=scores.placebo_draws, seed=unit.seed)
        used = dict(zip(ids.tolist(), usage.tolist(), strict=True))
        theirs = [sum(used[code] for code in one.ids) for one in drawn]
        return drawn, {"topic": sum(used[code] for code in chosen.ids), "placebo": sum(theirs) / len(theirs)}


def build_sets(unit: Unit, text: Text, sizes: dict[str, int]) -> TopicSets:
    """The unit's sentences; with the pools of the paper, search and scores draw from the same ones.

    Words on the target side and neighbours are those of the train pool in either case.
    """
    topic, own = make_topic(unit.topic), unit.topic
    named = None if own.neighbours is None else {word: Topic.from_word(word) for word in own.neighbours}
    options: dict[str, Any] = {**sizes, "tune_size": 0, "seed": unit.seed}
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


def timed_searches(
    model: Any, tokenizer: Any, sets: TopicSets, preset: str, s_primes: Sequence[int], seed: int
) -> Iterator[dict[str, Any]]:
    """A search of its own for every S', so that each has its time; the model is warm when the first begins."""

    def search(sets: TopicSets, s_prime: int) -> ForgetSet:
        return make_recipe(preset).search(model, tokenizer, sets, seed=seed, steps=(s_prime,)).at(s_prime)

    few = replace(sets, search=sets.search[:_WARM_UP], controls=[draw[:_WARM_UP] for draw in sets.controls])
    search(few, s_primes[0])
    for s_prime in s_primes:
        began = time.perf_counter()
        found = search(sets, s_prime)
        seconds = time.perf_counter() - began
        yield {"s_prime": s_prime, "seconds": seconds, "sentences": len(sets.search), "forget_set": found.to_dict()}
