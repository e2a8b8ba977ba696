"""Attacks: ways to bring a forgotten topic back, each by someone with some access to the model.

Another package adds its own::

    @ATTACKS.register("mine")
    class Mine: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar, Literal, Protocol

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.evaluation.systems import System
from codeunlearn.registry import Registry
from codeunlearn.tasks.base import Task

Access = Literal["outputs", "weights", "weights and data"]
"""What the attacker holds; ``data`` is text without the topic, of the kind that the model was trained on."""


class Attack(Protocol):
    """A way to bring a topic back."""

    name: ClassVar[str]
    access: ClassVar[Access]

    def mount(self, target: System, sets: TopicSets | None, task: Task, *, seed: int = 0) -> System:
        """The attacked model, as a system of role ``attack``.

        Args:
            target: the model that has forgotten.
            sets: of the topic; ``search_retain`` is what an attacker with data holds. None where there are none.

        Raises:
            CodeUnlearnError: the attack needs something that the target or the sets do not have.
        """
        ...


ATTACKS: Registry[Attack] = Registry("attack", lambda: import_module("codeunlearn.audit.bypass"))
"""Attacks by name."""
