"""``codeunlearn translate``: lines in, translations out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from codeunlearn.cli import options
from codeunlearn.corpus.lines import LONGEST_LINE, one_line
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import reason

LINES_AT_ONCE = 1024
COMMANDS = {
    "translation": "translate",
    "summarization": "translate",
    "completion": "generate",
    "classification": "classify",
}
"""The command that asks a model, by its task."""


def run(
    model: Annotated[str, typer.Argument(help="A saved model: a folder or a Hub name.")],
    forget: Annotated[list[Path] | None, typer.Option("--forget", help="Forget set to apply for this run.")] = None,
    beams: Annotated[int, typer.Option(help="Beams of the search; 1 is greedy.", min=1)] = 1,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Padded source tokens of a batch; by default what suits the device.", min=1)
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Translate lines from stdin to stdout, or summarise them, one for one and in order; an empty line stays empty.

    Both are UTF-8. Tabs, form feeds and other line separators in a line are read as spaces, and invisible characters are
    left out.
    """
    from codeunlearn.cli.opening import open_model
    from codeunlearn.tasks.base import View, task_of
    from codeunlearn.tasks.generating import DecodingConfig

    view, how = View(*open_model(model, device, forget or [])), DecodingConfig(beams, batch_tokens)
    task = task_of(view.model)
    if (command := COMMANDS.get(task.name, "translate")) != "translate":
        raise CodeUnlearnError(f"{model} does not translate; use: codeunlearn {command} {model}")
    answer_lines(lambda lines: task.answer(view, lines, how).texts)


def answer_lines(ask: Callable[[list[str]], list[str]]) -> None:
    """Writes to standard output what ``ask`` makes of the lines of standard input, one for one and in order.

    Raises:
        CodeUnlearnError: as `read_lines`.
    """
    for lines in _chunks(read_lines(sys.stdin and sys.stdin.buffer)):
        # UTF-8 as the input is, whatever the terminal's encoding
        sys.stdout.buffer.write("".join(f"{one_line(text)}\n" for text in ask(lines)).encode())
        sys.stdout.buffer.flush()


def read_lines(stream: BinaryIO | None) -> Iterator[str]:
    """The sentences of standard input, in order; a line feed ends one, and so does the end of the input.

    Raises:
        CodeUnlearnError: a line is not UTF-8 text, or longer than any text; there is no input, or it cannot be read.
    """
    if stream is None:
        raise CodeUnlearnError("There is no standard input; give the sentences there, one a line.")
    try:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 1), b""), start=1):
            yield one_line(_decoded(line, number))
    except OSError as error:
        raise CodeUnlearnError(f"The input cannot be read ({reason(error)}).") from error


def _decoded(line: bytes, number: int) -> str:
    if len(line) > LONGEST_LINE:
        raise CodeUnlearnError(
            f"Line {number} of the input is longer than {LONGEST_LINE:,} bytes; put one sentence a line."
        )
    if 0 in line:
        raise CodeUnlearnError(
            f"Line {number} of the input holds a null byte, as UTF-16 does; convert it to UTF-8, for instance with iconv."
        )
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise CodeUnlearnError(
            f"Line {number} of the input is not UTF-8; convert it, for instance with iconv."
        ) from None


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, LINES_AT_ONCE)):
        yield chunk
