"""``codeunlearn apply``: forget sets into a saved model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, say


def run(
    model: Annotated[str, typer.Argument(help="A saved model with a bottleneck.")],
    forget_sets: Annotated[list[Path], typer.Argument(help="Forget sets made by `codeunlearn forget`.")],
    out: options.Out,
    commit: Annotated[bool, typer.Option("--commit", help="Take the rows out of the file for good.")] = False,
    mode: Annotated[options.Mode | None, typer.Option(help="What happens to a slot whose code is deleted.")] = None,
    json: options.Json = None,
) -> None:
    """Save a model that has forgotten one or several topics; without `--commit` it can be undone."""
    from codeunlearn.cli.opening import save_copy
    from codeunlearn.codebook import load_model
    from codeunlearn.saving import check_model_target
    from codeunlearn.unlearning import ForgetSet, forget, set_deletion_mode, union
    from codeunlearn.unlearning import commit as commit_rows
    from codeunlearn.unlearning.leftovers import DeletedRows, leftovers

    check_model_target(out)
    opened = load_model(model, dtype="auto")
    if mode is not None:
        set_deletion_mode(opened, mode)
    together = union(*map(ForgetSet.load, forget_sets))
    deleted = forget(opened, together)
    rows = DeletedRows.of(opened)
    removed = commit_rows(opened) if commit else 0
    left = leftovers(rows, model, out, forget_sets) if commit else []
    result: dict[str, Any] = {
        "newly_deleted": deleted,
        "rows_removed": removed,
        "ledger": opened.config.bottleneck.ledger,
        "left_behind": [asdict(one) for one in left],
    }
    with save_copy(opened, model, out):
        emit_json(json, result)
    topics = ", ".join(dict.fromkeys(entry["topic"] for entry in opened.config.bottleneck.ledger))
    shared = f", {len(together.shared_ids)} of them shared" if len(together.topics) > 1 else ""
    say(f"Forgotten: {topics} ({deleted} more codes deleted{shared}). The model is in {out}.")
    if commit:
        say(f"{removed} rows are gone from its weights; this cannot be undone.")
        say("Still there, and yours to delete where the topic has to go:")
        for one in left:
            say(f"  {one.path}: {one.holds}")
        say("Not looked for: copies elsewhere, backups, and the text itself.")
    else:
        say(f"Undo: codeunlearn restore {out} --out DIR")
