"""What a saved model is: its deletions, its ledger, its answers; and whether they belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outcome import call
from tally import Fault
from world import logits_of


@dataclass(frozen=True)
class State:
    """What can be told of a saved model with a bottleneck from outside.

    Attributes:
        topics: of its ledger, with whether they are committed.
        deleted: ids under the mask.
        rows: ids of the rows that are there.
        answers: logits of a fixed batch.
    """

    topics: tuple[tuple[str, bool], ...]
    deleted: frozenset[int]
    rows: frozenset[int]
    answers: Any

    def is_like(self, other: State) -> bool:
        import torch

        return (
            (self.topics, self.deleted, self.rows) == (other.topics, other.deleted, other.rows)
            and self.answers.shape == other.answers.shape
            and bool(torch.equal(self.answers, other.answers))
        )

    def __str__(self) -> str:
        return f"ledger {self.topics}, {sorted(self.deleted)} under the mask, {len(self.rows)} rows"


def state_of(folder: Path) -> State:
    from codeunlearn.codebook import load_model

    return state_of_model(load_model(folder))


def state_of_model(model: Any) -> State:
    codebook, config = model.bottleneck.codebook, model.config.bottleneck
    ids = codebook.code_ids
    return State(
        tuple((entry["topic"], bool(entry["committed"])) for entry in config.ledger),
        frozenset(ids[codebook.deleted].tolist()),
        frozenset(ids.tolist()),
        logits_of(model),
    )


def chosen_deleted(model: Any) -> int:
    """Slots of a fixed batch that choose a deleted code."""
    import torch

    codebook = model.bottleneck.codebook
    found: list[Any] = []
    handle = model.bottleneck.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0]))
    try:
        logits_of(model)
    finally:
        handle.remove()
    with torch.no_grad():
        ids = model.bottleneck.run(found[0]).ids
    return int(codebook.deleted[ids].sum()) if codebook.mode == "refill" else 0


def fault_of(folder: Path, allowed: Sequence[State], *, may_be_missing: bool) -> tuple[Fault | None, str]:
    """Whether what lies in a folder is one of the states that it may be in.

    Args:
        may_be_missing: it was not there before, so it need not load.
    """
    if not folder.exists() and may_be_missing:
        return None, ""
    found = call(state_of, folder)
    if found.kind == "refused":
        return (None, "") if may_be_missing else ("something else", f"neither the old nor the new model: {found.said}")
    if found.kind != "done":
        return "traceback", found.trace
    if not any(found.result.is_like(state) for state in allowed):
        return "loads as whole and is not", f"{found.result}"
    return None, ""
