"""``codeunlearn classify``: texts in, the names of their classes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.translate import COMMANDS, answer_lines
from codeunlearn.errors import CodeUnlearnError


def run(
    model: Annotated[str, typer.Argument(help="A saved classifier of texts: a folder or a Hub name.")],
    forget: Annotated[list[Path] | None, typer.Option("--forget", help="Forget set to apply for this run.")] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Padded tokens of a batch; by default what suits the device.", min=1)
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Name the class of every line of stdin on stdout, one for one and in order."""
    from codeunlearn.cli.opening import open_model
    from codeunlearn.tasks.base import TASKS, View, task_of
    from codeunlearn.tasks.generating import DecodingConfig

    if (name := task_of(model).name) != "classification":
        raise CodeUnlearnError(
            f"{model} is no classifier of texts; use: codeunlearn {COMMANDS.get(name, name)} {model}"
        )
    view, how = View(*open_model(model, device, forget or [])), DecodingConfig(batch_tokens=batch_tokens)
    answer_lines(lambda lines: TASKS.get("classification").answer(view, lines, how).texts)
