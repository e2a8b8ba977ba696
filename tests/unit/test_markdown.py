"""Names of others stand in our Markdown as they are written, and nothing in them is live."""

from __future__ import annotations

import re

import pytest

from codeunlearn.markdown import cell, literal, prose

HARMLESS = (
    "love",
    "notre dame",
    "D'_T",
    "en-fr_mini.v2",
    "3 * 4 < 13",
    "50 % [1.0, 2.0]",
    "R&B",
    "aujourd’hui ; non ?",
)
LIVE = (
    "![x](http://evil.example/x.png)",
    "[x](http://evil.example)",
    "[x][y]",
    "<img src=x onerror=alert(1)>",
    "<https://evil.example>",
    "see https://evil.example",
    "www.evil.example",
    "me@evil.example",
    "&lt;script&gt;",
    "**bold**",
    "_love_",
    "~gone~",
    "$x$",
    "a `b` c",
    r"\*x",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert literal(text) == cell(text) == prose(text) == text


@pytest.mark.parametrize("text", LIVE)
def test_what_would_be_live_is_code(text: str) -> None:
    fence = re.match("`+", literal(text))
    assert fence is not None
    assert literal(text).strip("`").strip() == text.strip("`")
    assert fence[0] not in literal(text)[len(fence[0]) : -len(fence[0])]


@pytest.mark.parametrize("text", LIVE)
def test_in_a_sentence_every_mark_is_escaped(text: str) -> None:
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", prose(text)) == text
    assert not re.search(r"(?<!\\)(\\\\)*[`*_\[\]<~$&:@]", prose(text))


@pytest.mark.parametrize("text", [r"a|b", r"a\|<img src=x>", r"\\|", "||", "`|`"])
def test_a_cell_ends_where_we_end_it(text: str) -> None:
    assert not re.search(r"(?<!\\)\||\\\\\|", cell(text))


def test_a_name_is_one_line() -> None:
    assert literal("a\n# b\r\n\x1b[31mc\u2028d") == "a # b �[31mc d"
