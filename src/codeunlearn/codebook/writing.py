"""Writing a model: all of its weights, or its bottleneck alone where its base keeps its own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from codeunlearn.codebook.adapter import is_adapted, save_adapter
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import reason
from codeunlearn.saving import check_model_target, saving


def write_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Weights (safetensors), configuration and tokenizer, for use within `saving`.

    Raises:
        CodeUnlearnError: they cannot be written, as where there is no space.
    """
    try:
        if is_adapted(model):
            save_adapter(model, folder)
        else:
            model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        raise CodeUnlearnError(f"The model cannot be saved ({reason(error)}).") from error


def save_model(model: Any, tokenizer: Any, out: str | Path) -> None:
    """Saves a model with its tokenizer, its codebook and its deletions, whole or not at all.

    Args:
        out: a folder; a model that is in it is replaced, other files in it stay.

    Raises:
        CodeUnlearnError: the place cannot be written to, or holds something else.
    """
    out = Path(out)
    check_model_target(out)
    with saving(out) as folder:
        write_model(model, tokenizer, folder)
