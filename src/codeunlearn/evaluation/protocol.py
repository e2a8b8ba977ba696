"""Scores of a topic's sets by several systems, before and after forgetting, with what belongs beside them.

The sets come from the test pool: D'_T (sentences with the topic), D_R (equally many without it) and each neighbour.
Every difference is paired, on the same sentences, with a bootstrap interval; the paper's normalised improvement drop
(section 3.7) stands beside the raw difference and says when its denominator is within noise. What forgetting took from
D'_T beyond what it took from another set is a difference in differences, of two independent sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from codeunlearn.evaluation.bootstrap import Resampled, interval, ratio, resample, wilson_interval
from codeunlearn.evaluation.metrics.base import AnswerMetric as Metric
from codeunlearn.evaluation.metrics.base import Score, score_all
from codeunlearn.evaluation.metrics.french.meteor import meteor_fr
from codeunlearn.evaluation.metrics.french.words import french_share
from codeunlearn.evaluation.metrics.lexical import LEXICAL, topic_word_recall
from codeunlearn.evaluation.test_sets import FORGET, TestSet
from codeunlearn.files import write_json
from codeunlearn.validation import NumberOrNan, read_state

BEFORE, AFTER, PLAIN, ZERO_SHOT = "codebook", "unlearned", "plain", "zero-shot"
RECALL = "topic_word_recall"
EMPTY_IS_ZERO = frozenset({"bleu", "chrf", "ter", "meteor_fr"})
"""Metrics on whose scale an empty translation is worth nothing, so that it can stand for a missing zero-shot model."""

METRICS = {**LEXICAL, "meteor_fr": meteor_fr, "french_share": french_share}
Translator = Callable[[Sequence[str]], list[str]]


def metrics_of(test: TestSet) -> dict[str, Metric]:
    recall = {RECALL: partial(topic_word_recall, words=test.words)} if test.words else {}
    return {**METRICS, **recall}


MetricsFor = Callable[[TestSet], Mapping[str, Metric]]
"""Further metrics of a set, bound to what they need of it beyond hypotheses and references, such as its sources."""

Probe = Callable[[TestSet], Mapping[str, Score]]
"""Scores of a system that are not read off its translations, such as the probability it gives to the references."""


@dataclass(frozen=True)
class ScoreRow:
    """One metric of one system on one set, with its 95 % interval: bootstrap, or Wilson's at a rate of 0 or 100."""

    system: str
    set: str
    metric: str
    value: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan
    count: int
    signature: str


@dataclass(frozen=True)
class DeltaRow:
    """What forgetting changed: unlearned minus codebook model, paired, with 95 % bootstrap intervals.

    Attributes:
        normalised: the paper's improvement drop in per cent: 0 is the codebook model, -100 the zero-shot model, also
            where lower is better. None for metrics that do not measure quality, and where there is no zero point.
        denominator_within_noise: the codebook model is not surely better than the zero-shot model, so ``normalised``
            says nothing.
    """

    set: str
    metric: str
    before: NumberOrNan
    after: NumberOrNan
    delta: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan
    normalised: float | None = None
    normalised_low: float | None = None
    normalised_high: float | None = None
    denominator_within_noise: bool = False


@dataclass(frozen=True)
class ContrastRow:
    """What forgetting changed on D'_T beyond what it changed on another set, with a 95 % bootstrap interval.

    Attributes:
        set: the other set, ``retain`` or a neighbour.
        difference: the delta on D'_T minus the delta on ``set``, in the metric's units. Forgetting that is selective
            keeps it clear of 0; the two sets have no sentence in common and are resampled independently.
    """

    set: str
    metric: str
    difference: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan


@dataclass(frozen=True)
class Sample:
    """One sentence, its reference, and each system's translation."""

    set: str
    source: str
    reference: str
    translations: dict[str, str]


