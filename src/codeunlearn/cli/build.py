"""``codeunlearn build``: a bottleneck for a trained model, from data alone."""

from __future__ import annotations

from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import quiet_libraries, say
from codeunlearn.cli.train import completing


def run(
    data: options.Data,
    base: Annotated[str, typer.Option("--base", help="A trained T5: a folder or a Hub name.")],
    out: options.Out,
    config: options.Config = None,
    data_config: options.DataSetConfig = None,
    source_column: options.SourceColumn = None,
    target_column: options.TargetColumn = None,
    limit: options.Limit = None,
    num_codes: Annotated[int | None, typer.Option(help="K, codes in the codebook.", min=1)] = None,
    code_dim: Annotated[int | None, typer.Option(help="F, numbers per code.", min=1)] = None,
    top_s: Annotated[int | None, typer.Option(help="S, codes per token.", min=1)] = None,
    layer: Annotated[
        int | None, typer.Option(help="Encoder layer of the bottleneck, from 0; the paper's is 2.", min=0)
    ] = None,
    fit_tokens: Annotated[int | None, typer.Option(help="Tokens from which the decoder is solved.", min=1)] = None,
    new_basis: Annotated[bool, typer.Option(help="Layers behind the bottleneck work in a basis of their own.")] = True,
    source_prefix: options.SourcePrefix = None,
    attribution: Annotated[str | None, typer.Option(help="Source and terms of the data, for the model card.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Put a bottleneck into a trained model without training it: codes from real tokens, decoder by least squares."""
    quiet_libraries()
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.run import build

    pairs = options.data_config(data, data_config, source_column, target_column, limit)
    shape = options.given(num_codes=num_codes, code_dim=code_dim, top_s=top_s, layer=layer)
    settings = options.given(fit_tokens=fit_tokens, seed=seed, new_basis=new_basis)
    complete = completing(out, attribution, json)
    record = build(pairs, base, out, BuildConfig(**settings), shape, source_prefix or "", device, complete=complete)
    say(f"Built in {record['seconds']} s; unexplained variance {record['unexplained_variance']:.2f}.")
    say(f"The model is in {out}.")
