"""An attack on outputs alone: every prompt stands behind a sentence on the topic."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from codeunlearn.audit.base import ATTACKS, Access
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import System
from codeunlearn.tasks.base import Task, View


@dataclass(frozen=True)
class Hint:
    """The hint is one of the sentences in which the topic was searched, drawn by the seed."""

    name: ClassVar[str] = "hint"
    access: ClassVar[Access] = "outputs"

    def mount(self, target: System, sets: TopicSets | None, task: Task, *, seed: int = 0) -> System:
        if sets is None or not sets.search:
            raise CodeUnlearnError(
                "A hint is a sentence on the topic, and there are none; build the sets with search_size."
            )
        hint = sets.search[seed % len(sets.search)].prompt

        @contextmanager
        def hinted() -> Generator[View]:
            with target.open() as view:
                yield replace(view, prefix=f"{hint} ")

        return System(self.name, "attack", hinted)


ATTACKS.register(Hint.name)(Hint())
