"""Looking at a model at its site: the activations that enter the bottleneck, the model without it, and with another output."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from codeunlearn.codebook.architectures import architecture_of
from codeunlearn.codebook.bottleneck import require_bottleneck
from codeunlearn.codebook.sinks import find_sinks, runs
from codeunlearn.codebook.wrappers import device_of, unwrapped
from codeunlearn.errors import CodeUnlearnError


class _Arrived(Exception):
    """Carries the activations out of the model, whose remaining layers then never run."""

    def __init__(self, activations: Tensor) -> None:
        super().__init__()
        self.activations = activations


def _stop(module: nn.Module, args: tuple[Tensor, ...]) -> None:
    raise _Arrived(args[0])


@torch.no_grad()
def run_to_site(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The activations that enter the bottleneck, [batch, length, d]; nothing behind the site runs."""
    model = unwrapped(model)
    bottleneck = require_bottleneck(model)
    architecture = architecture_of(model.config.model_type)
    handle = bottleneck.register_forward_pre_hook(_stop)
    try:
        with torch.compiler.set_stance("force_eager"):  # compiled code runs past hooks
            architecture.reach(model, input_ids, attention_mask)
    except _Arrived as arrived:
        return arrived.activations
    finally:
        handle.remove()
    raise RuntimeError(f"the model never reached the site {bottleneck.config.site}")


@contextmanager
def evaluating(model: nn.Module) -> Generator[None]:
    """Inside, every module is in evaluation mode; after it, each is in the mode it had."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def skip_bottleneck(model: nn.Module) -> Generator[None]:
    """Inside, the activations pass the site unchanged: what someone gets who removes the bottleneck from the model."""
    bottleneck = require_bottleneck(model)
    bottleneck.bypasses.append(None)
    try:
        yield
    finally:
        bottleneck.bypasses.pop()


@contextmanager
def replace_bottleneck_output(model: nn.Module, output: Tensor | Callable[[Tensor], Tensor]) -> Generator[None]:
    """Inside, ``output`` [batch, length, d] goes on from the site, whatever arrives there, or what it makes of that."""
    bottleneck = require_bottleneck(model)
    bottleneck.replacements.append(output)
    try:
        yield
    finally:
        place = next(i for i, one in enumerate(bottleneck.replacements) if one is output)
        del bottleneck.replacements[place]


def goes_through(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """[batch, length] bool: the tokens whose states the bottleneck replaces; all but padding and what passes as it is.

    Args:
        model: has a bottleneck.
        input_ids: [batch, length].
        attention_mask: [batch, length], 1 at tokens and 0 at padding.
    """
    control = require_bottleneck(model).config.control_tokens
    sinks = find_sinks(runs(control), {"input_ids": input_ids, "attention_mask": attention_mask})
    assert sinks is not None, "there are ids and a mask of two dimensions"
    return attention_mask.bool() & ~sinks.certain


@torch.no_grad()
def require_no_way_round(model: Any) -> None:
    """That a causal model's output does not depend on its input once one and the same state goes on from the site everywhere.

    Raises:
        CodeUnlearnError: it does, so that deleting codes could not remove anything for good.
    """
    config = require_bottleneck(model).config
    text = [one for one in range(model.config.vocab_size) if one not in config.control_tokens][:8]
    ids = torch.tensor([text[:4], text[-4:]], device=device_of(model.get_input_embeddings()))
    state = torch.randn(config.d_model, generator=torch.Generator().manual_seed(0))
    with evaluating(model):
        plain = model(input_ids=ids).logits
        with replace_bottleneck_output(model, lambda a: (state.to(a.device) * a.float().std()).expand_as(a)):
            replaced = model(input_ids=ids).logits
    rounding = 1e-3 if model.dtype == torch.float32 else 0.1
    if not replaced.diff(dim=0).abs().max() <= rounding * plain.diff(dim=0).abs().max():
        raise CodeUnlearnError(
            f"In {model.config.model_type!r} models something gets round the site {config.site}; put the bottleneck behind the "
            "whole layer (block), or take another model."
        )
