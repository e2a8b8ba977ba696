"""From YAML and ``KEY=VALUE`` lines to nested dataclasses, with a sentence for every key and value that does not fit.

The YAML is the part of it that mirrors JSON: each key once, and a text; true and false are the only truth values, so that
``no`` is a word; numbers in decimal digits alone, so that ``1:30``, ``017`` and ``1_000`` are text; no tags of other kinds
and no dates. What stands elsewhere in the file may be named (``&name``, ``*name``), within bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import read_text, reason
from codeunlearn.validation import as_number, shown, validated

_Config = TypeVar("_Config")
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
_MOST = 2**63 - 1
_MOST_VALUES = 10_000
_WORDS = {"yes": True, "on": True, "no": False, "off": False}
"""What older YAML takes for true and false; here only where a truth value is wanted."""


class _Loader(yaml.SafeLoader):
    """YAML without what could surprise: see the module's docstring."""

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None and _size(node, {}) > _MOST_VALUES:
            raise yaml.MarkedYAMLError(
                None, None, f"written out, it holds more than {_MOST_VALUES:,} values", node.start_mark
            )
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(None, None, "a key is no text; put it in quotes", key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"{key.value} stands here a second time", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _size(node: Any, known: dict[int, int | None]) -> int:
    """Values in a node with every ``*name`` written out."""
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise yaml.MarkedYAMLError(None, None, "what is named here holds itself", node.start_mark)
        return size
    known[id(node)] = None
    parts: list[Any] = [] if isinstance(node, yaml.ScalarNode) else node.value
    inner = [part for entry in parts for part in (entry if isinstance(entry, tuple) else (entry,))]
    size = 1 + sum(_size(part, known) for part in inner)
    known[id(node)] = size
    return size


_Loader.yaml_constructors = {
    tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag in {*_TAGS, None}
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag in _TAGS and not tag.endswith(("bool", "int", "float"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS = {  # as JSON has them, with the capitals and the bare points of YAML 1.2
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "float": (
        r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


def _checked_scalar(kind: str, pattern: re.Pattern[str]) -> Callable[[Any, Any], Any]:
    """A value that is tagged (``!!int 1:30``) keeps to the same rules as one that is not."""
    construct = yaml.SafeLoader.yaml_constructors[f"tag:yaml.org,2002:{kind}"]

    def make(loader: Any, node: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode) or not pattern.match(node.value):
            raise yaml.MarkedYAMLError(None, None, f"what stands here is no {kind}", node.start_mark)
        return construct(loader, node)

    return make


for _kind, (_spelling, _first) in _SCALARS.items():
    _whole = re.compile(rf"(?:{_spelling})\Z")  # the resolver would be content with a beginning
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _whole, list(_first))
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _checked_scalar(_kind, _whole))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        CodeUnlearnError: it cannot be read, or holds something else.
    """
    content = _parsed(read_text(path), f"The configuration {path}")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise CodeUnlearnError(f"The configuration {path} must hold `option: value` lines.")
    return cast(dict[str, Any], content)


def _parsed(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CodeUnlearnError(f"{where} cannot be read: {error.problem or reason(error)}{line}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number or a nesting without end
        raise CodeUnlearnError(f"{where} cannot be read: {reason(error)}.") from error


def read(cls: type[_Config], content: Mapping[str, Any], where: str) -> _Config:
    """A dataclass from its mirror in YAML; lists become tuples, and mappings the dataclasses that belong there.

    What stands alone is the one item of a list, or the first field of a dataclass.

    Raises:
        CodeUnlearnError: a key is unknown or missing, or a value is of another type; the message names its place.
    """
    return checked(cls, dict(content), where)


def checked(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type ``hint`` wants it, as in `read`.

    Raises:
        CodeUnlearnError: it cannot be.
    """
    return validated(hint, _written_out(hint, value, where), where)


def _written_out(hint: Any, value: Any, where: str) -> Any:
    """The value with lists and mappings wherever the type wants them, and no key too many or too few."""
    kind = get_origin(hint)
    if kind is Annotated:
        return _written_out(get_args(hint)[0], value, where)
    if kind in (Union, UnionType):
        return None if value is None else _written_out(_meant(hint, value), value, where)
    if kind is tuple:
        items = cast(list[Any], value) if isinstance(value, list) else [value]
        return [_written_out(get_args(hint)[0], item, where) for item in items]
    if is_dataclass(hint):
        content = cast(dict[str, Any], value) if isinstance(value, dict) else {fields(hint)[0].name: value}
        return _fields_written_out(hint, content, where)
    if hint is bool and isinstance(value, str):
        return _WORDS.get(value.lower(), value)
    if isinstance(value, float) and not math.isfinite(value):
        raise CodeUnlearnError(f"{where} must be a number, not {value}.")
    if type(value) is int and abs(value) > _MOST:
        raise CodeUnlearnError(f"{where} must be a number of at most 19 digits, not {shown(value)}.")
    return value


def _meant(hint: Any, value: Any) -> Any:
    """Which of several types a value is to have: a mapping is for the dataclass, all else for the first of the others."""
    kinds = [one for one in get_args(hint) if one is not type(None)]
    wanted = [one for one in kinds if is_dataclass(one) == isinstance(value, dict)]
    return (wanted or kinds)[0]


def _fields_written_out(cls: Any, content: Mapping[str, Any], where: str) -> dict[str, Any]:
    hints, own = get_type_hints(cls, include_extras=True), fields(cls)
    if unknown := [key for key in content if key not in hints]:
        raise CodeUnlearnError(f"{where} sets {unknown[0]!r}, which is none of {', '.join(f.name for f in own)}.")
    needed = [f.name for f in own if f.default is MISSING and f.default_factory is MISSING]
    if missing := [repr(name) for name in needed if name not in content]:
        raise CodeUnlearnError(f"{where} is not complete: missing {', '.join(missing)}.")
    return {key: _written_out(hints[key], value, f"{where}: {key}") for key, value in content.items()}


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
            value: Any = _parsed(text, "it")
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"The value of --set {entry} is not YAML that can be used: {error}") from error
        if isinstance(value, str):
            value = as_number(value)
        for key in reversed(path.split(".")):
            value = {key: value}
        settings = merged(settings, value)
    return settings
