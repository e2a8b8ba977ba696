"""``codeunlearn translate``: lines in, translations out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import quiet_libraries
from codeunlearn.errors import CodeUnlearnError

LINES_AT_ONCE = 1024


def run(
    model: Annotated[str, typer.Argument(help="A saved model: a folder or a Hub name.")],
    forget: Annotated[list[Path] | None, typer.Option("--forget", help="Forget set to apply for this run.")] = None,
    beams: Annotated[int, typer.Option(help="Beams of the search; 1 is greedy.", min=1)] = 1,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Padded source tokens of a batch; by default what suits the device.", min=1)
    ] = None,
    config: options.Config = None,
    device: options.Device = "auto",
) -> None:
    """Translate lines from stdin to stdout, in order; an empty line stays empty."""
    quiet_libraries()
    from codeunlearn.cli.opening import open_model
    from codeunlearn.evaluation.translate import translate

    opened, tokenizer = open_model(model, device, forget or [])
    for lines in _chunks(_decoded(sys.stdin.buffer)):
        texts = translate(opened, tokenizer, lines, num_beams=beams, batch_tokens=batch_tokens)
        sys.stdout.write("".join(f"{text}\n" for text in texts))
        sys.stdout.flush()


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise CodeUnlearnError(
                f"Line {number} of the input is not UTF-8; convert it, for instance with iconv."
            ) from None


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, LINES_AT_ONCE)):
        yield chunk
