"""``codeunlearn index``: the codes of a whole corpus, so that later searches need the model only for their controls."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, progress, quiet_libraries, say


def run(
    model: Annotated[str, typer.Argument(help="A saved model with a bottleneck.")],
    data: options.Data,
    out: options.Out,
    pool: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Topics are searched on the train pool.")
    ] = "train",
    depth: Annotated[int, typer.Option(help="Codes kept per token: the largest S' that can be asked.", min=1)] = 104,
    batch_tokens: Annotated[
        int | None,
        typer.Option(help="Padded tokens in one pass through the encoder; by default what suits the device.", min=1),
    ] = None,
    config: options.Config = None,
    data_config: options.DataSetConfig = None,
    source_column: options.SourceColumn = None,
    target_column: options.TargetColumn = None,
    limit: options.Limit = None,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Store the codes of every sentence of a corpus: `forget` and `sweep` then take `--index`.

    What a killed run has finished is kept; the same command goes on.
    """
    quiet_libraries()
    from dataclasses import asdict

    from codeunlearn.cli.opening import open_model
    from codeunlearn.cli.topics import read_pools
    from codeunlearn.record import public_name
    from codeunlearn.unlearning import build_index

    text = options.data_config(data, data_config, source_column, target_column, limit)
    sentences = read_pools(text, pool)[pool]["source"]
    opened, tokenizer = open_model(model, device)
    with progress("Reading the corpus") as show:
        index = build_index(
            opened,
            tokenizer,
            sentences,
            out,
            depth=depth,
            batch_tokens=batch_tokens,
            details={"model": public_name(model), "data": public_name(data), "pool": pool},
            progress=show,
        )
    info = index.info
    emit_json(json, asdict(info))
    say(
        f"{info.sentences:,} sentences ({info.tokens:,} tokens) in {info.seconds:.0f} s, {info.bytes / 1e6:.0f} MB. "
        f"Use it: codeunlearn forget {model} --topic WORD --data {data} --index {out} --out FILE"
    )
