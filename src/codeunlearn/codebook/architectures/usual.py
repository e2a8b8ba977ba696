"""A causal language model of a family that has no entry, where its layers are laid out as most are."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from codeunlearn.codebook.architectures.decoders import Decoder

_BEHIND = ("post_self_attn_layernorm", "resid_attn_dropout")
"""What some layers put between attention and the sum, beside the norm of later Gemmas."""


@cache
def usual(kind: str) -> type[Decoder] | None:
    """The architecture of a ``model_type`` whose layers are ``model.layers.N`` with ``self_attn`` and ``mlp``; None of any other.

    Names say nothing of what a layer computes, so that each such model is tried when a bottleneck is attached.
    """
    auto: Any = AutoModelForCausalLM
    try:
        config = CONFIG_MAPPING[kind]
        with torch.device("meta"):
            model = auto._model_mapping[config](config())
        layer = model.get_submodule("model.layers.0")
    except Exception:  # no causal model has this type, its defaults make none, or it has other layers
        return None
    reader = inspect.signature(model.get_submodule("model").forward).parameters.values()
    parts = [name for name, _ in layer.named_children()]
    if not {"self_attn", "mlp"} <= set(parts) or all(one.kind is not one.VAR_KEYWORD for one in reader):
        return None
    behind = "post_attention_layernorm" if "post_feedforward_layernorm" in parts else None
    behind = next((name for name in _BEHIND if name in parts), behind)
    own: dict[str, Any] = {"model_types": (kind,), "proven": False, "__doc__": f"Of {kind!r} models."}
    return type("Usual", (Decoder,), own | ({"branch": behind, "element": None} if behind else {}))
