"""Files and settings that we read are checked against a declared shape, strictly, with one sentence for what does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import read_json

_T = TypeVar("_T")
MOST = 2**31 - 1
"""The largest number of rows, columns or codes that anything here counts to."""
Count = Annotated[int, Field(ge=1, le=MOST)]
Index = Annotated[int, Field(ge=0, le=MOST)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""
Name = Annotated[str, Field(min_length=1, max_length=200)]

NumberOrNan = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number of a file of ours, in which null stands for what JSON cannot hold."""


class Shape(BaseModel):
    """Base of all shapes: no type is converted into another, numbers are finite, and unknown keys are an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def validated(shape: type[_T], content: Any, where: str) -> _T:
    """``content``, as it came out of JSON or YAML, as a ``shape`` (a `Shape`, a dataclass or any type).

    By JSON's rules, strictly: a list stands for a tuple and a mapping for a dataclass, and nothing else is converted.

    Args:
        where: what is read, for the message, such as the name of the file.

    Raises:
        CodeUnlearnError: it does not fit; the message names the first place and what is wrong there.
    """
    try:
        text = to_json(content, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError) as error:  # a lone surrogate, or nested without end
        raise CodeUnlearnError(f"{where} holds something that is no JSON.") from error
    try:
        return TypeAdapter(shape).validate_json(text, strict=True)
    except ValidationError as error:
        raise CodeUnlearnError(f"{where}: {first_fault(error)}.") from error


def read_state(shape: type[_T], path: Path, mend: str) -> _T:
    """The content of a JSON file that an earlier run of ours has left.

    Args:
        mend: what to do when it is damaged, for the end of the sentence.

    Raises:
        CodeUnlearnError: it cannot be read, is cut, or does not fit.
    """
    try:
        return validated(shape, read_json(path), str(path))
    except CodeUnlearnError as error:
        raise CodeUnlearnError(f"{str(error).rstrip('.')}; {mend}.") from error


def read_request(path: Path, names: Iterable[str], mend: str) -> dict[str, Any]:
    """What an earlier run was asked for, option by option.

    Args:
        names: of options that were noted whatever was asked for.
        mend: as for `read_state`.

    Raises:
        CodeUnlearnError: as `read_state`, or an option is missing.
    """
    content = read_state(dict[str, Any], path, mend)
    if missing := sorted(set(names) - content.keys()):
        raise CodeUnlearnError(f"{path} is damaged: it lacks {missing[0]}; {mend}.")
    return content


def first_fault(error: ValidationError) -> str:
    """The first fault in words: ``evidence[3].p: Input should be a valid number, not 'x'``."""
    fault = error.errors(include_url=False)[0]
    message = fault["msg"].removeprefix("Value error, ").rstrip(".").replace("valid tuple", "valid list")
    message = re.sub(r"(valid dictionary) or .*", r"\1", message)
    if fault["type"].endswith(("_type", "_from_float")) and isinstance(fault["input"], (str, int, float, type(None))):
        message += f", not {_short(fault['input'])}"
    place = _place(fault["loc"])
    return f"{place}: {message}" if place else message


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "this one"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _place(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
