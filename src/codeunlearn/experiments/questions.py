"""Questions whose answers a model is asked for under forced decoding, and what it finds for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeunlearn.corpus.examples import sample_pool
from codeunlearn.corpus.lines import read_sentences
from codeunlearn.corpus.loading import load_pairs
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.knowledge_config import AskedConfig, KnowledgeConfig
from codeunlearn.files import reason
from codeunlearn.tasks.base import Task, View
from codeunlearn.validation import validated

NAMED, DESCRIBED = "named", "described"
"""Kinds of probes: the prompt names the subject, or it only describes it."""
Answered = list[list[float]]
"""Of one question: for the right answer, each wrong one and the control, the summed log probability and the tokens."""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        subject: what it is about; of a probe alone.
        kind: `NAMED` or `DESCRIBED`; of a probe alone.
        control: the prompt with another subject.
    """

    prompt: str
    answer: str
    wrong: tuple[str, ...] = ()
    control: str | None = None
    subject: str = ""
    kind: str = NAMED

    def rows(self) -> list[tuple[str, str]]:
        """Every prompt with the answer that is forced on it."""
        asked = [(self.prompt, one) for one in (self.answer, *self.wrong)]
        return asked + ([(self.control, self.answer)] if self.control else [])


@dataclass(frozen=True)
class Questions:
    """All that a study asks.

    Attributes:
        probes: on the topics; ``facts`` and ``texts`` by the names of their sets. A text has no prompt.
    """

    probes: list[Question]
    facts: dict[str, list[Question]]
    texts: dict[str, list[Question]]

    @classmethod
    def read(cls, config: KnowledgeConfig) -> Questions:
        """All of a configuration.

        Raises:
            CodeUnlearnError: a file cannot be read, or holds something else.
        """
        assert config.probes is not None
        return cls(
            read_probes(Path(config.probes)),
            {one.name: read_facts(one) for one in config.facts},
            {one.name: _texts(one) for one in config.texts},
        )

    def every(self) -> list[Question]:
        """In the order in which answers are kept."""
        sets = (*self.facts.values(), *self.texts.values())
        return [*self.probes, *(question for asked in sets for question in asked)]

    def by_set(self, answered: Sequence[Answered]) -> dict[str, list[Answered]]:
        """Answers to facts and texts by their sets; those to probes come first and have none."""
        found: dict[str, list[Answered]] = {}
        start = len(self.probes)
        for name, asked in (*self.facts.items(), *self.texts.items()):
            found[name] = list(answered[start : start + len(asked)])
            start += len(asked)
        return found

    def identity(self) -> str:
        """A digest, on which results depend."""
        return questions_digest(self.every())


def questions_digest(questions: Sequence[Question]) -> str:
    """Of all that is asked."""
    content = json.dumps([asdict(one) for one in questions], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def rows_of(questions: Sequence[Question]) -> list[tuple[str, str]]:
    """Every prompt with an answer that is forced on it, question by question."""
    return [row for question in questions for row in question.rows()]


def changed_answers(before: Sequence[Answered], rows: Sequence[list[float]]) -> dict[int, Answered]:
    """By the question's place, what is no longer as it was.

    Args:
        rows: what is found now, in the order of `rows_of`.
    """
    now = iter(rows)
    found = [[next(now) for _ in one] for one in before]
    return {place: new for place, (new, old) in enumerate(zip(found, before, strict=True)) if new != old}


def read_probes(path: Path) -> list[Question]:
    """Probes from JSON Lines.

    Raises:
        CodeUnlearnError: the file cannot be read, or a line is no probe.
    """
    probes: list[Question] = []
    for number, line in enumerate(read_sentences(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            content: Any = json.loads(line)
        except ValueError as error:
            raise CodeUnlearnError(f"{where} is no JSON ({reason(error)}).") from error
        probe = validated(Question, content, where)
        if not probe.subject or probe.kind not in (NAMED, DESCRIBED):
            raise CodeUnlearnError(f"{where} needs a subject, and a kind that is {NAMED!r} or {DESCRIBED!r}.")
        probes.append(probe)
    return probes


def ask(task: Task, view: View, questions: Sequence[Question], *, ended: bool = False) -> list[Answered]:
    """What a model finds for every question, one with its wrong answers and its control; see `ask_rows`."""
    found = iter(ask_rows(task, view, rows_of(questions), ended=ended))
    return [[next(found) for _ in question.rows()] for question in questions]


def ask_rows(task: Task, view: View, rows: Sequence[tuple[str, str]], *, ended: bool = False) -> list[list[float]]:
    """For each prompt with its answer, the summed log probability and the tokens.

    Args:
        ended: the end mark behind a reply is one of its tokens.
    """
    forced = task.forced(view, [prompt for prompt, _ in rows], [answer for _, answer in rows])
    found = [one.with_end if ended else one.log_probabilities for one in forced]
    return [[float(tokens.sum()), float(len(tokens))] for tokens in found]


def probabilities(answered: Sequence[Answered], place: int = 0) -> NDArray[np.float64]:
    """[questions] of the right answer, or of that under the control (-1)."""
    return np.exp(np.array([one[place][0] for one in answered]))


def chosen_right(answered: Sequence[Answered]) -> NDArray[np.float64]:
    """[questions] 1 where the right answer has a higher mean log probability than every wrong one."""
    means = [[total / max(1.0, tokens) for total, tokens in one] for one in answered]
    return np.array([float(own > max(wrong)) for own, *wrong in means])


def read_facts(config: AskedConfig) -> list[Question]:
    """Questions of a set with their right and wrong answers.

    Raises:
        CodeUnlearnError: the file cannot be read, or a question has no wrong answer.
    """
    data = load_pairs(config.data).dataset
    examples = sample_pool(data, config.limit)
    if any(not example.wrong for example in examples):
        raise CodeUnlearnError(
            f"{config.data} has questions without wrong answers (perturbed_answer), so nothing can be chosen."
        )
    return [Question(f"{config.before}{one.prompt}{config.behind}", one.answer, one.wrong) for one in examples]


def _texts(config: AskedConfig) -> list[Question]:
    loaded = load_pairs(config.data)
    whole = loaded.kind == "text"
    examples = sample_pool(loaded.dataset, config.limit)
    return [Question("", f"{one.prompt} {one.answer}" if whole else one.prompt) for one in examples]
