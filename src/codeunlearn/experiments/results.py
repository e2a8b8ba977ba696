"""What finished stages left, read together, and its means over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeunlearn.evaluation.metrics.knowledge import EXTRACTION, PROBABILITY, RANK
from codeunlearn.evaluation.protocol import PLAIN, RECALL, ZERO_SHOT, ScoreRow, TopicEvaluation
from codeunlearn.experiments.ablations import AblationResult, result_name, variants
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.paper import numbers as paper
from codeunlearn.experiments.scores import GOLD, Change, Translations, UnitScores, deletion_name
from codeunlearn.experiments.stages import StageStore
from codeunlearn.experiments.units import Unit, searches, units
from codeunlearn.reporting.labels import metric_order
from codeunlearn.validation import validated

JUDGED_FROM = 20.0
"""A topic whose word a model translates more rarely than this, in per cent, cannot be judged."""


@dataclass(frozen=True)
class Search:
    """One timed search: its S', its seconds, and how many sentences it read beside as many controls."""

    topic: str
    seed: int
    s_prime: int
    seconds: float
    sentences: int
    codes: int


@dataclass(frozen=True)
class Cell:
    """One metric on one set of one topic with the codes of one S' deleted: means over seeds.

    Intervals are means of the seeds' bootstrap intervals, which cover the choice of test sentences; ``spread`` is the
    standard deviation over seeds. Of the placebo there is the mean and the middle 95 % of all draws.

    Attributes:
        n: sentences, the fewest of any seed.
        codes: deleted codes.
        normalised: the paper's drop in per cent, and its interval; None where it is not defined.
        within_noise: in some seed the codebook model was not surely better than the zero-shot model.
        beyond_retain: difference in differences to D_R.
        paper: the paper's normalised drop.
    """

    topic: str
    set: str
    metric: str
    s_prime: int
    seeds: int
    n: int
    codes: float
    zero_shot: float | None
    plain: float | None
    codebook: float
    unlearned: float
    gold: float | None
    delta: float
    low: float
    high: float
    spread: float | None
    beyond_retain: float | None
    beyond_retain_low: float | None
    beyond_retain_high: float | None
    normalised: float | None
    normalised_low: float | None
    normalised_high: float | None
    within_noise: bool
    placebo: float | None
    placebo_low: float | None
    placebo_high: float | None
    paper: float | None


