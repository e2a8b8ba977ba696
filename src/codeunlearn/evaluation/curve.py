"""What a topic loses against what the rest loses, from one step of a recipe to the next: few deleted codes to many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from codeunlearn.codebook import DeletionMode
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import ratio, resample
from codeunlearn.evaluation.comparing import closed_row, comparison_of, row_of
from codeunlearn.evaluation.metrics.base import Outputs, Score
from codeunlearn.evaluation.metrics.knowledge import control_probability, words_probability
from codeunlearn.evaluation.metrics.lexical import bleu, chrf, degenerate_rate, topic_word_recall
from codeunlearn.evaluation.reached import Reached
from codeunlearn.evaluation.rows import write_csv
from codeunlearn.evaluation.systems import System
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, TestSet
from codeunlearn.files import named_after, write_json
from codeunlearn.tasks.base import Task, View
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.unlearning import ForgetSet
from codeunlearn.validation import NumberOrNan, read_state, validated

_MEND = "make the curve again"


@dataclass(frozen=True)
class Point:
    """One step; differences are to the model with nothing deleted, with paired 95 % intervals.

    Attributes:
        size: of the step: S' or a number of codes.
        label: the step in words.
        codes: deleted codes.
        s_prime: S' of the search.
        closed: share of the way from the probability of the topic's words before to that under the control prompt, per
            cent; None where it was not measured or is not defined.
        probability: of the topic's words in the answers, per cent.
        recall: topic-word recall in the output on the topic's sentences, per cent.
        topic_loss: what of the recall is gone, per cent of what it was.
        forget_chrf_delta: change of chrF on the topic's sentences.
        retain_chrf_delta: change of chrF on unrelated sentences; BLEU likewise.
        neighbour_chrf_delta: mean change of chrF over the neighbours' sets; None without neighbours.
        retain_changed: unrelated sentences whose answer changed, per cent.
        degenerate: outputs on the topic's sentences that loop or break off, per cent.
    """

    size: int
    label: str
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
    topic_loss_low: float | None = None
    topic_loss_high: float | None = None
    closed: float | None = None
    closed_low: float | None = None
    closed_high: float | None = None
    probability: float | None = None
    retain_bleu_delta: float | None = None
    neighbour_chrf_delta: float | None = None
    retain_changed: float | None = None
    degenerate: float | None = None

    def __post_init__(self) -> None:
        if len({bound is None for bound in (self.closed, self.closed_low, self.closed_high)}) > 1:
            raise ValueError("closed and its interval stand together")


@dataclass(frozen=True)
class Curve:
    """The curve of one topic, in the order of its recipe's steps.

    Attributes:
        recipe: name of the recipe.
        step_name: what the steps are: ``S'`` or ``codes``.
        recall_before: topic-word recall with nothing deleted, per cent.
        n_forget: sentences with the topic on which it was measured; ``n_retain`` without it, ``n_search`` for the search.
        probability_before: of the topic's words with nothing deleted, per cent; None where it was not measured.
        probability_control: the same under the control prompts.
    """

    topic: str
    recipe: str
    step_name: str
    recall_before: NumberOrNan
    n_forget: int
    n_retain: int
    points: list[Point]
    n_search: int | None = None
    probability_before: float | None = None
    probability_control: float | None = None
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def at(self, size: int) -> Point | None:
        """The point of the largest step of that size or less; None where every step is larger."""
        return max((point for point in self.points if point.size <= size), key=lambda point: point.size, default=None)

    def at_loss(self, topic_loss: float) -> Point | None:
        """The point with the fewest codes at which the topic has lost so many per cent; None where none has.

        A choice: what it costs is to be measured on other sentences than those of this curve.
        """
        reached = [point for point in self.points if point.topic_loss >= topic_loss]
        return min(reached, key=lambda point: point.codes, default=None)

    def within(self, budget: float) -> Point | None:
        """The point at which the topic has lost most while unrelated text loses at most ``budget`` chrF; None for none."""
        allowed = [point for point in self.points if point.retain_chrf_delta >= -budget]
        return min(allowed, key=lambda point: (point.recall, point.codes), default=None)

    def save(self, path: Path) -> None:
        """JSON at ``path``, and CSV beside it."""
        write_csv(named_after(path, ".csv"), Point, self.points)
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Curve:
        """Reads what `save` wrote, of older versions too.

        Raises:
            CodeUnlearnError: it holds something else, or is damaged.
        """
        content = read_state(dict[str, Any], path, _MEND)
        try:
            return cls.from_dict(content, str(path))
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{str(error).rstrip('.')}; {_MEND}.") from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "The curve") -> Curve:
        """The curve in the content of a file.

        Raises:
            CodeUnlearnError: it holds something else.
        """
        from codeunlearn.evaluation.older import older_curve

        return older_curve(content, where) or validated(cls, content, where)


class Step(Protocol):
    """A forget set on the way from few deleted codes to many."""

    @property
    def size(self) -> int: ...

    @property
    def label(self) -> str: ...

    @property
    def forget_set(self) -> ForgetSet: ...


def curve(
    task: Task,
    tests: Sequence[TestSet],
    base: System,
    steps: Sequence[Step],
    *,
    seed: int = 0,
    step_name: str = "codes",
    n_search: int | None = None,
    mode: DeletionMode | None = None,
    how: DecodingConfig | None = None,
    enough: float | None = None,
    details: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Curve:
    """Scores the model at every step, asking again only what its deletion can reach.

    Args:
        tests: ``forget`` and ``retain``; all others are neighbours.
        base: the model before.
        steps: of a recipe, such as `TopicSearch.steps`.
        seed: of the bootstrap.
        step_name: what the steps are.
        n_search: sentences of the search, for the record.
        mode: what happens to the slots of deleted codes; the model's own way when absent.
        how: how answers are generated.
        enough: no further step is tried once the topic has lost so many per cent.

    Raises:
        CodeUnlearnError: there are no steps, or no words of the topic to look for.
    """
    if not steps:
        raise CodeUnlearnError("There are no codes to delete, so there is no curve.")
    first = steps[0].forget_set
    by_name = {test.name: test for test in tests}
    require_words(by_name[FORGET], first.topic)
    points: list[Point] = []
    with base.open() as view:
        asking = _Asking(task, view, tests, how)
        before = asking.state(said := asking.ask(range(len(asking.prompts))))
        control = control_probability(Outputs(by_name[FORGET], [], task, view))
        reached = Reached(view, asking.prompts)
        for step in steps:
            after = asking.state(reached.after(step.forget_set, said, asking.ask, mode))
            points.append(_point(step, before, after, control, seed))
            if progress is not None:
                progress(len(points), len(steps))
            if enough is not None and points[-1].topic_loss >= enough:
                break
    return Curve(
        topic=first.topic,
        recipe=first.preset or "",
        step_name=step_name,
        recall_before=before.recall.value,
        n_forget=len(by_name[FORGET].examples),
        n_retain=len(by_name[RETAIN].examples),
        points=points,
        n_search=n_search,
        probability_before=before.probability.value,
        probability_control=control and control.value,
        details=details or {},
    )


def require_words(forget: TestSet, topic: str) -> None:
    """Whether the topic's words can be looked for in answers to these prompts.

    Raises:
        CodeUnlearnError: there are no words, or no right answer holds one.
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


