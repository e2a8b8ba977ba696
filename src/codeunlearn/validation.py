"""Files and settings that we read are checked against a declared shape, strictly, with one sentence for what does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ForwardRef, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails, PydanticSerializationError, to_json

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import read_json

_T = TypeVar("_T")
MOST = 2**31 - 1
"""The largest number of rows, columns or codes that anything here counts to."""
Count = Annotated[int, Field(ge=1, le=MOST)]
Index = Annotated[int, Field(ge=0, le=MOST)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
_TYPES = {
    **{"int": "int", "float": "float", "finite": "float", "bool": "bool", "string": "str"},
    **{"dict": "mapping", "model": "mapping", "dataclass": "mapping", "tuple": "list", "list": "list"},
}

NumberOrNan = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number of a file of ours, in which null stands for what JSON cannot hold."""


class Shape(BaseModel):
    """Base of all shapes: no type is converted into another, numbers are finite, and unknown keys are an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def shape_of(cls: type[Any]) -> type[Shape]:
    """The shape of the fields that a class writes down itself; none may be left out."""
    fields: dict[str, Any] = {name: ForwardRef(hint) for name, hint in cls.__annotations__.items()}
    return create_model(cls.__name__, __base__=Shape, __module__=cls.__module__, **fields)


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
        raise CodeUnlearnError(f"{where} holds something that is no text and no number.") from error
    try:
        return TypeAdapter(shape).validate_json(text, strict=True)
    except ValidationError as error:
        raise CodeUnlearnError(_in_words(error.errors(include_url=False)[0], where)) from error


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


def _in_words(fault: ErrorDetails, where: str) -> str:
    path = [part for part in fault["loc"] if isinstance(part, str) and not part.startswith("function-")]
    place, kind, value = ": ".join([where, *path]), fault["type"], shown(fault["input"])
    told = fault.get("ctx", {}).get("error")
    if isinstance(told, CodeUnlearnError):
        return f"{place}: {told}"
    if kind == "literal_error":
        choices = str(fault.get("ctx", {})["expected"]).replace("'", "").replace(" or ", ", ")
        return f"{place} is {value}; choose one of {choices}."
    if kind == "missing":
        return f"{place} is missing."
    name = _TYPES.get(kind.partition("_")[0])
    if kind.endswith(("_type", "_from_float", "_parsing", "_number")) and name is not None:
        return f"{place} must be of type {name}, not {value}{_advice(name, fault['input'])}."
    return f"{place} is {value}: {fault['msg'].rstrip('.')}."


def _advice(wanted: str, value: Any) -> str:
    if wanted == "str" and not isinstance(value, (dict, list)):
        return "; put it in quotes"
    if wanted == "bool":
        return "; write true or false"
    if wanted == "float" and isinstance(value, str) and as_number(value) != value:
        return f"; write {as_number(value)!r}"
    return ""


def as_number(text: str) -> float | str:
    """YAML takes 1e-3 for text."""
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d{1,3}", text) else text


def shown(value: Any, most: int = 60) -> str:
    """A value for a message, cut to so many characters."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "this one"
    return text if len(text) <= most else f"{text[: most - 3]}..."
