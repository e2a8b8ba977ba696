"""What is live in Markdown, for those who look at a model card: pictures, links, HTML, cells and headings not ours."""

from __future__ import annotations

import re
from itertools import pairwise

_ESCAPED = re.compile(r"\\[!-/:-@\[-`{-~]")
_CODE = re.compile(r"(`+)(?:.|\n)+?\1(?!`)")
_LIVE = {
    "HTML": re.compile(r"<[a-zA-Z/!?]"),
    "a picture": re.compile(r"!\[[^\]]*\][\[(]"),
    "a control character": re.compile(r"[\x00-\x08\x0b-\x1f\x7f]"),
}
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)]*)\)|<(?P<bare>https?:[^>]*)>|(?P<plain>https?://example\.org\S*)")


def live(text: str) -> list[str]:
    """What a renderer would not show as plain text, in a card of which no line has any of it on purpose but links of ours."""
    body = text.split("---\n", 2)[-1]
    body = _CODE.sub("", _ESCAPED.sub("", body))
    found = [
        f"{what}: {body[match.start() : match.start() + 40]!r}"
        for what, pattern in _LIVE.items()
        for match in pattern.finditer(body)
    ]
    found += [f"a link: {match.group(0)}" for match in _LINK.finditer(body) if "example.org" in match.group(0)]
    found += [f"a heading: {line}" for line in body.splitlines() if re.match(r"#{1,6} b$|b$|---$|# b", line)]
    rows = [line for line in body.splitlines() if line.startswith("|")]
    found += [
        f"cells: {row}"
        for before, row in pairwise(rows)
        if _cells(row) != _cells(before) and _adjacent(body, before, row)
    ]
    return found


def _cells(row: str) -> int:
    return row.count("|")


def _adjacent(body: str, one: str, other: str) -> bool:
    return f"{one}\n{other}" in body