class _Said(NamedTuple):
    """An answer, and what forced decoding finds for the wanted one; the latter on the topic's sentences alone."""

    text: str
    forced: ForcedTokens | None


class _State(NamedTuple):
    """What one state of the model says, scored."""

    texts: dict[str, list[str]]
    recall: Score
    probability: Score
    degenerate: Score
    chrf: dict[str, Score]
    retain_bleu: Score


class _Asking:
    """Asks a model the prompts of all tests by their places in a row, those of the topic first."""

    def __init__(self, task: Task, view: View, tests: Sequence[TestSet], how: DecodingConfig | None) -> None:
        self.task, self.view, self.how = task, view, how
        self.tests = sorted(tests, key=lambda test: test.name != FORGET)
        self.prompts = [prompt for test in self.tests for prompt in test.prompts]
        self._forget = Outputs(self.tests[0], [], task, view)

    def ask(self, places: Sequence[int]) -> list[_Said]:
        texts = self.task.answer(self.view, [self.prompts[i] for i in places], self.how).texts
        topical = [i for i in places if i < len(self._forget.prompts)]
        prompts, wanted = ([column[i] for i in topical] for column in (self._forget.prompts, self._forget.wanted))
        forced = self.task.forced(self.view, prompts, wanted, with_spans=True) if topical else []
        known = dict(zip(topical, forced, strict=True))
        return [_Said(text, known.get(i)) for i, text in zip(places, texts, strict=True)]

    def state(self, said: Sequence[_Said]) -> _State:
        texts: dict[str, list[str]] = {}
        start = 0
        for test in self.tests:
            texts[test.name] = [one.text for one in said[start : start + len(test.examples)]]
            start += len(test.examples)
        forget, references = self.tests[0], {test.name: test.references for test in self.tests}
        return _State(
            texts,
            topic_word_recall(texts[FORGET], references[FORGET], words=forget.words),
            words_probability(self._forget, [one.forced for one in said if one.forced is not None]),
            degenerate_rate(texts[FORGET], references[FORGET]),
            {name: chrf(texts[name], references[name]) for name in texts},
            bleu(texts[RETAIN], references[RETAIN]),
        )


