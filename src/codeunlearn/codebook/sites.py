"""Where a bottleneck sits in a model: two rules that fit any architecture, and how a module is made to follow one.

A forward hook would be simpler, but ``torch.compile`` runs past hooks without a word: it sets no guards on them and runs
the code of one layer for the next. It does tell classes apart. So the module at the site gets a class of its own, whose
``forward`` calls the bottleneck; the bottleneck is a child of that module, and base weights keep their names. The new class has
the old one's name, by which transformers, accelerate and FSDP know layers.
"""

from __future__ import annotations

import inspect
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from codeunlearn.codebook.sinks import KEY, Runs, find_sinks, passing
from codeunlearn.errors import CodeUnlearnError


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
        _become(module, _Giver, element=self.element, told=_has_control(bottleneck))


@dataclass(frozen=True)
class Residual:
    """A state x + branch(x) that no module hands out, where x enters a layer and the layer adds one of its parts' output.

    With B the bottleneck the branch then returns B(x + branch(x)) - x, so that the layer's sum is what B returns, up to
    rounding.

    Attributes:
        layer: the module that x enters as its first argument, from the model's root.
        branch: the layer's child whose output is added to x, by its name.
        element: as in `Output`, of the branch's output.
        dropout: the layer's own attribute with the share that it drops of the branch's output, if it has one. It becomes 0,
            for otherwise the layer's sum in training would not be what B returns.
    """

    layer: str
    branch: str
    element: int | None = None
    dropout: str | None = None

    @property
    def path(self) -> str:
        """The branch, from the model's root; the bottleneck is its child."""
        return f"{self.layer}.{self.branch}"

    def install(self, model: nn.Module, bottleneck: nn.Module) -> None:
        """Puts the bottleneck behind the sum of layer input and branch."""
        layer, branch = model.get_submodule(self.layer), model.get_submodule(self.path)
        if self.dropout is not None:
            setattr(layer, self.dropout, 0.0)
        branch.add_module("bottleneck", bottleneck)
        _become(branch, _Branch, element=self.element)
        _become(layer, _Layer, told=_has_control(bottleneck))


Site = Output | Residual


def pass_sinks(reader: nn.Module, control: Runs) -> None:
    """Makes the part of a model that reads ids and holds the layers tell them which tokens pass, see `sinks`."""
    _become(reader, _Reader, control=control)


class _Here(threading.local):
    """What the layer that is running in this thread hands to its branch."""

    stream: Tensor | None = None
    passes: Tensor | None = None


_here = _Here()


class _Following(nn.Module):
    """First base of the classes of modules that follow a rule."""

    bottleneck: nn.Module
    rule: dict[str, Any]
    names: tuple[str, ...]
    element: int | None
    told: bool

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

    def named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the module's ``forward`` by their names."""
        return {**dict(zip(self.names, args, strict=False)), **kwargs}

    def passes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """Which states pass, [batch, length] bool; takes what says so out of ``kwargs``.

        Raises:
            CodeUnlearnError: the layer should be told, and is not.
        """
        if self.told and KEY not in kwargs:
            raise CodeUnlearnError(
                "The model does not hand its arguments on to its layers, which must know the first token; attach the bottleneck "
                "with control_tokens=[], as an architecture that is not causal does."
            )
        sinks = kwargs.pop(KEY, None)
        return None if sinks is None else passing(sinks, self.named(args, kwargs).get("attention_mask"))


class _Reader(_Following):
    """It reads the ids of tokens, and its layers get all arguments that it does not know itself."""

    control: Runs
    config: Any

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        flash = "flash" in str(self.config._attn_implementation)
        causal = getattr(self.config, "is_causal", True) and not getattr(
            self.config, "use_bidirectional_attention", False
        )
        kwargs[KEY] = find_sinks(self.control, self.named(args, kwargs), flash=flash) if causal else None
        return super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]


class _Giver(_Following):
    """Its output is the state."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        passes = self.passes(args, kwargs)
        output: Any = super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        state = self.state_in(output)
        return self.with_state(output, _where(passes, state, self.bottleneck(state)))


class _Layer(_Following):
    """Its input is what the branch's output will be added to."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        _here.passes = self.passes(args, kwargs)
        _here.stream = args[0] if args else kwargs["hidden_states"]
        try:
            return super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            _here.passes = _here.stream = None


class _Branch(_Following):
    """Its output and what the layer adds to it are the state."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output: Any = super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        stream, added = _here.stream, self.state_in(output)
        assert stream is not None, "a branch runs within its layer"
        state = stream + added
        new: Tensor = self.bottleneck(state)
        # A bottleneck that is skipped changes nothing, not even by rounding.
        return output if new is state else self.with_state(output, _where(_here.passes, added, new - stream))


def _has_control(bottleneck: Any) -> bool:
    return bool(bottleneck.config.control_tokens)


def _where(passes: Tensor | None, old: Tensor, new: Tensor) -> Tensor:
    return new if passes is None or new is old else torch.where(passes.to(old.device)[..., None], old, new)


def _become(module: nn.Module, kind: type[_Following], **rule: Any) -> None:
    change_class(module, _following(kind, type(module), tuple(rule.items())))


def change_class(module: Any, kind: type[nn.Module]) -> None:
    """Makes a module one of another class, also where accelerate has put a hook around its ``forward``.

    Raises:
        CodeUnlearnError: something else has replaced its ``forward``, so that the class's would never run.
    """
    if "_old_forward" in vars(module):
        module._old_forward = kind.forward.__get__(module)
    elif "forward" in vars(module):
        raise CodeUnlearnError(
            f"The forward of {type(module).__name__} has been replaced, so that a bottleneck would not run; attach it to the "
            "model as it was opened."
        )
    module.__class__ = kind


@cache
def _following(kind: type[_Following], plain: type[nn.Module], rule: tuple[tuple[str, Any], ...]) -> type[nn.Module]:
    names = tuple(inspect.signature(plain.forward).parameters)[1:]
    own = {"rule": dict(rule), "names": names, "__module__": plain.__module__, "__qualname__": plain.__qualname__}
    return type(plain.__name__, (kind, plain), {**dict(rule), **own})


def _empty(kind: type[_Following], plain: type[nn.Module], rule: dict[str, Any]) -> nn.Module:
    following = _following(kind, plain, tuple(rule.items()))
    return following.__new__(following)
