"""Bases whose weights are packed into four bits (bitsandbytes): they stay as they are stored, under a bottleneck of floats.

Four bits are of weights alone, so that a token's state does not depend on what else is in its batch, as with int8's
outliers, and codes are the same in one pass and step by step. Other quantisations are refused: they run kernels
of the Hub or packages that cannot be checked here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, Literal

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs
from codeunlearn.validation import Field, Shape, validated

QUANTISATION = "quantization_config"
"""The key in ``config.json``."""
_Module = Annotated[str, Field(pattern=r"^[\w.]{1,200}$")]


class FourBits(Shape):
    """What transformers writes of bitsandbytes' four bits; settings of its eight bits may stand there and count for nothing."""

    quant_method: Literal["bitsandbytes"]
    load_in_4bit: Literal[True]
    also_4bit: Literal[True] = Field(True, alias="_load_in_4bit")
    load_in_8bit: Literal[False] = False
    also_8bit: Literal[False] = Field(False, alias="_load_in_8bit")
    bnb_4bit_compute_dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    bnb_4bit_quant_storage: Literal["uint8"] = "uint8"
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "fp4"
    bnb_4bit_use_double_quant: bool = False
    llm_int8_enable_fp32_cpu_offload: bool = False
    llm_int8_has_fp16_weight: bool = False
    llm_int8_skip_modules: list[_Module] | None = None
    llm_int8_threshold: float = 6.0


def check_quantisation(settings: dict[str, Any], where: str) -> None:
    """That a configuration asks for no quantisation but bitsandbytes' four bits, and has no codebook then.

    Args:
        settings: of a ``config.json``.

    Raises:
        CodeUnlearnError: it does.
    """
    if settings.get(QUANTISATION) is None:
        return
    try:
        validated(FourBits, settings[QUANTISATION], where)
    except CodeUnlearnError as error:
        raise CodeUnlearnError(
            f"{where} asks for a quantisation other than 4-bit bitsandbytes ({QUANTISATION}), which is never loaded from a "
            "model; take the plain weights, or such 4-bit ones."
        ) from error
    if "bottleneck" in settings or str(settings.get("model_type")).startswith("codeunlearn-"):
        raise CodeUnlearnError(
            f"{where} asks for a quantisation of a model with its codebook; put the codebook on the 4-bit base as an adapter."
        )


def require_bitsandbytes() -> None:
    """That what opens four bits is installed.

    Raises:
        CodeUnlearnError: it is not; the message has the command that installs it.
    """
    with needs("quantised"):
        for package in ("accelerate", "bitsandbytes"):
            import_module(package)
