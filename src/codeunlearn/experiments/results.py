"""What finished stages left, read together, and its means over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeunlearn.evaluation.metrics.knowledge import CONTROL_PROBABILITY, EXTRACTION, PROBABILITY, RANK
from codeunlearn.evaluation.scores import RECALL, Comparison, Row, Scores
from codeunlearn.evaluation.systems import BEFORE, GOLD, PLAIN, ZERO_SHOT
from codeunlearn.evaluation.test_sets import FORGET
from codeunlearn.experiments.ablations import AblationResult, result_name, variants
from codeunlearn.experiments.answers import UnitAnswers, is_placebo
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.knowledge import CODEBOOK_MODEL, PLAIN_MODEL, Forgotten, forgotten_name, read_forgotten
from codeunlearn.experiments.questions import Answered, Questions
from codeunlearn.experiments.recipes import NullControl, RecipeStudy, null_name, recipes_name
from codeunlearn.experiments.searches import TimedSearch, deletion_name, read_searches
from codeunlearn.experiments.stages import StageStore
from codeunlearn.experiments.tofu import TofuFound, read_found
from codeunlearn.experiments.units import Unit, units
from codeunlearn.reporting.labels import metric_order, zero_point_text
from codeunlearn.validation import validated

JUDGED_FROM = 20.0
"""A topic whose word a model translates more rarely than this, in per cent, cannot be judged."""


@dataclass(frozen=True)
class TopicMean(Comparison):
    """A comparison with the codes of one size deleted, as means over seeds, and what stands beside it.

    Intervals are means of the seeds' bootstrap intervals, which cover the choice of test sentences; ``spread`` is the
    standard deviation over seeds. Of the placebo there is the mean and the middle 95 % of all draws. The codebook model was
    not surely better than the zero-shot model where it was not so in some seed.

    Attributes:
        size: S', or a number of codes at most.
        n: sentences, the fewest of any seed.
        codes: deleted codes.
    """

    topic: str = ""
    size: int = 0
    seeds: int = 0
    n: int = 0
    codes: float = math.nan
    zero_shot: float | None = None
    plain: float | None = None
    gold: float | None = None
    spread: float | None = None
    placebo: float | None = None
    placebo_low: float | None = None
    placebo_high: float | None = None


@dataclass(frozen=True)
class TopicClosed:
    """How far a topic is closed with the codes of one size deleted: means over seeds, per cent.

    Attributes:
        before: probability of the topic's words; likewise ``after``, ``control`` (under the control prompts), ``gold``.
        closed: None where it is not defined in some seed.
    """

    topic: str
    size: int
    seeds: int
    n: int
    codes: float
    before: float
    after: float
    control: float
    gold: float | None
    closed: float | None
    closed_low: float | None
    closed_high: float | None


@dataclass(frozen=True)
class Knowledge:
    """What a study of knowledge found.

    Attributes:
        plain: answers of the model without a codebook; ``before``, of that with one and nothing deleted.
        forgotten: by unit.
    """

    questions: Questions
    plain: list[Answered] | None
    before: list[Answered] | None
    forgotten: dict[Unit, Forgotten]


@dataclass(frozen=True)
class Results:
    """All finished results of a reproduction.

    Attributes:
        scores: by unit.
        answers: by unit.
        searches: all searches, by unit.
        quality: how well the models answer, scores for each seed of the models.
        ablations: the variants of the codebook model, the reference first.
        missing: stages that are not finished.
        studies: recipes side by side, by unit; where there is a study, there is nothing else.
        nulls: what recipes find without a topic, by unit of the first seed.
        knowledge: a study of knowledge; where there is one, there is nothing else.
        tofu: a TOFU study; likewise.
    """

    config: ReproductionConfig
    scores: dict[Unit, Scores]
    answers: dict[Unit, UnitAnswers]
    searches: dict[Unit, list[TimedSearch]]
    quality: list[Scores]
    ablations: list[AblationResult]
    missing: list[str]
    studies: dict[Unit, RecipeStudy]
    nulls: dict[Unit, NullControl]
    knowledge: Knowledge | None = None
    tofu: TofuFound | None = None

    @classmethod
    def load(cls, config: ReproductionConfig, store: StageStore) -> Results:
        missing: list[str] = []

        def finished(name: str) -> bool:
            if not store.is_finished(name):
                missing.append(name)
            return store.is_finished(name)

        def place(name: str) -> str:
            return str(store.path(name))

        found, studied = (units(config), []) if not config.recipes.compared else ([], units(config))
        asked = config.knowledge.probes is not None
        found = [] if asked else found
        first = [unit for unit in studied if unit.seed == config.seeds[0] and config.recipes.null_control]
        trained = config.model_seeds if config.joint.model is None and found else ()
        quality_stages = [f"quality-{seed}" for seed in trained]
        return cls(
            config,
            {u: Scores.from_dict(store.result(s), place(s)) for u in found if finished(s := f"{u.name}/scores")},
            {
                u: UnitAnswers.from_dict(store.result(s), place(s))
                for u in found
                if finished(s := f"{u.name}/translations")
            },
            {u: read_searches(store, s) for u in found if finished(s := f"{u.name}/search")},
            [Scores.from_dict(store.result(name), place(name)) for name in quality_stages if finished(name)],
            [
                AblationResult.from_dict(variant.name, store.result(name), place(name))
                for variant in variants(config)
                if finished(name := result_name(variant.name))
            ],
            missing,
            {u: validated(RecipeStudy, store.result(s), place(s)) for u in studied if finished(s := recipes_name(u))},
            {u: validated(NullControl, store.result(s), place(s)) for u in first if finished(s := null_name(u))},
            _knowledge(config, store, finished) if asked else None,
            read_found(config, store, finished) if config.tofu.forget is not None else None,
        )

    @property
    def step_name(self) -> str:
        """What sizes are: ``S'``, or ``codes`` at most."""
        return next((one.step_name for found in self.searches.values() for one in found), "S'")

    def step(self, size: int) -> str:
        """A size in words, such as ``S' = 72``."""
        return f"{self.step_name} = {size}"

    @property
    def zero_point(self) -> str:
        """What the zero of normalised drops is, as part of a sentence."""
        return zero_point_text(next((scores.zero_point for scores in self.scores.values()), ZERO_SHOT))

    def of_topic(self, word: str, pools: str = "disjoint") -> list[Scores]:
        """The scores of a topic, one for each seed; with the paper's pools where there are no others."""
        choice = pools if pools in self.config.search.pools else self.config.search.pools[0]
        return [s for u, s in self.scores.items() if u.topic.word == word and u.pools == choice]

    def answers_of(self, word: str) -> UnitAnswers | None:
        """Those of the first finished seed."""
        choice = self.config.search.pools[0]
        return next((said for u, said in self.answers.items() if u.topic.word == word and u.pools == choice), None)

    def mean(self, word: str, set_name: str, metric: str, size: int, pools: str = "disjoint") -> TopicMean | None:
        """Means over the finished seeds; None if no seed has this."""
        system = deletion_name(size, self.step_name)
        scores = [s for s in self.of_topic(word, pools) if s.comparison(system, set_name, metric) is not None]
        if not scores:
            return None
        rows = [row for s in scores if (row := s.comparison(system, set_name, metric)) is not None]
        drawn = list(_placebos(scores, set_name, metric)) if size == self.config.scores.s_prime else []
        return TopicMean(
            system=system,
            set=set_name,
            metric=metric,
            **{
                name: _mean([getattr(row, name) for row in rows])
                for name in ("before", "after", "delta", "low", "high")
            },
            **_means(rows, ("beyond_retain", "beyond_retain_low", "beyond_retain_high")),
            **_means(rows, ("normalised", "normalised_low", "normalised_high")),
            denominator_within_noise=any(row.denominator_within_noise for row in rows),
            topic=word,
            size=size,
            seeds=len(scores),
            n=min(s.sizes[set_name] for s in scores),
            codes=_mean([s.details["codes"][system] for s in scores]),
            zero_shot=_value(scores, ZERO_SHOT, set_name, metric),
            plain=_value(scores, PLAIN, set_name, metric),
            gold=_value(scores, GOLD, set_name, metric),
            spread=statistics.stdev([row.delta for row in rows]) if len(rows) > 1 else None,
            placebo=_mean(drawn) if drawn else None,
            placebo_low=float(np.quantile(drawn, 0.025)) if drawn else None,
            placebo_high=float(np.quantile(drawn, 0.975)) if drawn else None,
        )

    def closed(self, word: str, size: int) -> TopicClosed | None:
        """None where the control prompts were not asked."""
        system = deletion_name(size, self.step_name)
        scores = [s for s in self.of_topic(word) if s.row(BEFORE, FORGET, CONTROL_PROBABILITY)]
        rows = [row for s in scores if (row := s.closed(system)) is not None]
        if not rows:
            return None
        defined = all(math.isfinite(row.value) for row in rows)
        value, low, high = (_mean([getattr(row, name) for row in rows]) for name in ("value", "low", "high"))
        return TopicClosed(
            topic=word,
            size=size,
            seeds=len(scores),
            n=min(s.sizes[FORGET] for s in scores),
            codes=_mean([s.details["codes"][system] for s in scores]),
            before=_mean([s.value(BEFORE, FORGET, PROBABILITY) for s in scores]),
            after=_mean([s.value(system, FORGET, PROBABILITY) for s in scores]),
            control=_mean([s.value(BEFORE, FORGET, CONTROL_PROBABILITY) for s in scores]),
            gold=_value(scores, GOLD, FORGET, PROBABILITY),
            closed=value if defined else None,
            closed_low=low if defined else None,
            closed_high=high if defined else None,
        )

    def sets(self, word: str) -> list[str]:
        return list(dict.fromkeys(name for s in self.of_topic(word) for name in s.sizes))

    def metrics(self, *, quality: bool = False) -> list[str]:
        """Names of the metrics in their order, recall left out; of quality those of answers that have a normalised drop."""
        rows = (row for s in self.scores.values() for row in s.comparisons)
        known = {row.metric for row in rows if row.metric != RECALL and (not quality or _grades_answers(row))}
        return sorted(known, key=metric_order)

    def quality_rows(self, system: str, metric: str) -> list[Row]:
        return [row for s in self.quality for row in s.rows if (row.system, row.metric) == (system, metric)]


