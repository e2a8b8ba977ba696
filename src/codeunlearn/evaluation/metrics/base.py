"""What a metric is: a function of what a system said on a test set, and of the system itself; and the registry of them.

Most metrics compare answers with references. They are functions ``(hypotheses, references) -> Score``, and become entries
with `on_answers`, or with `on_texts` if they also take the typography in which texts are compared, which is that of the task's
answers. Others ask the system under forced decoding. Another package adds its own::

    @METRICS.register("words")
    def words(outputs: Outputs) -> Score | None: ...
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Protocol

from codeunlearn.corpus.languages.base import language_named
from codeunlearn.corpus.languages.french import FRENCH
from codeunlearn.corpus.languages.typography import Typography
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import SentenceSums
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.registry import Registry
from codeunlearn.tasks.base import Task, View
from codeunlearn.tasks.forced import ForcedTokens

References = Sequence[Sequence[str]]
"""One or more references per sentence; sentences may have different numbers of them."""

TRANSLATIONS = FRENCH.typography
"""The typography of a metric that is called by itself, without a task: that of translations."""


@dataclass(frozen=True)
class Score:
    """One metric on one set of sentences.

    Attributes:
        name: Name of the metric, the key in `METRICS` where it is registered.
        value: The score of the whole set; nan when no sentence enters the metric.
        signature: All that the value depends on beside the texts. Only equal signatures compare.
        count: Number of sentences that enter the metric.
        per_sentence: The score of each sentence (nan for one that does not enter), in order; corpus BLEU,
            chrF and METEOR are not the mean of these.
        higher_is_better: As a measure of translation quality; None for a metric that does not grade translations
            or has its optimum inside its range.
        empty_is_worst: On its scale an empty answer is worth nothing, so that it can stand for a missing zero-shot model.
        is_rate: The score is the percentage of `count` sentences of which something is true.
        sums: The sentences as rows of sums, for `bootstrap.resample`.
    """

    name: str
    value: float
    signature: str
    count: int
    per_sentence: list[float] | None
    sums: SentenceSums = field(repr=False, compare=False)
    higher_is_better: bool | None = True
    is_rate: bool = False
    empty_is_worst: bool = False

    @property
    def is_quality(self) -> bool:
        """Whether it grades translations, so that a normalised drop of it makes sense."""
        return self.higher_is_better is not None and not self.is_rate

    def to_dict(self, *, sentences: bool = False) -> dict[str, object]:
        """Plain values for JSON, undefined numbers as None; `sentences` adds the score of each one."""
        plain: dict[str, object] = {
            "name": self.name,
            "value": _finite(self.value),
            "signature": self.signature,
            "count": self.count,
            "higher_is_better": self.higher_is_better,
        }
        if sentences and self.per_sentence is not None:
            plain["per_sentence"] = [_finite(value) for value in self.per_sentence]
        return plain


class AnswerMetric(Protocol):
    """Hypotheses and their references in, one score out."""

    def __call__(self, hypotheses: Sequence[str], references: References, /) -> Score: ...


class TextMetric(Protocol):
    """A metric of answers that normalises both sides first, and says so in its signature (``norm:``)."""

    def __call__(
        self, hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS
    ) -> Score: ...


@dataclass(frozen=True)
class Outputs:
    """What a system said to the prompts of a test set, and the system that said it.

    Attributes:
        answers: by prompt.
        view: the model, in its state.
    """

    test: TestSet
    answers: Sequence[str]
    task: Task
    view: View

    @property
    def prompts(self) -> list[str]:
        return self.test.prompts

    @property
    def references(self) -> References:
        return self.test.references

    @property
    def typography(self) -> Typography:
        """In which answers of the task are compared."""
        return language_named(self.task.languages[1]).typography

    @cached_property
    def wanted(self) -> list[str]:
        """By prompt, the right answer whose probability is asked: the first that holds one of the set's words, else the first.

        As it stands, without a normalisation of its typography, for the model was trained on such text.
        """
        holds = WholeWords([word for word in self.test.words if word.strip()])
        return [unicodedata.normalize("NFC", next(filter(holds, rs), rs[0])) for rs in self.references]

    @cached_property
    def forced(self) -> list[ForcedTokens]:
        """What the system gives to the tokens of the wanted answers, with their places."""
        return self.task.forced(self.view, self.prompts, self.wanted, with_spans=bool(self.test.words))

    @cached_property
    def wrong_forced(self) -> list[list[ForcedTokens]]:
        """By prompt, what the system gives to the tokens of each of its wrong answers."""
        asked = [(example.prompt, wrong) for example in self.test.examples for wrong in example.wrong]
        found = iter(self.task.forced(self.view, [one[0] for one in asked], [one[1] for one in asked]) if asked else ())
        return [[next(found) for _ in example.wrong] for example in self.test.examples]


Metric = Callable[[Outputs], Score | None]
"""None where the metric does not apply, such as one of the topic's words on a set without words."""


@dataclass(frozen=True)
class OfAnswers:
    """A metric of answers as one of outputs.

    Attributes:
        language: of the answers that it is for; None for any.
    """

    metric: AnswerMetric
    language: str | None

    def __call__(self, outputs: Outputs) -> Score | None:
        if self.language not in (None, outputs.task.languages[1]):
            return None
        return self.metric(outputs.answers, outputs.references)


def on_answers(metric: AnswerMetric, language: str | None = None) -> Metric:
    """A metric of answers as one of outputs; for a language of answers, it applies to tasks that are answered in it."""
    return OfAnswers(metric, language)


def of_other_languages(metrics: Mapping[str, Metric], language: str) -> dict[str, str]:
    """The metrics that do not apply to answers in a language, by name, with the language that each is for."""
    return {
        name: metric.language
        for name, metric in metrics.items()
        if isinstance(metric, OfAnswers) and metric.language not in (None, language)
    }


def on_texts(metric: TextMetric) -> Metric:
    """A metric of answers as one of outputs, in the typography of the task's answers."""
    return lambda outputs: metric(outputs.answers, outputs.references, typography=outputs.typography)


def _load() -> None:
    for name in ("lexical", "french.meteor", "french.words", "knowledge", "answers"):
        import_module(f"codeunlearn.evaluation.metrics.{name}")


METRICS: Registry[Metric] = Registry("metric", _load)
"""The standard metrics, which every evaluation has; those that need a model of their own are opened by `opening.py`."""


def standard_metrics() -> dict[str, Metric]:
    """All of them by name."""
    return {name: METRICS.get(name) for name in METRICS.names()}


def check_texts(hypotheses: Sequence[str], references: References) -> None:
    """Every metric's first step: sentences and lists of references that belong together, or an error."""
    if len(hypotheses) != len(references) or not hypotheses:
        raise CodeUnlearnError(
            f"A metric needs one list of references per hypothesis and at least one sentence, "
            f"not {len(hypotheses)} hypotheses and {len(references)} lists of references."
        )
    if any(isinstance(rs, str) or not rs for rs in references):
        raise CodeUnlearnError("Give each sentence a list of references: [[target] for target in targets].")


def reference_count(references: References) -> str:
    """The number of references of every sentence, for signatures; `var` where it differs."""
    counts = {len(rs) for rs in references}
    return str(counts.pop()) if len(counts) == 1 else "var"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
