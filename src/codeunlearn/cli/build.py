"""``codeunlearn build``: a bottleneck for a trained model, from data alone."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import progress, say
from codeunlearn.cli.train import completing
from codeunlearn.errors import CodeUnlearnError

_SWITCHES = {"adapter": "--adapter/--full", "new_basis": "--new-basis/--no-new-basis"}


def run(
    *,
    text: options.Text,
    base: Annotated[str, typer.Option("--base", help="A trained model: a folder or a Hub name.")],
    out: options.Out,
    shape: options.Shape,
    fit_tokens: Annotated[
        int | None, typer.Option(help="Tokens that are read besides those that become codes.", min=1)
    ] = None,
    new_basis: Annotated[
        bool | None,
        typer.Option(
            help="Layers behind the bottleneck work in a basis of their own; where the model allows it if absent."
        ),
    ] = None,
    source_prefix: options.SourcePrefix = None,
    source_suffix: options.SourceSuffix = None,
    chat: options.Chat = False,
    purpose: options.Purpose,
    adapter: Annotated[
        bool | None,
        typer.Option("--adapter/--full", help="Save the bottleneck alone; so it is for causal models if absent."),
    ] = None,
    grow: Annotated[
        int | None,
        typer.Option(
            help="Add so many codes to the codebook of --base, for what it explains badly; its codes and forget sets stay.",
            min=1,
        ),
    ] = None,
    attribution: Annotated[str | None, typer.Option(help="Source and terms of the data, for the model card.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Put a bottleneck into a trained model without training it: codes from real tokens, decoder by least squares."""
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.run import add_codes, build

    complete, settings = completing(out, attribution, json), options.given(shape)
    framed = options.given(purpose, source_prefix=source_prefix, source_suffix=source_suffix, chat=chat or None)
    of_new = {**settings, **framed, **options.given(new_basis=new_basis, adapter=adapter)}
    start = BuildConfig(new_basis=new_basis, **options.given(fit_tokens=fit_tokens, seed=seed))
    if grow is not None and of_new:
        raise CodeUnlearnError(
            f"--grow keeps the codebook as it is, and {_option(min(of_new))} is for a new one; leave one out."
        )
    with progress("Reading text") as show:
        if grow is None:
            of_build: dict[str, Any] = {
                **framed,
                "adapter": adapter,
                "device": device,
                "progress": show,
                "complete": complete,
            }
            record = build(text.config(), base, out, start, settings, **of_build)
        else:
            record = add_codes(text.config(), base, out, start, grow, device, progress=show, complete=complete)
    was = "" if grow is None else f", before {record['unexplained_variance_before']:.2f}"
    say(f"Built in {record['seconds']} s; unexplained variance {record['unexplained_variance']:.2f}{was}.")
    say(f"The model is in {out}.")


def _option(name: str) -> str:
    """As the command has it, with its opposite where that has a name."""
    return _SWITCHES.get(name, f"--{name.replace('_', '-')}")
