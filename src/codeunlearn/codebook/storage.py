"""Opening saved models, and the fingerprint that ties a forget set to the model it was made for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerBase

from codeunlearn.codebook.modeling import require_bottleneck
from codeunlearn.errors import CodeUnlearnError


def load_model(name: str | Path, dtype: torch.dtype | Literal["auto"] = torch.float32) -> Any:
    """A saved encoder-decoder model, with or without a bottleneck, from a folder or the Hub; safetensors only.

    Args:
        name: folder or Hub name.
        dtype: type of the weights in memory; ``auto`` keeps the saved one, for a model that is to be saved again.

    Raises:
        CodeUnlearnError: there is no such model, or a tensor of it is missing or misshapen.
    """
    name = str(name)
    if not Path(name).exists() and (name.startswith((".", "/")) or name.count("/") != 1):
        raise CodeUnlearnError(f"There is no model folder {name}; give the folder of a saved model or a Hub name.")
    try:
        return AutoModelForSeq2SeqLM.from_pretrained(name, use_safetensors=True, dtype=dtype).eval()
    except CodeUnlearnError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CodeUnlearnError(f"The model in {name} cannot be opened: {_first_line(error)}") from error


def load_tokenizer(name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer saved beside a model."""
    try:
        return AutoTokenizer.from_pretrained(str(name))
    except (OSError, ValueError, KeyError) as error:
        raise CodeUnlearnError(f"{name} holds no tokenizer that can be opened: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


def fingerprint(model: nn.Module) -> str:
    """SHA-256 over the names, shapes and bf16-rounded values of all parameters; deletions do not change it.

    Rounding makes the fingerprint the same whether the model was opened in bf16 or in fp32. A commit changes the
    weights and therefore the fingerprint; see `model_identity`.
    """
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        rounded = parameter.detach().to("cpu", torch.bfloat16).contiguous()
        digest.update(rounded.view(torch.int16).numpy().tobytes())
    return digest.hexdigest()


def model_identity(model: nn.Module) -> str:
    """The fingerprint that new forget sets for this model carry, and by which old ones are accepted.

    A model that only lost codes by commits keeps the fingerprint it had before them; one whose weights changed since
    is another model.
    """
    config, own = require_bottleneck(model).config, fingerprint(model)
    return config.origin if config.origin and own == config.committed else own
