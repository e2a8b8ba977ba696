"""The whole curve of what a topic loses against what the rest loses, from few deleted codes to many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from codeunlearn.codebook import DeletionMode
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import interval, ratio, resample, wilson_interval
from codeunlearn.evaluation.metrics.base import Score
from codeunlearn.evaluation.metrics.lexical import chrf, degenerate_rate, topic_word_recall
from codeunlearn.evaluation.retranslate import Retranslator
from codeunlearn.evaluation.rows import write_csv
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.files import named_after, write_json
from codeunlearn.unlearning import ForgetSet
from codeunlearn.validation import NumberOrNan, read_state, validated


@dataclass(frozen=True)
class CurvePoint:
    """One forget set; differences are to the model with nothing deleted, with paired 95 % intervals.

    Attributes:
        codes: deleted codes.
        s_prime: S' of the search.
        recall: topic-word recall in the output on the topic's sentences, per cent.
        topic_loss: what of the recall is gone, per cent of what it was.
        forget_chrf_delta: change of chrF on the topic's sentences.
        retain_chrf_delta: change of chrF on unrelated sentences.
        retain_changed: unrelated sentences whose translation changed, per cent.
        degenerate: outputs on the topic's sentences that loop or break off, per cent.
        topic_loss_low: lower end of the loss's interval; None where nothing says how sure it is.
        topic_loss_high: upper end.
    """

    codes: int
    s_prime: int
    recall: NumberOrNan
    recall_low: NumberOrNan
    recall_high: NumberOrNan
    topic_loss: NumberOrNan
    forget_chrf_delta: NumberOrNan
    retain_chrf_delta: NumberOrNan
    retain_low: NumberOrNan
    retain_high: NumberOrNan
    retain_changed: NumberOrNan
    degenerate: NumberOrNan
    topic_loss_low: float | None = None
    topic_loss_high: float | None = None


@dataclass(frozen=True)
class TradeOff:
    """The curve of one topic, fewest codes first.

    Attributes:
        recall_before: topic-word recall with nothing deleted, per cent.
    """

    topic: str
    preset: str
    recall_before: NumberOrNan
    n_forget: int
    n_retain: int
    points: list[CurvePoint]
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def at_loss(self, topic_loss: float) -> CurvePoint | None:
        """The point with the fewest codes at which the topic has lost so many per cent; None where none has.

        A choice: what it costs is to be measured on other sentences than those of this curve.
        """
        reached = [point for point in self.points if point.topic_loss >= topic_loss]
        return min(reached, key=lambda point: point.codes, default=None)

    def within(self, budget: float) -> CurvePoint | None:
        """The point at which the topic has lost most while unrelated text loses at most ``budget`` chrF; None for none."""
        allowed = [point for point in self.points if point.retain_chrf_delta >= -budget]
        return min(allowed, key=lambda point: (point.recall, point.codes), default=None)

    def save(self, path: Path) -> None:
        """JSON at ``path``, and CSV beside it."""
        write_csv(named_after(path, ".csv"), CurvePoint, self.points)
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> TradeOff:
        """Reads what `save` wrote.

        Raises:
            CodeUnlearnError: it holds something else, or is damaged.
        """
        return read_state(cls, path, "make the curve again")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TradeOff:
        """The curve in the content of a file.

        Raises:
            CodeUnlearnError: it holds something else.
        """
        return validated(cls, content, "The curve")


def beginnings(forget_set: ForgetSet, sizes: Sequence[int]) -> list[ForgetSet]:
    """Forget sets of the first codes alone, of these sizes, and of all codes."""
    kept = sorted({min(size, len(forget_set)) for size in (*sizes, len(forget_set)) if min(size, len(forget_set))})
    return [replace(forget_set, ids=forget_set.ids[:size], evidence=forget_set.evidence[:size]) for size in kept]


def trade_off(
    translations: Retranslator,
    forget_sets: Sequence[ForgetSet],
    forget: TestSet,
    retain: TestSet,
    *,
    mode: DeletionMode | None = None,
    seed: int = 0,
    enough: float | None = None,
    details: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TradeOff:
    """Scores the model with every forget set in turn.

    Args:
        translations: of the sources of ``forget`` and then of ``retain``.
        mode: what happens to the slots of deleted codes; the model's own way when absent.
        enough: no further set is tried once the topic has lost so many per cent.

    Raises:
        CodeUnlearnError: there are no forget sets, or no words of the topic to look for.
    """
    if not forget_sets:
        raise CodeUnlearnError("There are no codes to delete, so there is no curve.")
    require_words(forget, forget_sets[0].topic)
    base = _Scored(translations.before, forget, retain)
    points: list[CurvePoint] = []
    for forget_set in forget_sets:
        points.append(_point(forget_set, base, _Scored(translations.after(forget_set, mode), forget, retain), seed))
        if progress is not None:
            progress(len(points), len(forget_sets))
        if enough is not None and points[-1].topic_loss >= enough:
            break
    return TradeOff(
        forget_sets[0].topic,
        forget_sets[0].preset or "",
        base.recall.value,
        len(forget.examples),
        len(retain.examples),
        points,
        details or {},
    )


def require_words(forget: TestSet, topic: str) -> None:
    """Whether the topic's words can be looked for in translations of these sentences.

    Raises:
        CodeUnlearnError: there are no words, or no reference holds one.
    """
    holds = WholeWords(forget.words)
    if not forget.words:
        raise CodeUnlearnError(
            f"What is left of {topic!r} is measured by its words on the target side, and none are known; give them: "
            "--target-words."
        )
    if not any(holds(reference) for references in forget.references for reference in references):
        raise CodeUnlearnError(
            f"No reference of the sentences on {topic!r} holds a target word of it; give others: --target-words."
        )


class _Scored:
    """The scores of one state of the model."""

    def __init__(self, outputs: Sequence[str], forget: TestSet, retain: TestSet) -> None:
        self.of_topic, self.of_rest = outputs[: len(forget.examples)], outputs[len(forget.examples) :]
        self.recall = topic_word_recall(self.of_topic, forget.references, words=forget.words)
        self.forget_chrf = chrf(self.of_topic, forget.references)
        self.retain_chrf = chrf(self.of_rest, retain.references)
        self.degenerate = degenerate_rate(self.of_topic, forget.references)


def _point(forget_set: ForgetSet, before: _Scored, after: _Scored, seed: int) -> CurvePoint:
    change = interval(resample(after.retain_chrf.sums, seed=seed) - resample(before.retain_chrf.sums, seed=seed))
    changed = sum(old != new for old, new in zip(before.of_rest, after.of_rest, strict=True))
    recall, loss = _recall_interval(after.recall), _loss_interval(before.recall, after.recall, seed)
    return CurvePoint(
        codes=len(forget_set),
        s_prime=forget_set.s_prime,
        recall=after.recall.value,
        recall_low=recall[0],
        recall_high=recall[1],
        topic_loss=_loss(before.recall, after.recall.value),
        forget_chrf_delta=after.forget_chrf.value - before.forget_chrf.value,
        retain_chrf_delta=change.value,
        retain_low=change.low,
        retain_high=change.high,
        retain_changed=100 * changed / max(1, len(after.of_rest)),
        degenerate=after.degenerate.value,
        topic_loss_low=loss[0],
        topic_loss_high=loss[1],
    )


def _loss(before: Score, recall: float) -> float:
    return 100 * (1 - recall / before.value) if before.value else 0.0


def _recall_interval(recall: Score) -> tuple[float, float]:
    low, high = wilson_interval(recall.value / 100, recall.count)
    return 100 * low, 100 * high


def _loss_interval(before: Score, after: Score, seed: int) -> tuple[float | None, float | None]:
    """Paired bootstrap of the quotient; Wilson's interval of the recall where every sample would be the same."""
    if after.value in (0.0, 100.0):
        low, high = _recall_interval(after)
        return (_loss(before, high), _loss(before, low)) if before.value else (None, None)
    old = resample(before.sums, seed=seed)
    lost = ratio(old - resample(after.sums, seed=seed), old).interval
    return (100 * lost.low, 100 * lost.high) if math.isfinite(lost.low) else (None, None)
