"""An architecture: GPT-Neo, whose blocks add attention to a stream that no module hands out."""

from __future__ import annotations

from transformers import AutoModelForCausalLM

from codeunlearn.codebook import ARCHITECTURES, Architecture, Output, Residual


@ARCHITECTURES.register("gpt_neo")
class GPTNeo(Architecture):
    """A bottleneck can sit behind a block's attention, or behind the whole block."""

    model_types = ("gpt_neo",)
    auto = AutoModelForCausalLM
    places = ("attention", "block")
    computes = ("num_heads", "window_size", "activation_function")

    def place(self, layer: int, where: str) -> Output | Residual:
        block = f"transformer.h.{layer}"
        return Residual(block, "attn", element=0) if where == "attention" else Output(block, element=0)