@dataclass(frozen=True)
class Results:
    """All finished results of a reproduction.

    Attributes:
        scores: by unit.
        translations: by unit.
        searches: all timed searches.
        quality: how well the models translate, one evaluation for each seed of the models.
        ablations: the variants of the codebook model, the reference first.
        missing: stages that are not finished.
    """

    config: ReproductionConfig
    scores: dict[Unit, UnitScores]
    translations: dict[Unit, Translations]
    searches: list[Search]
    quality: list[TopicEvaluation]
    ablations: list[AblationResult]
    missing: list[str]

    @classmethod
    def load(cls, config: ReproductionConfig, store: StageStore) -> Results:
        missing: list[str] = []

        def finished(name: str) -> bool:
            if not store.is_finished(name):
                missing.append(name)
            return store.is_finished(name)

        def place(name: str) -> str:
            return str(store.path(name))

        found = units(config)
        quality_stages = [f"quality-{seed}" for seed in config.model_seeds]
        return cls(
            config,
            {u: UnitScores.from_dict(store.result(s), place(s)) for u in found if finished(s := f"{u.name}/scores")},
            {
                u: Translations.from_dict(store.result(s), place(s))
                for u in found
                if finished(s := f"{u.name}/translations")
            },
            [search for u in found if finished(f"{u.name}/search") for search in _searches(u, store)],
            [validated(TopicEvaluation, store.result(name), place(name)) for name in quality_stages if finished(name)],
            [
                AblationResult.from_dict(variant.name, store.result(name), place(name))
                for variant in variants(config)
                if finished(name := result_name(variant.name))
            ],
            missing,
        )

    def of_topic(self, word: str, pools: str = "disjoint") -> list[UnitScores]:
        """The scores of a topic, one for each seed; with the paper's pools where there are no others."""
        choice = pools if pools in self.config.search.pools else self.config.search.pools[0]
        return [s for u, s in self.scores.items() if u.topic.word == word and u.pools == choice]

    def translations_of(self, word: str) -> Translations | None:
        """Those of the first finished seed."""
        choice = self.config.search.pools[0]
        return next((t for u, t in self.translations.items() if u.topic.word == word and u.pools == choice), None)

    def cell(self, word: str, set_name: str, metric: str, s_prime: int, pools: str = "disjoint") -> Cell | None:
        """Means over the finished seeds; None if no seed has this."""
        system = deletion_name(s_prime)
        scores = [s for s in self.of_topic(word, pools) if s.change(system, set_name, metric) is not None]
        if not scores:
            return None
        changes = [change for s in scores if (change := s.change(system, set_name, metric)) is not None]
        placebo = _placebo(scores, set_name, metric) if s_prime == self.config.scores.s_prime else []
        return Cell(
            topic=word,
            set=set_name,
            metric=metric,
            s_prime=s_prime,
            seeds=len(scores),
            n=min(s.sizes[set_name] for s in scores),
            codes=_mean([s.codes[system] for s in scores]),
            zero_shot=_value(scores, ZERO_SHOT, set_name, metric),
            plain=_value(scores, PLAIN, set_name, metric),
            codebook=_mean([c.before for c in changes]),
            unlearned=_mean([c.after for c in changes]),
            gold=_value(scores, GOLD, set_name, metric),
            delta=_mean([c.delta for c in changes]),
            low=_mean([c.low for c in changes]),
            high=_mean([c.high for c in changes]),
            spread=statistics.stdev([c.delta for c in changes]) if len(changes) > 1 else None,
            **_means(changes, ("beyond_retain", "beyond_retain_low", "beyond_retain_high")),
            **_means(changes, ("normalised", "normalised_low", "normalised_high")),
            within_noise=any(c.denominator_within_noise for c in changes),
            placebo=_mean(placebo) if placebo else None,
            placebo_low=float(np.quantile(placebo, 0.025)) if placebo else None,
            placebo_high=float(np.quantile(placebo, 0.975)) if placebo else None,
            paper=paper.drop(word, set_name, metric),
        )

    def sets(self, word: str) -> list[str]:
        return list(dict.fromkeys(name for s in self.of_topic(word) for name in s.sizes))

    def metrics(self, *, quality: bool = False) -> list[str]:
        """Names of the metrics in their order, recall left out; of quality those of translations that have a normalised drop."""
        rows = (c for s in self.scores.values() for c in s.changes)
        known = {c.metric for c in rows if c.metric != RECALL and (not quality or _grades_translations(c))}
        return sorted(known, key=metric_order)

    def quality_rows(self, system: str, metric: str) -> list[ScoreRow]:
        return [r for e in self.quality for r in e.scores if (r.system, r.metric) == (system, metric)]


def _searches(unit: Unit, store: StageStore) -> list[Search]:
    return [
        Search(unit.topic.word, unit.seed, found.s_prime, found.seconds, found.sentences, len(found.forget_set))
        for found in searches(store, unit)
    ]


def _grades_translations(change: Change) -> bool:
    has_drop = change.normalised is not None or change.denominator_within_noise
    return has_drop and change.metric not in (PROBABILITY, RANK, EXTRACTION)


def _placebo(scores: Iterable[UnitScores], set_name: str, metric: str) -> list[float]:
    drawn = [p for s in scores for p in s.placebos if (p.set, p.metric) == (set_name, metric)]
    return [delta for p in drawn for delta in p.deltas if math.isfinite(delta)]


def _value(scores: Sequence[UnitScores], system: str, set_name: str, metric: str) -> float | None:
    rows = [row for s in scores if (row := s.score(system, set_name, metric)) is not None]
    return _mean([row.value for row in rows]) if rows else None


def _means(changes: Sequence[Change], names: Sequence[str]) -> dict[str, Any]:
    """Means of fields that may be None; None where any seed has none."""
    columns = {name: [getattr(change, name) for change in changes] for name in names}
    return {name: None if None in values else _mean(values) for name, values in columns.items()}


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan
