"""What stands beside a topic's result: other ways to forget it, and attacks on what was forgotten, by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass

from codeunlearn.audit.base import ATTACKS
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import System
from codeunlearn.methods.base import METHODS
from codeunlearn.tasks.base import Task

Beside = Callable[[System, System], list[System]]
"""From the model before and the model in the end to further systems."""


def beside(
    methods: Sequence[str], attacks: Sequence[str], sets: TopicSets | None, task: Task, *, seed: int = 0
) -> Beside:
    """The systems of these methods, which start from the model before, and of these attacks on the model in the end.

    Raises:
        CodeUnlearnError: there is no such method or attack, a method has options without a default, or there are no sets for
            it.
    """
    mounted = [ATTACKS.get(name) for name in attacks]
    made = [METHODS.get(name) for name in methods]
    for name, method in zip(methods, made, strict=True):
        known = fields(method) if is_dataclass(method) else ()
        if needed := [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]:
            raise CodeUnlearnError(
                f"The method {name} needs {needed[0]}, which its name does not say; use it from Python."
            )
    if methods and sets is None:
        raise CodeUnlearnError("A method forgets a topic, and there is none; name it with --topic.")

    def systems(before: System, last: System) -> list[System]:
        others = [method().forget(before, sets, task, seed=seed) for method in made] if sets else []
        return others + [attack.mount(last, sets, task, seed=seed) for attack in mounted]

    return systems
