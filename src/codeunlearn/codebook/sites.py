"""Where a bottleneck sits in a model: two rules that fit any architecture, and how a module is made to follow one.

A forward hook would be simpler, but ``torch.compile`` runs past hooks without a word: it sets no guards on them and runs
the code of one layer for the next. It does tell classes apart. So the module at the site gets a class of its own, whose
``forward`` calls the bottleneck; the bottleneck is a child of that module, and base weights keep their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Output:
    """A state that a module hands out.

    Attributes:
        path: the module, from the model's root.
        element: which element of its output is the state; None where the output is the state itself.
    """

    path: str
    element: int | None = None

    def install(self, model: nn.Module, bottleneck: nn.Module) -> None:
        """Puts the bottleneck behind the module."""
        module = model.get_submodule(self.path)
        module.add_module("bottleneck", bottleneck)
        _become(module, _Giver, element=self.element)


@dataclass(frozen=True)
class Residual:
    """A state x + branch(x) that no module hands out, where x enters a layer and the layer adds one of its parts' output.

    With B the bottleneck the branch then returns B(x + branch(x)) - x, so that the layer's sum is what B returns, up to
    rounding.

    Attributes:
        layer: the module that x enters as its first argument, from the model's root.
        branch: the layer's child whose output is added to x, by its name.
        element: as in `Output`, of the branch's output.
    """

    layer: str
    branch: str
    element: int | None = None

    @property
    def path(self) -> str:
        """The branch, from the model's root; the bottleneck is its child."""
        return f"{self.layer}.{self.branch}"

    def install(self, model: nn.Module, bottleneck: nn.Module) -> None:
        """Puts the bottleneck behind the sum of layer input and branch."""
        layer, branch = model.get_submodule(self.layer), model.get_submodule(self.path)
        branch.add_module("bottleneck", bottleneck)
        _become(branch, _Branch, element=self.element)
        _become(layer, _Layer, branch=self.branch)


Site = Output | Residual


class _Following(nn.Module):
    """First base of the classes of modules that follow a rule."""

    bottleneck: nn.Module
    rule: dict[str, Any]
    element: int | None

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles name the class as it was, for the new one has no place from which to import it."""
        kind, plain = type(self).__bases__
        return _empty, (kind, plain, type(self).rule), self.__getstate__()

    def with_state(self, output: Any, state: Tensor) -> Any:
        """The module's output with another state in it."""
        if self.element is None:
            return state
        return (*output[: self.element], state, *output[self.element + 1 :])

    def state_in(self, output: Any) -> Tensor:
        return output if self.element is None else output[self.element]


class _Giver(_Following):
    """Its output is the state."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output: Any = super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        state = self.state_in(output)
        return self.with_state(output, self.bottleneck(state))


class _Layer(_Following):
    """Its input is what the branch's output will be added to: the branch sees it as ``stream``."""

    branch: str

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        branch = self.get_submodule(self.branch)
        branch.stream = args[0] if args else kwargs["hidden_states"]  # pyright: ignore[reportArgumentType]
        try:
            return super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            branch.stream = None  # pyright: ignore[reportArgumentType]


class _Branch(_Following):
    """Its output and what the layer adds to it are the state."""

    stream: Tensor

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output: Any = super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        added = self.state_in(output)
        state = self.stream + added
        new: Tensor = self.bottleneck(state)
        # A bottleneck that is skipped changes nothing, not even by rounding.
        return output if new is state else self.with_state(output, new - self.stream)


def _become(module: nn.Module, kind: type[_Following], **rule: Any) -> None:
    module.__class__ = _following(kind, type(module), tuple(rule.items()))


@cache
def _following(kind: type[_Following], plain: type[nn.Module], rule: tuple[tuple[str, Any], ...]) -> type[nn.Module]:
    return type(f"{plain.__name__}WithBottleneck", (kind, plain), {**dict(rule), "rule": dict(rule)})


def _empty(kind: type[_Following], plain: type[nn.Module], rule: dict[str, Any]) -> nn.Module:
    following = _following(kind, plain, tuple(rule.items()))
    return following.__new__(following)
