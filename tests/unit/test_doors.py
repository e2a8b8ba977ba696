"""A task, a method, an attack and a metric from outside the package: one file each, and evaluation takes them as its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from codeunlearn.audit.base import ATTACKS, Access
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.bootstrap import sentence_mean
from codeunlearn.evaluation.metrics.base import METRICS, Outputs, Score, standard_metrics
from codeunlearn.evaluation.scores import Scores
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import System, system_of
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.methods.base import METHODS
from codeunlearn.registry import Registry
from codeunlearn.tasks.base import TASKS, Example, Rows, View
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import Answers, TokenCost

EXAMPLES = [Example("sky", ("blue",)), Example("sea", ("blue",))]
TESTS = [TestSet("forget", EXAMPLES, ("blue",), ("grass", "grass"))]


@pytest.fixture(autouse=True)
def left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in (TASKS, METHODS, ATTACKS, METRICS):
        registry.names()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))  # pyright: ignore[reportPrivateUsage]


class Colours:
    """Asks a model, which is a dictionary here, what colour a thing has."""

    name: ClassVar[str] = "colours"
    languages: ClassVar[tuple[str, str]] = ("english", "english")

    def rows(self, *_: Any) -> Rows:
        raise NotImplementedError

    def answer(self, view: View, prompts: Sequence[str], how: Any = None, progress: Any = None) -> Answers:
        return Answers([view.model.get(prompt, "none") for prompt in prompts], TokenCost(0, 0, 0, 0, 0), (), ())

    def forced(self, view: View, prompts: Sequence[str], answers: Sequence[str], **_: Any) -> list[ForcedTokens]:
        known = [0.9 if view.model.get(p) == a else 0.1 for p, a in zip(prompts, answers, strict=True)]
        return [ForcedTokens(np.log([k]), np.array([1]), [(0, len(a))]) for k, a in zip(known, answers, strict=True)]


class Emptied:
    """Forgets by forgetting everything."""

    name: ClassVar[str] = "emptied"

    def forget(self, base: System, sets: TopicSets, task: Any, *, seed: int = 0) -> System:
        return system_of("emptied", "after", {}, None)


class Retold:
    """Brings a topic back by telling the model again."""

    name: ClassVar[str] = "retold"
    access: ClassVar[Access] = "weights and data"

    def mount(self, target: System, sets: TopicSets | None, task: Any, *, seed: int = 0) -> System:
        with target.open() as view:
            return system_of("retold", "attack", {**view.model, "sky": "blue"}, None)


def letters(outputs: Outputs) -> Score:
    """Letters of the answers."""
    lengths = [float(len(answer)) for answer in outputs.answers]
    return Score("letters", sentence_mean(lengths).value, "", len(lengths), lengths, sentence_mean(lengths))


def before() -> System:
    return system_of("codebook", "before", {"sky": "blue", "sea": "blue", "grass": "green"}, None)


def scores_of(registry: Registry[Any], name: str, entry: Any) -> Scores:
    registry.register(name)(entry)
    sets = TopicSets(Topic.from_word("blue"), [], [[]], True, [], [], [], [])
    systems = [before(), Emptied().forget(before(), sets, Colours())]
    if name == "retold":
        systems.append(ATTACKS.get(name).mount(systems[1], sets, Colours()))
    if name == "emptied":
        systems[1] = METHODS.get(name)().forget(before(), sets, Colours())  # pyright: ignore[reportAbstractUsage]
    task: Any = TASKS.get(name) if name == "colours" else Colours()
    return score(task, TESTS, systems, topic="blue", metrics=standard_metrics())


def test_a_task() -> None:
    found = scores_of(TASKS, "colours", Colours())
    assert found.value("codebook", "forget", "chrf") > found.value("emptied", "forget", "chrf")
    assert found.row("codebook", "forget", "french_share") is None


def test_a_method() -> None:
    closed = scores_of(METHODS, "emptied", Emptied).closed("emptied")
    assert closed is not None
    assert closed.value == pytest.approx(100)


def test_an_attack() -> None:
    closed = scores_of(ATTACKS, "retold", Retold()).closed("retold")
    assert closed is not None
    assert closed.value == pytest.approx(50)


def test_a_metric() -> None:
    found = scores_of(METRICS, "letters", letters)
    assert (found.value("codebook", "forget", "letters"), found.value("emptied", "forget", "letters")) == (4, 4)
    assert found.comparison("emptied", "forget", "letters") is not None
