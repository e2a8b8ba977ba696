"""``codeunlearn translate`` gives one line for one line, in order, whatever the lines hold."""

from __future__ import annotations

import sys
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from codeunlearn.cli import opening
from codeunlearn.cli.translate import LINES_AT_ONCE, read_lines, run
from codeunlearn.corpus.lines import LONGEST_LINE, one_line
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.translation import Translation

ODD = [
    "a\tdog",
    "a\u200b dog",
    "a\u2028dog",
    "a\rdog",
    "a\x0bdog\x0c",
    "\ufeffa dog",
    "a\u00a0dog",
    "</s>",
    "a </s> dog",
    "犬 🐕",
]


class Standard:
    """A standard stream as Python has it: text around bytes."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = BytesIO(content)


def test_tabs_and_line_separators_are_spaces_and_nothing_invisible_is_left() -> None:
    lines = list(read_lines(BytesIO("\n".join(ODD[:7]).encode())))
    assert lines == ["a dog", "a dog", "a dog", "a dog", "a dog", "a dog", "a\u00a0dog"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_empty_line_is_a_line_and_the_last_needs_no_end(end: bytes) -> None:
    assert list(read_lines(BytesIO(end.join([b"", b"a", b"", b"b"])))) == ["", "a", "", "b"]
    assert list(read_lines(BytesIO(end.join([b"a", b""])))) == ["a"]
    assert list(read_lines(BytesIO(b""))) == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), max_size=8)))
def test_there_are_as_many_lines_as_line_feeds(written: list[str]) -> None:
    read = list(read_lines(BytesIO("".join(f"{line}\n" for line in written).encode())))
    assert len(read) == len(written)
    assert all(len(line.splitlines()) < 2 for line in read)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a dog\n\xff\xfea\n", "Line 2 of the input is not UTF-8"),
        ("a dog\n".encode("utf-16"), "Line 1 of the input holds a null byte, as UTF-16 does"),
        ("a dog\n".encode("utf-16-le"), "Line 1 of the input holds a null byte"),
        (b"a dog\n" + b"x" * (LONGEST_LINE + 1), "Line 2 of the input is longer than"),
    ],
)
def test_input_that_is_no_text_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(CodeUnlearnError, match=message) as caught:
        list(read_lines(BytesIO(content)))
    assert "\n" not in str(caught.value)


class Broken(BytesIO):
    """A terminal that went away."""

    def readline(self, _size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("stream", "message"), [(None, "There is no standard input"), (Broken(), "Input/output error")]
)
def test_no_input_is_one_clear_error(stream: BytesIO | None, message: str) -> None:
    with pytest.raises(CodeUnlearnError, match=message):
        list(read_lines(stream))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tiny_model: Any, tiny_tokenizer: PreTrainedTokenizerFast) -> Any:
    """Runs the command with a tiny model on lines; gives what it wrote."""

    def translated(content: bytes) -> bytes:
        monkeypatch.setattr(opening, "open_model", lambda *_: (tiny_model, tiny_tokenizer))
        monkeypatch.setattr(sys, "stdin", Standard(content))
        monkeypatch.setattr(sys, "stdout", Standard())
        run("model")
        out: Any = sys.stdout
        return out.buffer.getvalue()

    return translated


def test_one_line_comes_out_for_one_line_in_order(command: Any) -> None:
    lines = [*ODD, "", " ", *["the cat sees a dog"] * LINES_AT_ONCE, "a dog runs"]
    out = command("".join(f"{line}\n" for line in lines).encode()).decode().splitlines()
    assert len(out) == len(lines)
    assert out[len(ODD)] == out[len(ODD) + 1] == ""
    assert len(set(out[len(ODD) + 2 : -1])) == 1
    assert out[:3] == [command(f"{one_line(line)}\n".encode()).decode().rstrip("\n") for line in lines[:3]]


def test_a_line_break_in_a_translation_breaks_no_alignment(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(_: Translation, view: Any, lines: list[str], how: Any) -> Any:
        return SimpleNamespace(texts=[f"{line}\n\u2028œ\u00a0!" for line in lines])

    monkeypatch.setattr(Translation, "answer", said)
    assert command(b"a\nb\n").decode() == "a œ\u00a0!\nb œ\u00a0!\n"