def _point(step: Step, before: _State, after: _State, control: Score | None, seed: int) -> Point:
    recall = row_of("", FORGET, after.recall, seed)
    retained = comparison_of("", RETAIN, before.chrf[RETAIN], after.chrf[RETAIN], seed=seed)
    changed = sum(old != new for old, new in zip(before.texts[RETAIN], after.texts[RETAIN], strict=True))
    near = [after.chrf[name].value - before.chrf[name].value for name in after.chrf if name not in (FORGET, RETAIN)]
    closed = control and closed_row("", FORGET, before.probability, after.probability, control, seed)
    defined = closed if closed and math.isfinite(closed.value) else None
    loss_low, loss_high = _loss_interval(before.recall, after.recall, (recall.low, recall.high), seed)
    return Point(
        size=step.size,
        label=step.label,
        codes=len(step.forget_set),
        s_prime=step.forget_set.s_prime,
        recall=recall.value,
        recall_low=recall.low,
        recall_high=recall.high,
        topic_loss=_loss(before.recall, after.recall.value),
        forget_chrf_delta=after.chrf[FORGET].value - before.chrf[FORGET].value,
        retain_chrf_delta=retained.delta,
        retain_low=retained.low,
        retain_high=retained.high,
        topic_loss_low=loss_low,
        topic_loss_high=loss_high,
        closed=defined and defined.value,
        closed_low=defined and defined.low,
        closed_high=defined and defined.high,
        probability=after.probability.value,
        retain_bleu_delta=after.retain_bleu.value - before.retain_bleu.value,
        neighbour_chrf_delta=sum(near) / len(near) if near else None,
        retain_changed=100 * changed / max(1, len(after.texts[RETAIN])),
        degenerate=after.degenerate.value,
    )


def _loss(before: Score, recall: float) -> float:
    return 100 * (1 - recall / before.value) if before.value else 0.0


def _loss_interval(
    before: Score, after: Score, recall: tuple[float, float], seed: int
) -> tuple[float | None, float | None]:
    """Paired bootstrap of the quotient; the recall's own interval where every sample would be the same."""
    if after.value in (0.0, 100.0):
        low, high = recall
        return (_loss(before, high), _loss(before, low)) if before.value else (None, None)
    old = resample(before.sums, seed=seed)
    lost = ratio(old - resample(after.sums, seed=seed), old).interval
    return (100 * lost.low, 100 * lost.high) if math.isfinite(lost.low) else (None, None)
