"""Small changes of good content, for hypothesis and for the soak: one value of another kind, gone, doubled or moved."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

STRANGE: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3.5, 1e308, float("nan"), float("inf"), 10**18, 10**30, "", " ", "x", "1", "0.5", "\x00",
    "é" * 300, "../x", "[/b]", "\ud800", [], [None], [1, "a"], {}, {"a": 1}, [[[[]]]],
]  # fmt: skip
"""What is put in place of a value."""
Path = tuple[str | int, ...]


def places(content: Any, at: Path = ()) -> Iterator[Path]:
    """The path to every value of nested content, the whole first."""
    yield at
    items: Any = (
        content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    )
    for key, value in items:
        yield from places(value, (*at, key))


def value_at(content: Any, path: Path) -> Any:
    for key in path:
        content = content[key]
    return content


def replaced(content: Any, path: Path, value: Any) -> Any:
    """A copy of the content with another value at the path."""
    if not path:
        return value
    result = copy.deepcopy(content)
    value_at(result, path[:-1])[path[-1]] = value
    return result


def removed(content: Any, path: Path) -> Any:
    result = copy.deepcopy(content)
    del value_at(result, path[:-1])[path[-1]]
    return result


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same in JSON; 1 and 1.0 and true do not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def changed_json(content: Any) -> st.SearchStrategy[str]:
    """The text of ``content`` with one value replaced or gone, or cut short."""
    whole = json.dumps(content)
    everywhere = list(places(content))
    inner = [path for path in everywhere if path]
    replacing = st.tuples(st.sampled_from(everywhere), st.sampled_from(STRANGE)).map(
        lambda chosen: replaced(content, *chosen)
    )
    removing = st.sampled_from(inner).map(lambda path: removed(content, path))
    changed = st.one_of(replacing, removing).filter(lambda new: not same(new, content)).map(json.dumps)
    return st.one_of(changed, st.integers(0, len(whole) - 1).map(lambda end: whole[:end]))


def draw_changed_json(content: Any, random: random.Random) -> tuple[str, str]:
    """As `changed_json`, out of a seeded generator; with what was done, in words."""
    while True:
        path = random.choice(list(places(content)))
        where = ".".join(map(str, path)) or "all"
        kind = random.random()
        if kind < 0.1:
            text = json.dumps(content)
            end = random.randrange(len(text))
            return text[:end], f"cut at {end} of {len(text)}"
        if kind < 0.25 and path:
            return json.dumps(removed(content, path)), f"without {where}"
        value = random.choice(STRANGE)
        if not same(value_at(content, path), value):
            return json.dumps(replaced(content, path, value)), f"{where} = {str(value)[:40]!r}"


def draw_changed_bytes(content: bytes, random: random.Random) -> tuple[bytes, str]:
    """Bytes that are cut, flipped, doubled or gone."""
    kind = random.choice(["cut", "flip", "insert", "remove", "zero"])
    at = random.randrange(len(content))
    length = min(random.choice([1, 2, 8, 64]), len(content) - at)
    if kind == "cut":
        return content[:at], f"cut at {at}"
    if kind == "flip":
        return content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :], f"bit at {at}"
    if kind == "insert":
        return content[:at] + random.randbytes(length) + content[at:], f"{length} bytes put in at {at}"
    if kind == "zero":
        return content[:at] + bytes(length) + content[at + length :], f"{length} bytes zero at {at}"
    return content[:at] + content[at + length :], f"{length} bytes gone at {at}"
