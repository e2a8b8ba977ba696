"""What a model was trained to read before every source sentence."""

from __future__ import annotations

from typing import Any


def source_prefix(model: Any, given: str | None = None) -> str:
    """The text to put before every source sentence: what is given, the empty text included, or else the model's own.

    A model keeps its own as ``config.source_prefix``; most have none.
    """
    own: str = getattr(model.config, "source_prefix", None) or ""
    return own if given is None else given