def _grades_answers(row: Comparison) -> bool:
    has_drop = row.normalised is not None or row.denominator_within_noise
    return has_drop and row.metric not in (PROBABILITY, RANK, EXTRACTION)


def _placebos(scores: Sequence[Scores], set_name: str, metric: str) -> Iterator[float]:
    for s in scores:
        for name in filter(is_placebo, s.of_role("control")):
            row = s.comparison(name, set_name, metric)
            if row is not None and math.isfinite(row.delta):
                yield row.delta


def _value(scores: Sequence[Scores], system: str, set_name: str, metric: str) -> float | None:
    rows = [row for s in scores if (row := s.row(system, set_name, metric)) is not None]
    return _mean([row.value for row in rows]) if rows else None


def _means(rows: Sequence[Comparison], names: Sequence[str]) -> dict[str, Any]:
    """Means of fields that may be None; None where any seed has none."""
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    return {name: None if None in values else _mean(values) for name, values in columns.items()}


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def _knowledge(config: ReproductionConfig, store: StageStore, finished: Callable[[str], bool]) -> Knowledge:
    def answered(name: str) -> list[Answered] | None:
        return store.result(name)["answered"] if finished(name) else None

    return Knowledge(
        Questions.read(config.knowledge),
        answered(PLAIN_MODEL),
        answered(CODEBOOK_MODEL),
        {
            u: read_forgotten(store.result(s), str(store.path(s)))
            for u in units(config)
            if finished(s := forgotten_name(u))
        },
    )
