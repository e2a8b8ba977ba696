"""A causal model's first token passes the site as it is where it is a control token; no token of the text ever does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from codeunlearn.codebook import attach, bottleneck_for, skip_bottleneck

BOS, IM_START = 1, 3
LLAMA = {
    "vocab_size": 48, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2,
    "head_dim": 8, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": BOS, "eos_token_id": 2,
}  # fmt: skip
BASES: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA)),
    "llama, eager": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, attn_implementation="eager")),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=48, n_embd=16, n_layer=3, n_head=2, pad_token_id=0, bos_token_id=BOS, eos_token_id=2)
    ),
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**LLAMA, sliding_window=4)),
}


def make(kind: str, where: str = "attention", **shape: Any) -> Any:
    torch.manual_seed(0)
    base = BASES[kind]().eval()
    with torch.no_grad():
        for parameter in base.parameters():  # so that tokens matter to each other
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    shape = {"control_tokens": [0, BOS, 2, IM_START], "num_codes": 64, "code_dim": 12, "top_s": 4, **shape}
    return attach(base, bottleneck_for(base.config, layer=1, where=where, **shape)).eval()


@pytest.fixture(params=[(kind, where) for kind in BASES for where in ("attention", "block")], ids=str)
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield make(*request.param)


class Watched:
    """What goes on from the site, seen as the difference to what arrives there."""

    def __init__(self, model: Any) -> None:
        self.model, self.passed = model, list[Tensor]()

    @torch.no_grad()
    def __call__(self, **inputs: Any) -> Any:
        """Runs the model and notes [batch, length] bool, which states are what they were."""
        site = self.model.get_submodule(self.model.config.bottleneck.site)
        arrived, left = list[Tensor](), list[Tensor]()
        behind = site.register_forward_hook(lambda _, __, out: left.append(out[0] if isinstance(out, tuple) else out))
        before = self.model.bottleneck.register_forward_hook(lambda _, args, out: arrived.append(args[0] - out))
        try:
            output = self.model(**inputs)
            with skip_bottleneck(self.model):
                self.model(**inputs | ({"cache": inputs["cache"]} if "cache" in inputs else {}))
        finally:
            behind.remove()
            before.remove()
        self.passed.append((left[0] - left[1]).abs().amax(-1) < 1e-6)
        return output
