"""From the translations of one topic and seed to its scores: every row on every set, differences, placebos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import interval, resample
from codeunlearn.evaluation.metrics.base import AnswerMetric as Metric
from codeunlearn.evaluation.metrics.base import Score, score_all
from codeunlearn.evaluation.protocol import (
    BEFORE,
    ZERO_SHOT,
    DeltaRow,
    MetricsFor,
    ScoreRow,
    delta_row,
    metrics_of,
    score_row,
)
from codeunlearn.evaluation.test_sets import RETAIN, TestSet
from codeunlearn.files import write_json
from codeunlearn.validation import NumberOrNan, validated

GOLD = "gold"
_Scores = dict[tuple[str, str], dict[str, Score]]
KnowledgeOf = Callable[[str, TestSet], Mapping[str, Score]]
"""Scores of a row (by its name) on a set that are not read off translations, such as the probability of the references."""


def deletion_name(s_prime: int) -> str:
    """The row of the codebook model with the codes of this S' deleted."""
    return f"S'={s_prime}"


@dataclass(frozen=True)
class Translations:
    """All translations of one topic and seed, in the order of the sets.

    Attributes:
        tests: the sets.
        before: by the codebook model.
        systems: by other models, by name.
        deleted: by the codebook model with codes deleted, by `deletion_name`.
        codes: how many codes these are.
        placebos: with random codes deleted, one list for each draw.
        placebo_use: tokens that select the topic's codes (``topic``) and the random ones on average (``placebo``).
    """

    tests: list[TestSet]
    before: list[str]
    systems: dict[str, list[str]]
    deleted: dict[str, list[str]]
    codes: dict[str, int]
    placebos: list[list[str]]
    placebo_use: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; of a deletion only the translations that it changed."""
        return {
            **{name: getattr(self, name) for name in ("before", "systems", "codes", "placebo_use")},
            "tests": [
                {"name": t.name, "words": t.words, "examples": [asdict(pair) for pair in t.examples]}
                for t in self.tests
            ],
            "deleted": {name: self._changed(texts) for name, texts in self.deleted.items()},
            "placebos": [self._changed(texts) for texts in self.placebos],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "translations") -> Translations:
        """What `to_dict` gave, as it came back from a file.

        Args:
            where: the file, for the message.

        Raises:
            CodeUnlearnError: it is something else, or damaged.
        """
        saved = validated(_SavedTranslations, content, where)
        before = saved.before
        if len(before) != sum(len(test.examples) for test in saved.tests):
            raise CodeUnlearnError(f"{where} is damaged: it holds another number of translations than of sentences.")

        def whole(changed: Mapping[int, str]) -> list[str]:
            return [changed.get(place, text) for place, text in enumerate(before)]

        return cls(
            tests=saved.tests,
            before=before,
            systems=saved.systems,
            deleted={name: whole(changed) for name, changed in saved.deleted.items()},
            codes=saved.codes,
            placebos=[whole(changed) for changed in saved.placebos],
            placebo_use=saved.placebo_use,
        )

    def of(self, texts: Sequence[str], test: TestSet) -> list[str]:
        """The part of ``texts`` that belongs to a set."""
        start = sum(len(t.examples) for t in self.tests[: self.tests.index(test)])
        return list(texts[start : start + len(test.examples)])

    def _changed(self, texts: Sequence[str]) -> dict[str, str]:
        return {str(i): new for i, (new, old) in enumerate(zip(texts, self.before, strict=True)) if new != old}


@dataclass(frozen=True)
class _SavedTranslations:
    """The file of `Translations`: of a deletion only what it changed, by the sentence's place."""

    tests: list[TestSet]
    before: list[str]
    systems: dict[str, list[str]]
    deleted: dict[str, dict[int, str]]
    codes: dict[str, int]
    placebos: list[dict[int, str]]
    placebo_use: dict[str, float]


@dataclass(frozen=True)
class Change(DeltaRow):
    """What deleting the codes of one S' changed, beside what it changed on unrelated sentences.

    Attributes:
        system: see `deletion_name`.
        beyond_retain: the difference minus that on D_R (a difference in differences), with its interval; None on D_R.
    """

    system: str = ""
    beyond_retain: float | None = None
    beyond_retain_low: float | None = None
    beyond_retain_high: float | None = None


@dataclass(frozen=True)
class PlaceboDeltas:
    """What deleting random codes changed: one difference to the codebook model for each draw."""

    set: str
    metric: str
    deltas: list[NumberOrNan]


@dataclass(frozen=True)
class UnitScores:
    """All scores of one topic and seed.

    Attributes:
        topic: name of the topic.
        seed: of sentences, controls and placebos.
        pools: ``disjoint`` or ``paper``.
        sizes: sentences per set.
        codes: deleted codes by row.
        scores: every model on every set.
        changes: every deletion against the codebook model.
        placebos: the random deletions.
        placebo_use: see `Translations`.
    """

    topic: str
    seed: int
    pools: str
    sizes: dict[str, int]
    codes: dict[str, int]
    scores: list[ScoreRow]
    changes: list[Change]
    placebos: list[PlaceboDeltas]
    placebo_use: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "scores") -> UnitScores:
        """As `Translations.from_dict`."""
        return validated(cls, content, where)

    def score(self, system: str, set_name: str, metric: str) -> ScoreRow | None:
        return self._score_by_place.get((system, set_name, metric))

    def change(self, system: str, set_name: str, metric: str) -> Change | None:
        return self._change_by_place.get((system, set_name, metric))

    @cached_property
    def _score_by_place(self) -> dict[tuple[str, str, str], ScoreRow]:
        return {(row.system, row.set, row.metric): row for row in self.scores}

    @cached_property
    def _change_by_place(self) -> dict[tuple[str, str, str], Change]:
        return {(row.system, row.set, row.metric): row for row in self.changes}


