"""``codeunlearn recall``: what a language model itself says of a subject, as text to search on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import progress, say
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_target, write_text


def run(
    *,
    model: Annotated[str, typer.Argument(help="A saved causal language model: a folder or a Hub name.")],
    subject: Annotated[str, typer.Option(help="One or several subjects, separated by commas.")],
    out: Annotated[Path, typer.Option("--out", help="A text file, one sentence a line.", dir_okay=False)],
    sentences: Annotated[int, typer.Option(help="Sentences on each subject, at most.", min=1)] = 400,
    beside: Annotated[
        Path | None, typer.Option(help="Text of your own, one sentence a line, to stand before them in the file.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Of the draws; 1 is the model's own distribution.", min=0.01)
    ] = 1.0,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Let a language model say what it holds of a subject, where your own text says little of it.

    The sentences are drawn from the model, right or wrong, and serve as `--data` of `forget`. Subjects that are told apart (a
    country and its neighbours, say) are best asked for together.
    """
    from codeunlearn.cli.opening import open_model
    from codeunlearn.corpus.lines import read_sentences
    from codeunlearn.corpus.recalling import RecallConfig, recall

    subjects = options.words(subject)
    if not subjects:
        raise CodeUnlearnError("--subject names nothing; give one or several subjects, separated by commas.")
    if out.suffix != ".txt":
        raise CodeUnlearnError(f"{out} is to be read as text again; give it a name that ends in .txt.")
    check_target(out)
    own = read_sentences(beside) if beside is not None else []
    opened, tokenizer = open_model(model, device)
    said: list[str] = []
    config = RecallConfig(sentences=sentences, temperature=temperature, seed=seed)
    for one in subjects:
        with progress(f"Asking about {one!r}") as show:
            found = recall(opened, tokenizer, one, config, show)
        if not found:
            raise CodeUnlearnError(f"The model says nothing with {one!r}; write it as within a sentence.")
        say(f"{len(found)} sentences on {one!r}.")
        said += found
    write_text(out, "".join(f"{sentence}\n" for sentence in (*own, *said)))
    say(f"The text is in {out}. Use it: codeunlearn forget {model} --topic {subjects[0]} --data {out} --out FILE")
