"""From YAML and ``KEY=VALUE`` lines to nested dataclasses, with an error in words for every key and value that does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml

from codeunlearn.errors import CodeUnlearnError

_Config = TypeVar("_Config")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        CodeUnlearnError: it cannot be read, or holds something else.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise CodeUnlearnError(f"The configuration {path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise CodeUnlearnError(f"The configuration {path} must hold `option: value` lines.")
    return cast(dict[str, Any], content)


def read(cls: type[_Config], content: Mapping[str, Any], where: str) -> _Config:
    """A dataclass from its mirror in YAML; lists become tuples, and mappings the dataclasses that belong there.

    Raises:
        CodeUnlearnError: a key is unknown or missing.
    """
    hints = get_type_hints(cls)
    names = [f.name for f in fields(cast(Any, cls))]
    if unknown := sorted(set(content) - set(names)):
        raise CodeUnlearnError(f"{where} sets {unknown[0]!r}, which is none of {', '.join(names)}.")
    values = {key: checked(hints[key], value, f"{where}: {key}") for key, value in content.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise CodeUnlearnError(f"{where} is not complete: {str(error).partition(') ')[2] or error}.") from error


def checked(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type ``hint`` wants it.

    Raises:
        CodeUnlearnError: it cannot be.
    """
    kind = get_origin(hint)
    if kind in (Union, UnionType):
        kinds = [one for one in get_args(hint) if one is not type(None)]
        return None if value is None else checked(kinds[0], value, where)
    if kind is tuple:
        items = cast(list[Any], value) if isinstance(value, list) else [value]
        return tuple(checked(get_args(hint)[0], item, where) for item in items)
    if kind is Literal:
        if value not in get_args(hint):
            raise CodeUnlearnError(f"{where} is {value!r}; choose one of {', '.join(map(str, get_args(hint)))}.")
        return value
    if is_dataclass(hint):
        first = fields(hint)[0].name
        content = cast(dict[str, Any], value) if isinstance(value, dict) else {first: value}
        return read(cast(type[Any], hint), content, where)
    wanted = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}.get(hint)
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and hint is not bool)):
        raise CodeUnlearnError(f"{where} must be of type {hint.__name__}, not {value!r}.")
    if kind is not None and issubclass(kind, Mapping) and not isinstance(value, dict):
        raise CodeUnlearnError(f"{where} must hold `option: value` lines, not {value!r}.")
    return value


def merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with ``changes``, key by key however deep."""
    result = dict(content)
    for key, value in changes.items():
        inner = result.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        result[key] = merged(cast(dict[str, Any], inner), cast(dict[str, Any], value)) if both else value
    return result


def settings_of(entries: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` lines nested as in the file: ``a.b=1`` is ``{"a": {"b": 1}}``; values are YAML.

    Raises:
        CodeUnlearnError: an entry is not of this form.
    """
    settings: dict[str, Any] = {}
    for entry in entries:
        path, equals, text = entry.partition("=")
        if not equals or not all(path.split(".")):
            raise CodeUnlearnError(f"--set takes KEY=VALUE, such as joint.train.max_steps=20; got {entry}.")
        try:
            value: Any = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise CodeUnlearnError(f"The value of --set {entry} is not YAML.") from error
        if isinstance(value, str):
            value = _as_number(value)
        for key in reversed(path.split(".")):
            value = {key: value}
        settings = merged(settings, value)
    return settings


def _as_number(text: str) -> float | str:
    """YAML takes 1e-3 for text."""
    try:
        return float(text)
    except ValueError:
        return text
