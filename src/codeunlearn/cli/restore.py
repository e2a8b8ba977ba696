"""``codeunlearn restore``: takes a deletion back that was not committed."""

from __future__ import annotations

from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, say


def run(
    model: Annotated[str, typer.Argument(help="A saved model that has forgotten something.")],
    out: options.Out,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="Topic to take back; all of them if absent.")
    ] = None,
    json: options.Json = None,
) -> None:
    """Save a model that remembers a topic again, as long as the deletion was not committed."""
    from codeunlearn.cli.opening import save_copy
    from codeunlearn.codebook import load_model, require_bottleneck
    from codeunlearn.errors import CodeUnlearnError
    from codeunlearn.saving import check_model_target
    from codeunlearn.unlearning import restore

    check_model_target(out)
    opened = load_model(model, dtype="auto", check_ledger=bool(topic))  # all of it can be taken back, whatever it is
    bottleneck = require_bottleneck(opened)
    if all(entry.get("committed") for entry in bottleneck.config.ledger) and not bottleneck.codebook.deleted.any():
        raise CodeUnlearnError(f"{model} has nothing to restore: no topic is forgotten, or all of them are committed.")
    restored = restore(opened, *(topic or []))
    with save_copy(opened, model, out):
        emit_json(json, {"restored": restored, "ledger": opened.config.bottleneck.ledger})
    say(f"{restored} codes are back. The model is in {out}.")