@dataclass(frozen=True)
class TopicEvaluation:
    """All scores of one topic.

    Attributes:
        topic: name of the topic.
        target_words: its words on the target side, whose recall is measured.
        sizes: sentences per set.
        zero_point: what stands for the zero-shot model in normalised drops.
        scores: every system on every set.
        deltas: unlearned against codebook model; empty when only one of them was scored.
        examples: a few sentences of each set.
        contrasts: D'_T against each other set; empty where ``deltas`` is.
        details: settings, seed, forget sets, token cost, versions and machine.
    """

    topic: str
    target_words: tuple[str, ...]
    sizes: dict[str, int]
    zero_point: str
    scores: list[ScoreRow]
    deltas: list[DeltaRow]
    examples: list[Sample]
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    contrasts: list[ContrastRow] = field(default_factory=list[ContrastRow])

    def score(self, system: str, set_name: str, metric: str) -> float:
        for row in self.scores:
            if (row.system, row.set, row.metric) == (system, set_name, metric):
                return row.value
        raise KeyError((system, set_name, metric))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def save(self, path: Path) -> None:
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> TopicEvaluation:
        """Reads what `save` wrote; keys that it does not know are left out.

        Raises:
            CodeUnlearnError: it holds something else, or is damaged.
        """
        return read_state(cls, path, "score the topic again with `codeunlearn evaluate`")


def evaluate_sets(
    topic: str,
    sets: Sequence[TestSet],
    systems: Mapping[str, Translator],
    *,
    examples: int = 8,
    seed: int = 0,
    details: dict[str, Any] | None = None,
    extras: MetricsFor | None = None,
    probes: Mapping[str, Probe] | None = None,
) -> TopicEvaluation:
    """Translates every set with every system and scores all of it.

    Args:
        topic: name of the topic.
        sets: see `TestSet`; the first one with words gives the topic's own words.
        systems: by name, ``codebook`` and ``unlearned`` for the two that are compared, ``zero-shot`` for the zero point
            of the normalised drop, any others for comparison.
        examples: sentences of each set to keep.
        seed: of the bootstrap.
        details: kept in the result.
        extras: metrics beside those of `TestSet.metrics`, see `extra_metrics.py`.
        probes: by system, what else is measured on it.
    """
    outputs = {name: _translate_all(translator, sets) for name, translator in systems.items()}
    scores: dict[tuple[str, str], dict[str, Score]] = {}
    for s in sets:
        metrics = {**metrics_of(s), **(extras(s) if extras else {})}
        for name in systems:
            probe = (probes or {}).get(name)
            found = score_all(outputs[name][s.name], s.references, metrics)
            scores[name, s.name] = {**found, **(probe(s) if probe else {})}
    zero = _zero_scores(scores, sets)
    rows = [
        score_row(name, s.name, score, seed)
        for name in systems
        for s in sets
        for score in scores[name, s.name].values()
    ]
    deltas: list[DeltaRow] = []
    contrasts: list[ContrastRow] = []
    if BEFORE in systems and AFTER in systems:
        for s in sets:
            before, after = scores[BEFORE, s.name], scores[AFTER, s.name]
            deltas += [delta_row(s.name, before[m], after[m], zero[s.name].get(m), seed) for m in before if m in after]
        contrasts = _contrasts(scores, [s.name for s in sets], seed)
    return TopicEvaluation(
        topic=topic,
        target_words=next((s.words for s in sets if s.words), ()),
        sizes={s.name: len(s.examples) for s in sets},
        zero_point=ZERO_SHOT if ZERO_SHOT in systems else "empty translations (no zero-shot model was given)",
        scores=rows,
        deltas=deltas,
        examples=[example for s in sets for example in _examples(s, outputs, examples)],
        details=details or {},
        contrasts=contrasts,
    )


def _translate_all(translator: Translator, sets: Sequence[TestSet]) -> dict[str, list[str]]:
    """All sets in one go, so that batches fill up; then cut apart again."""
    texts = translator([source for s in sets for source in s.prompts])
    ends = [sum(len(s.examples) for s in sets[: i + 1]) for i in range(len(sets))]
    return {s.name: texts[end - len(s.examples) : end] for s, end in zip(sets, ends, strict=True)}


