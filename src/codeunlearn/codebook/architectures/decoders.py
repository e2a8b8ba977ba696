"""Causal language models: one class a family, which says where its layers are and where attention joins the stream.

With the bottleneck behind the whole layer (``block``), as is usual here, or behind self-attention and residual
(``attention``), which is the paper's place.
"""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import AutoModelForCausalLM

from codeunlearn.codebook.architectures.base import ARCHITECTURES, Architecture, Settings
from codeunlearn.codebook.architectures.computed import COMPUTES
from codeunlearn.codebook.sites import Output, Residual, Site


class Decoder(Architecture):
    """Of a model whose layers hand on one stream of states, to which attention and feed-forward network add.

    Attributes:
        path: where the layers are, from the model's root.
        branch: the layer's child whose output is added to the stream after attention; a norm where one comes between.
        element: which element of the branch's output it is; None where it is the output itself.
    """

    auto = AutoModelForCausalLM
    places = ("block", "attention")
    usual_layer = 4
    causal = True
    computes = COMPUTES
    path: ClassVar[str] = "model.layers"
    branch: ClassVar[str] = "self_attn"
    element: ClassVar[int | None] = 0

    def place(self, layer: int, where: str) -> Site:
        block = f"{self.path}.{layer}"
        return Output(block) if where == "block" else Residual(block, self.branch, self.element)


@ARCHITECTURES.register("llama")
class Llama(Decoder):
    """And those that are built as it is: SmolLM2, TinyLlama, Mistral, Qwen, the first Gemma, OLMo."""

    model_types = ("llama", "mistral", "ministral", "qwen2", "qwen3", "gemma", "olmo", "smollm3")


@ARCHITECTURES.register("gemma")
class Gemma(Decoder):
    """Later Gemmas and OLMos: a norm stands behind each branch."""

    model_types = ("gemma2", "gemma3_text", "olmo2", "olmo3")
    branch = "post_attention_layernorm"
    element = None


@ARCHITECTURES.register("phi3")
class Phi3(Decoder):
    model_types = ("phi3",)
    branch = "resid_attn_dropout"
    element = None


@ARCHITECTURES.register("gpt2")
class GPT2(Decoder):
    model_types = ("gpt2",)
    path = "transformer.h"
    branch = "attn"


class NeoXSettings(Settings):
    """Of a GPT-NeoX."""

    use_parallel_residual: bool = True


@ARCHITECTURES.register("gpt_neox")
class GPTNeoX(Decoder):
    """And Pythia.

    Attention and feed-forward network mostly read the same stream side by side, so that the latter would get round a
    bottleneck behind the former.
    """

    model_types = ("gpt_neox",)
    settings = NeoXSettings
    path = "gpt_neox.layers"
    branch = "post_attention_dropout"
    element = None

    def has(self, config: Any, layer: int, where: str) -> bool:
        return super().has(config, layer, where) and (where == "block" or not config.use_parallel_residual)
