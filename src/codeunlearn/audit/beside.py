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


def check_beside(methods: Sequence[str], attacks: Sequence[str]) -> None:
    """Whether these can be made by their names.

    Raises:
        CodeUnlearnError: there is no such method or attack, one is named twice, or a method has options without a default.
    """
    for kind, names, registry in (("A method", methods, METHODS), ("An attack", attacks, ATTACKS)):
        for name in names:
            registry.get(name)
        if len(set(names)) < len(names):
            raise CodeUnlearnError(f"{kind} is named twice in {', '.join(names)}; name each once.")
    for name in methods:
        method = METHODS.get(name)
        known = fields(method) if is_dataclass(method) else ()
        if needed := [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]:
            raise CodeUnlearnError(
                f"The method {name} needs {needed[0]}, which its name does not say; use it from Python."
            )


def beside(
    methods: Sequence[str], attacks: Sequence[str], sets: TopicSets | None, task: Task, *, seed: int = 0
) -> Beside:
    """The systems of these methods, which start from the model before, and of these attacks on the model in the end.

    Raises:
        CodeUnlearnError: as `check_beside`, or there are no sets for a method.
    """
    check_beside(methods, attacks)
    mounted = [ATTACKS.get(name) for name in attacks]
    made = [METHODS.get(name) for name in methods]
    if methods and sets is None:
        raise CodeUnlearnError("A method forgets a topic, and there is none; name it with --topic.")

    def systems(before: System, last: System) -> list[System]:
        others = [method().forget(before, sets, task, seed=seed) for method in made] if sets else []
        return others + [attack.mount(last, sets, task, seed=seed) for attack in mounted]

    return systems
