"""``codeunlearn show``: what is in a model or a forget set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, output


def run(
    what: Annotated[str, typer.Argument(metavar="MODEL_OR_FORGETSET", help="A saved model, or a forget set.")],
    limit: Annotated[int, typer.Option(help="Codes of a forget set to show.", min=1)] = 15,
    json: options.Json = None,
) -> None:
    """Show a model's bottleneck and what it has forgotten, or a forget set's codes with their evidence."""
    from codeunlearn.codebook import find_bottleneck, fingerprint, load_model
    from codeunlearn.reporting.tables import forget_set_table, ledger_table
    from codeunlearn.unlearning import ForgetSet

    if Path(what).is_file():
        forget_set = ForgetSet.load(Path(what))
        emit_json(json, forget_set.to_dict(), forget_set_table(forget_set, limit=limit))
        return
    model = load_model(what, dtype="auto")
    bottleneck = find_bottleneck(model)
    facts: dict[str, Any] = {
        "model_type": model.config.model_type,
        "parameters": sum(p.numel() for p in model.parameters()),
        "fingerprint": fingerprint(model),
    }
    if bottleneck is not None:
        settings = bottleneck.config
        facts |= {
            "site": settings.site,
            "num_codes": settings.num_codes,
            "lexical_codes": settings.lexical_codes,
            "code_dim": settings.code_dim,
            "top_s": settings.top_s,
            "deletion_mode": settings.deletion_mode,
            "deleted": int(bottleneck.codebook.deleted.sum()),
            "ledger": settings.ledger,
        }
        if settings.base is not None:
            facts["base"] = settings.base["name"]
    emit_json(json, facts)
    if json != "-":
        for name, value in facts.items():
            if name != "ledger":
                output.print(f"{name:<14} {value}", soft_wrap=True)
        if facts.get("ledger"):
            output.print(ledger_table(facts["ledger"], facts["num_codes"]))
