"""``codeunlearn build``: a bottleneck for a trained model, from data alone."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import progress, say
from codeunlearn.cli.train import completing


def run(
    *,
    text: options.Text,
    base: Annotated[str, typer.Option("--base", help="A trained model: a folder or a Hub name.")],
    out: options.Out,
    shape: options.Shape,
    fit_tokens: Annotated[int | None, typer.Option(help="Tokens from which the decoder is solved.", min=1)] = None,
    new_basis: Annotated[
        bool | None,
        typer.Option(
            help="Layers behind the bottleneck work in a basis of their own; where the model allows it if absent."
        ),
    ] = None,
    source_prefix: options.SourcePrefix = None,
    source_suffix: options.SourceSuffix = None,
    chat: options.Chat = False,
    adapter: Annotated[
        bool | None,
        typer.Option("--adapter/--full", help="Save the bottleneck alone; so it is for causal models if absent."),
    ] = None,
    attribution: Annotated[str | None, typer.Option(help="Source and terms of the data, for the model card.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Put a bottleneck into a trained model without training it: codes from real tokens, decoder by least squares."""
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.run import build

    start = BuildConfig(new_basis=new_basis, **options.given(fit_tokens=fit_tokens, seed=seed))
    complete = completing(out, attribution, json)
    around: dict[str, Any] = {"source_prefix": source_prefix or "", "source_suffix": source_suffix or "", "chat": chat}
    settings = options.given(shape)
    around |= {"adapter": adapter, "complete": complete}
    with progress("Reading text") as show:
        record = build(text.config(), base, out, start, settings, device=device, progress=show, **around)
    say(f"Built in {record['seconds']} s; unexplained variance {record['unexplained_variance']:.2f}.")
    say(f"The model is in {out}.")