def _zero_scores(
    scores: Mapping[tuple[str, str], dict[str, Score]], sets: Sequence[TestSet]
) -> dict[str, dict[str, Score]]:
    """Quality scores of the zero-shot model on each set, or those of empty translations where these say something."""
    return {
        s.name: {m: score for m, score in scores[ZERO_SHOT, s.name].items() if score.is_quality}
        if (ZERO_SHOT, s.name) in scores
        else score_all([""] * len(s.examples), s.references, {name: METRICS[name] for name in sorted(EMPTY_IS_ZERO)})
        for s in sets
    }


def score_row(system: str, set_name: str, score: Score, seed: int) -> ScoreRow:
    """A score with its interval."""
    bounds = interval(resample(score.sums, seed=seed))
    low, high = bounds.low, bounds.high
    if score.is_rate and score.count and score.value in (0.0, 100.0):
        low, high = (100 * bound for bound in wilson_interval(score.value / 100, score.count))
    return ScoreRow(system, set_name, score.name, score.value, low, high, score.count, score.signature)


def delta_row(set_name: str, before: Score, after: Score, zero: Score | None, seed: int) -> DeltaRow:
    """The paired difference of two scores; ``zero`` is the zero-shot model's, None for no normalised drop."""
    old, new = resample(before.sums, seed=seed), resample(after.sums, seed=seed)
    change = interval(new - old)
    row = {"before": before.value, "after": after.value, "delta": change.value, "low": change.low, "high": change.high}
    return DeltaRow(set_name, before.name, **row, **_normalised(old, new, zero, seed))


def _normalised(old: Resampled, new: Resampled, zero: Score | None, seed: int) -> dict[str, Any]:
    if zero is None:
        return {}
    floor = resample(zero.sums, seed=seed)
    # The denominator is what training gained, positive also where lower is better.
    drop = ratio(new - old, old - floor) if zero.higher_is_better else ratio(old - new, floor - old)
    return {
        "normalised": _percent(drop.interval.value),
        "normalised_low": _percent(drop.interval.low),
        "normalised_high": _percent(drop.interval.high),
        "denominator_within_noise": drop.denominator_within_noise,
    }


def _contrasts(scores: Mapping[tuple[str, str], dict[str, Score]], sets: Sequence[str], seed: int) -> list[ContrastRow]:
    """The change of every metric on D'_T minus its change on each other set; nothing without D'_T."""
    if FORGET not in sets:
        return []

    def changes(name: str, metric: str) -> Resampled:
        # Sets other than D'_T need a seed of their own, so that their samples are independent of it.
        own = seed if name == FORGET else seed + 1
        return resample(scores[AFTER, name][metric].sums, seed=own) - resample(
            scores[BEFORE, name][metric].sums, seed=own
        )

    rows: list[ContrastRow] = []
    for metric in scores[BEFORE, FORGET]:
        others = [name for name in sets if name != FORGET and metric in scores[BEFORE, name]]
        if not others or metric not in scores[AFTER, FORGET]:
            continue
        of_topic = changes(FORGET, metric)
        for name in others:
            beyond = interval(of_topic.minus_independent(changes(name, metric)))
            rows.append(ContrastRow(name, metric, beyond.value, beyond.low, beyond.high))
    return rows


def _percent(share: float) -> float | None:
    """Per cent; None for an unbounded end of an interval, which JSON cannot hold."""
    return 100 * share if math.isfinite(share) else None


def _examples(s: TestSet, outputs: Mapping[str, dict[str, list[str]]], count: int) -> list[Sample]:
    return [
        Sample(s.name, pair.prompt, pair.answer, {name: texts[s.name][i] for name, texts in outputs.items()})
        for i, pair in enumerate(s.examples[:count])
    ]
