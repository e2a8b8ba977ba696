"""The gold standard: a model that was trained anew without the topic, as others compare with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.evaluation.systems import GOLD, System, saved_system
from codeunlearn.methods.base import METHODS
from codeunlearn.tasks.base import Task


@METHODS.register("gold")
@dataclass(frozen=True)
class Gold:
    """See the module.

    Attributes:
        folder: of the model, or its Hub name.
        prefix: put before every prompt; the model's own if absent.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    name: ClassVar[str] = "gold"
    folder: str
    prefix: str | None = None
    device: str = "auto"

    def forget(self, base: System, sets: TopicSets, task: Task, *, seed: int = 0) -> System:
        """The saved model, whatever ``base`` is; a reference, for nothing was forgotten in it."""
        return saved_system(GOLD, "reference", self.folder, prefix=self.prefix, device=self.device)
