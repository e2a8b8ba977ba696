"""The architecture of a model by transformers' name of its type."""

from __future__ import annotations

from typing import Any

from codeunlearn.codebook.architectures.base import ARCHITECTURES, Architecture, base_type
from codeunlearn.codebook.architectures.usual import usual
from codeunlearn.errors import CodeUnlearnError


def find_architecture(model_type: Any) -> Architecture | None:
    """The family of a ``model_type``, with or without a bottleneck; None where none is known."""
    if not isinstance(model_type, str):
        return None
    kind = base_type(model_type)
    for name in ARCHITECTURES.names():
        known = ARCHITECTURES.get(name)
        if kind in known.model_types:
            return known()
    found = usual(kind)
    return None if found is None else found()


def architecture_of(model_type: str) -> Architecture:
    """The family of a ``model_type``, with or without a bottleneck.

    Raises:
        CodeUnlearnError: none is known.
    """
    found = find_architecture(model_type)
    if found is None:
        known = ", ".join(one for name in ARCHITECTURES.names() for one in ARCHITECTURES.get(name).model_types)
        raise CodeUnlearnError(
            f"A bottleneck cannot be attached to a {model_type!r} model; supported are {known}, and causal models whose "
            "layers are model.layers.N with self_attn and mlp."
        )
    return found
