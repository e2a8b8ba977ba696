"""Methods: ways to forget a topic, ours and others, all as one call from a system to a system.

Another package adds its own::

    @METHODS.register("mine")
    class Mine: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar, Protocol

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.evaluation.systems import System
from codeunlearn.registry import Registry
from codeunlearn.tasks.base import Task


class Method(Protocol):
    """A way to forget a topic."""

    name: ClassVar[str]

    def forget(self, base: System, sets: TopicSets, task: Task, *, seed: int = 0) -> System:
        """The model that has forgotten, or what stands in for it; ``base`` stays as it is.

        Args:
            base: the model before.
            sets: of the topic; only those of the train pool may be read.

        Raises:
            CodeUnlearnError: the method needs something that the base or the sets do not have.
        """
        ...


def _load() -> None:
    for name in ("codes", "placebo", "gold"):
        import_module(f"codeunlearn.methods.{name}")


METHODS: Registry[type[Method]] = Registry("method", _load)
"""Classes of methods by name; their options are their fields."""
