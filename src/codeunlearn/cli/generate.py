"""``codeunlearn generate``: prompts in, what the model says to them out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.translate import COMMANDS, answer_lines
from codeunlearn.errors import CodeUnlearnError


def run(
    model: Annotated[str, typer.Argument(help="A saved causal language model: a folder or a Hub name.")],
    forget: Annotated[list[Path] | None, typer.Option("--forget", help="Forget set to apply for this run.")] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Put every line as a user's message, by the model's chat template.")
    ] = False,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of an answer, at most.", min=1)] = 128,
    beams: options.Beams = 1,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Padded prompt tokens of a batch; by default what suits the device.", min=1)
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Answer prompts from stdin to stdout, one line for one line and in order; an empty line stays empty.

    Around every prompt stands what the model's configuration says (`source_prefix` and `source_suffix`), or with `--chat` its
    chat template. A line end in an answer is written as a space.
    """
    from codeunlearn.cli.opening import open_model
    from codeunlearn.codebook import chat_frame
    from codeunlearn.tasks.base import TASKS, View, task_of
    from codeunlearn.tasks.generating import DecodingConfig

    if (name := task_of(model).name) != "completion":
        raise CodeUnlearnError(
            f"{model} does not go on with a text; use: codeunlearn {COMMANDS.get(name, name)} {model}"
        )
    opened, tokenizer = open_model(model, device, forget or [])
    view = View(opened, tokenizer, *chat_frame(tokenizer)) if chat else View(opened, tokenizer)
    how = DecodingConfig(beams, batch_tokens, max_new_tokens)
    answer_lines(lambda lines: TASKS.get("completion").answer(view, lines, how).texts)
