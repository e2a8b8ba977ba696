"""Systems: a model in a state, with a role. Evaluation knows nothing else of models.

A plain model, one retrained without the topic, our forget set, another method's model, a placebo, an attacked model: each
is a `System`, which a task opens and asks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from codeunlearn.codebook import DeletionMode, identify
from codeunlearn.codebook.loading import load_both
from codeunlearn.device import pick_device
from codeunlearn.tasks.base import View
from codeunlearn.unlearning import ForgetSet, forgetting, undeleted

Role = Literal["before", "after", "reference", "control", "attack"]
"""``before`` and ``after`` are compared; a ``reference`` is another model, such as plain, zero-shot or gold; a ``control``
is what should change nothing of the topic, such as a placebo; an ``attack`` tries to bring the topic back."""

BEFORE, AFTER, PLAIN, ZERO_SHOT, GOLD = "codebook", "unlearned", "plain", "zero-shot", "gold"
BYPASS, FITTED_MAP = "bypass", "fitted map"
"""Names of systems that are shown and used under them."""


@dataclass(frozen=True)
class System:
    """A model in a state.

    Attributes:
        name: in tables and files.
        role: what it is compared as.
        open: enters the state and gives the model in it; the state ends with the block.
    """

    name: str
    role: Role
    open: Callable[[], AbstractContextManager[View]] = field(repr=False, compare=False)


def system_of(
    name: str,
    role: Role,
    model: Any,
    tokenizer: Any,
    *,
    prefix: str | None = None,
    suffix: str | None = None,
    state: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> System:
    """A model that is open already.

    Args:
        prefix: put before every prompt; the model's own if absent.
        suffix: put behind every prompt; the model's own if absent.
        state: entered while it is asked, such as ``lambda: forgetting(model, forget_set)``.
    """

    @contextmanager
    def opened() -> Generator[View]:
        with state():
            yield View(model, tokenizer, prefix, suffix)

    return System(name, role, opened)


def saved_system(name: str, role: Role, folder: str, *, prefix: str | None = None, device: str = "auto") -> System:
    """A saved model, by its folder or Hub name, opened anew whenever it is asked."""

    @contextmanager
    def opened() -> Generator[View]:
        model, tokenizer = load_both(folder)
        yield View(model.to(pick_device(device)), tokenizer, prefix)

    return System(name, role, opened)


def unlearned(
    base: System, *forget_sets: ForgetSet, name: str = AFTER, role: Role = "after", mode: DeletionMode | None = None
) -> System:
    """``base`` with these sets forgotten, in place of whatever it has forgotten for their topics."""

    @contextmanager
    def opened() -> Generator[View]:
        with base.open() as view:
            own = undeleted(view.model, *forget_sets)
            with own, forgetting(view.model, *forget_sets, identity=identify(view.model), mode=mode):
                yield view

    return System(name, role, opened)
