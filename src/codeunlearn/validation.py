"""Files and settings that we read are checked against a declared shape, strictly, with one sentence for what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from codeunlearn.errors import CodeUnlearnError

_T = TypeVar("_T")


class Shape(BaseModel):
    """Base of all shapes: no type is converted into another, numbers are finite, and unknown keys are an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def validated(shape: type[_T], content: Any, where: str) -> _T:
    """``content``, as it came out of JSON or YAML, as a ``shape`` (a `Shape`, a dataclass or any type).

    Args:
        where: what is read, for the message, such as the name of the file.

    Raises:
        CodeUnlearnError: it does not fit; the message names the first place and what is wrong there.
    """
    try:
        return TypeAdapter(shape).validate_python(content)
    except ValidationError as error:
        raise CodeUnlearnError(f"{where}: {first_fault(error)}.") from error


def first_fault(error: ValidationError) -> str:
    """The first fault in words: ``evidence[3].p: Input should be a valid number``."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = _place(fault["loc"])
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{place}: {message}" if place else message


def _place(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