@dataclass(frozen=True)
class SentenceScores:
    """Scores sentence by sentence, in the form of open-unlearning's evaluation logs.

    Attributes:
        systems: by system, then by ``SET_METRIC``, an ``agg_value`` and the ``value_by_index``.
    """

    systems: dict[str, dict[str, Any]]

    def save(self, folder: Path) -> None:
        """One ``SYSTEM.json`` for each system, and the ``agg_value`` of all in ``SUMMARY.json``."""
        for system, metrics in self.systems.items():
            write_json(folder / f"{system.replace(chr(39), '').replace('=', '-')}.json", metrics)
        summary = {s: {name: m["agg_value"] for name, m in metrics.items()} for s, metrics in self.systems.items()}
        write_json(folder / "SUMMARY.json", summary)


def score_translations(
    translations: Translations, topic: str, seed: int, pools: str, *, extras: MetricsFor, knowledge: KnowledgeOf
) -> tuple[UnitScores, SentenceScores]:
    """Scores every row on every set.

    Args:
        extras: metrics beside those of `TestSet.metrics`, for all rows, placebos included.
        knowledge: what else is measured, for all rows but placebos.
    """
    texts = {BEFORE: translations.before, **translations.systems, **translations.deleted}
    tests = translations.tests
    metrics = {t.name: {**metrics_of(t), **extras(t)} for t in tests}
    scores: _Scores = {
        (system, t.name): {
            **score_all(translations.of(lines, t), t.references, metrics[t.name]),
            **knowledge(system, t),
        }
        for system, lines in texts.items()
        for t in tests
    }
    changes = [
        change for system in translations.deleted for t in tests for change in _changes(scores, system, t.name, seed)
    ]
    result = UnitScores(
        topic=topic,
        seed=seed,
        pools=pools,
        sizes={t.name: len(t.examples) for t in tests},
        codes=translations.codes,
        scores=[
            score_row(s, t.name, score, seed) for s in texts for t in tests for score in scores[s, t.name].values()
        ],
        changes=changes,
        placebos=[p for t in tests for p in _placebo_deltas(translations, t, metrics[t.name], scores[BEFORE, t.name])],
        placebo_use=translations.placebo_use,
    )
    return result, _by_sentence(scores, list(texts), tests)


def _changes(scores: _Scores, system: str, set_name: str, seed: int) -> list[Change]:
    before, after = scores[BEFORE, set_name], scores[system, set_name]
    zero = scores.get((ZERO_SHOT, set_name), {})
    found: list[Change] = []
    for metric, old in before.items():
        row = delta_row(set_name, old, after[metric], zero.get(metric) if old.is_quality else None, seed)
        beyond = _beyond_retain(scores, system, set_name, metric, seed)
        fields_of_row: dict[str, Any] = {**asdict(row), "system": system, **beyond}
        found.append(Change(**fields_of_row))
    return found


def _beyond_retain(scores: _Scores, system: str, set_name: str, metric: str, seed: int) -> dict[str, float]:
    """The two sets hold different sentences, so their samples are drawn with different seeds."""
    retained = scores.get((BEFORE, RETAIN), {})
    if set_name == RETAIN or metric not in retained:
        return {}

    def change(of: str, draw: int) -> Any:
        return resample(scores[system, of][metric].sums, seed=draw) - resample(
            scores[BEFORE, of][metric].sums, seed=draw
        )

    bounds = interval(change(set_name, seed).minus_independent(change(RETAIN, seed + 1)))
    return {
        "beyond_retain": bounds.value,
        "beyond_retain_low": bounds.low,
        "beyond_retain_high": bounds.high,
    }


def _placebo_deltas(
    translations: Translations, test: TestSet, metrics: Mapping[str, Metric], before: Mapping[str, Score]
) -> list[PlaceboDeltas]:
    drawn = [score_all(translations.of(lines, test), test.references, metrics) for lines in translations.placebos]
    return [
        PlaceboDeltas(test.name, metric, [scores[metric].value - before[metric].value for scores in drawn])
        for metric in metrics
        if drawn
    ]


def _by_sentence(scores: _Scores, systems: Sequence[str], tests: Sequence[TestSet]) -> SentenceScores:
    found: dict[str, dict[str, Any]] = {}
    for system in systems:
        found[system] = {}
        for t in tests:
            for metric, score in scores[system, t.name].items():
                values = score.per_sentence or []
                by_index = {str(i): {metric: value} for i, value in enumerate(values)}
                found[system][f"{t.name}_{metric}"] = {"agg_value": score.value, "value_by_index": by_index}
    return SentenceScores(found)
