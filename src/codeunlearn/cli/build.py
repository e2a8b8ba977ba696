"""``codeunlearn build``: a bottleneck for a trained model, from data alone."""

from __future__ import annotations

from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import say
from codeunlearn.cli.train import completing


def run(
    *,
    text: options.Text,
    base: Annotated[str, typer.Option("--base", help="A trained T5: a folder or a Hub name.")],
    out: options.Out,
    shape: options.Shape,
    fit_tokens: Annotated[int | None, typer.Option(help="Tokens from which the decoder is solved.", min=1)] = None,
    new_basis: Annotated[bool, typer.Option(help="Layers behind the bottleneck work in a basis of their own.")] = True,
    source_prefix: options.SourcePrefix = None,
    attribution: Annotated[str | None, typer.Option(help="Source and terms of the data, for the model card.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Put a bottleneck into a trained model without training it: codes from real tokens, decoder by least squares."""
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.run import build

    start = BuildConfig(**options.given(fit_tokens=fit_tokens, seed=seed, new_basis=new_basis))
    complete = completing(out, attribution, json)
    prefix = source_prefix or ""
    record = build(text.config(), base, out, start, options.given(shape), prefix, device, complete=complete)
    say(f"Built in {record['seconds']} s; unexplained variance {record['unexplained_variance']:.2f}.")
    say(f"The model is in {out}.")
