"""Applying forget sets to a model: forget, restore, a temporary block, and commit, with a ledger.

The ledger is ``model.config.bottleneck.ledger``, one entry per applied forget set, and is saved with the
model. Until a commit a deletion is a mask over the codebook and can be undone by anyone who holds the file.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn

from codeunlearn.codebook import (
    DELETION_MODES,
    ConceptBottleneck,
    DeletionMode,
    fingerprint,
    model_identity,
    require_bottleneck,
)
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.forget_set import ForgetSet, ForgetUnion, flatten

LedgerEntry = dict[str, Any]


def forget(model: nn.Module, *forget_sets: ForgetSet | ForgetUnion) -> int:
    """Deletes the codes of one or several forget sets by a mask; `restore` undoes it.

    Several sets act together or not at all. A set that is already in the ledger changes nothing.

    Returns:
        How many codes were not deleted before.

    Raises:
        CodeUnlearnError: nothing was given, or a set was made for another model.
    """
    bottleneck = require_bottleneck(model)
    sets = list(flatten(forget_sets))
    if not sets:
        raise CodeUnlearnError("There is nothing to forget; give at least one forget set.")
    _check_fingerprints(model, sets)
    rows = [_rows(bottleneck, s.ids, s.topic) for s in sets]
    before = int(bottleneck.codebook.deleted.sum())
    known = [_identity(entry) for entry in bottleneck.config.ledger]
    for forget_set, deleted_rows in zip(sets, rows, strict=True):
        entry = _entry(forget_set)
        if _identity(entry) not in known:
            known.append(_identity(entry))
            bottleneck.config.ledger.append(entry)
            bottleneck.codebook.deleted[deleted_rows] = True
    return int(bottleneck.codebook.deleted.sum()) - before


def restore(model: nn.Module, *topics: str | ForgetSet) -> int:
    """Takes topics back: their ledger entries go, and so do the deletions that no other entry claims.

    Args:
        topics: names of topics, or single forget sets; without any, everything that is not committed.

    Returns:
        How many codes are no longer deleted.

    Raises:
        CodeUnlearnError: a topic that is not forgotten, or one that is committed.
    """
    bottleneck = require_bottleneck(model)
    ledger = bottleneck.config.ledger
    chosen = [e for topic in topics for e in _entries_of(ledger, topic)] if topics else ledger
    taken_back = [entry for entry in chosen if not entry["committed"]]
    remaining = [entry for entry in ledger if entry not in taken_back]
    claimed = {code for entry in remaining for code in entry["ids"]}
    freed = sorted({code for entry in taken_back for code in entry["ids"]} - claimed)
    rows = _rows(bottleneck, freed)
    number = int(bottleneck.codebook.deleted[rows].sum())
    bottleneck.codebook.deleted[rows] = False
    bottleneck.config.ledger = remaining
    return number


@contextmanager
def forgetting(
    model: nn.Module, *forget_sets: ForgetSet | ForgetUnion, mode: DeletionMode | None = None
) -> Generator[None]:
    """Inside the block the sets are forgotten; after it, mask, ledger and mode are exactly as before.

    Args:
        mode: deletion mode within the block; the model's own when absent.

    Raises:
        CodeUnlearnError: as `forget`; or the deletion was committed inside the block, which cannot be undone.
    """
    with _unchanged(model):
        if mode is not None:
            set_deletion_mode(model, mode)
        forget(model, *forget_sets)
        yield


@contextmanager
def undeleted(model: nn.Module) -> Generator[None]:
    """Inside the block nothing is deleted by a mask; after it, all is as before. Committed codes stay gone."""
    with _unchanged(model):
        require_bottleneck(model).codebook.deleted.fill_(False)
        yield


@contextmanager
def _unchanged(model: nn.Module) -> Generator[None]:
    """Brings back mask, ledger and mode at the end of the block, whatever happened in it."""
    bottleneck = require_bottleneck(model)
    codebook, config = bottleneck.codebook, bottleneck.config
    deleted, ledger = codebook.deleted.clone(), deepcopy(config.ledger)
    modes = codebook.mode, config.deletion_mode
    try:
        yield
    finally:
        if len(codebook.deleted) != len(deleted):
            raise CodeUnlearnError("A commit cannot be undone; call it outside of `with forgetting(...)`.")
        codebook.deleted.copy_(deleted)
        config.ledger = ledger
        codebook.mode, config.deletion_mode = modes


def set_deletion_mode(model: nn.Module, mode: DeletionMode) -> None:
    """Chooses what happens to a slot whose code is deleted, see `Codebook`; saved with the model.

    Raises:
        CodeUnlearnError: an unknown mode.
    """
    if mode not in DELETION_MODES:
        raise CodeUnlearnError(f"Unknown deletion mode {mode!r}; choose one of {', '.join(DELETION_MODES)}.")
    bottleneck = require_bottleneck(model)
    bottleneck.codebook.mode = bottleneck.config.deletion_mode = mode


def commit(model: nn.Module) -> int:
    """Takes all deleted rows out of the weights for good; the model's outputs stay as they are.

    A file saved afterwards no longer holds the rows. Files saved earlier still do.

    Returns:
        How many rows are gone.

    Raises:
        CodeUnlearnError: nothing is deleted, the mode is not ``refill``, or fewer than S codes would survive.
    """
    bottleneck = require_bottleneck(model)
    codebook, config = bottleneck.codebook, bottleneck.config
    surviving = int((~codebook.deleted).sum())
    if codebook.mode != "refill":
        raise CodeUnlearnError(
            "A codebook without the deleted rows gives their slots to the next best codes: that is refill, "
            f"not {codebook.mode}; call set_deletion_mode(model, 'refill') first, or keep the mask."
        )
    if surviving == codebook.num_codes:
        raise CodeUnlearnError("There is nothing to commit; forget a topic first.")
    if surviving < config.top_s:
        raise CodeUnlearnError(
            f"Only {surviving} of {codebook.num_codes} codes would survive and a token needs "
            f"S = {config.top_s}; restore a topic or use smaller forget sets."
        )
    config.origin = model_identity(model)
    removed = codebook.remove_deleted_rows()
    config.num_codes = codebook.num_codes
    config.committed = fingerprint(model)
    for entry in config.ledger:
        entry["committed"] = True
    return removed


def _check_fingerprints(model: nn.Module, sets: list[ForgetSet]) -> None:
    known = model_identity(model)
    for forget_set in sets:
        if forget_set.fingerprint != known:
            raise CodeUnlearnError(
                f"The forget set {forget_set.topic!r} was made for the model {forget_set.fingerprint[:8]} "
                f"and this is {known[:8]}; search the topic on this model or "
                "open the other one."
            )


def _rows(bottleneck: ConceptBottleneck, ids: tuple[int, ...] | list[int], topic: str | None = None) -> Tensor:
    """Rows of the given codes; those of codes that were committed away are left out."""
    code_ids = bottleneck.codebook.code_ids
    wanted = torch.tensor(ids, dtype=torch.int64, device=code_ids.device)
    rows = torch.isin(code_ids, wanted).nonzero().squeeze(1)
    if bottleneck.config.origin is None and len(rows) < len(ids):
        raise CodeUnlearnError(
            f"The forget set {topic!r} names code {max(ids)} and the codebook has {len(code_ids)} codes; "
            "search the topic again."
        )
    return rows


def _entry(forget_set: ForgetSet) -> LedgerEntry:
    return {
        "topic": forget_set.topic,
        "forms": list(forget_set.forms),
        "ids": list(forget_set.ids),
        "preset": forget_set.preset,
        "preset_options": dict(forget_set.preset_options),
        "s_prime": forget_set.s_prime,
        "seed": forget_set.seed,
        "fingerprint": forget_set.fingerprint,
        "created": forget_set.created,
        "version": forget_set.version,
        "applied": datetime.now(UTC).isoformat(timespec="seconds"),
        "committed": False,
    }


def _identity(entry: LedgerEntry) -> tuple[Any, ...]:
    return entry["topic"], sorted(entry["ids"]), entry["preset"], entry["s_prime"], entry["seed"]


def _entries_of(ledger: list[LedgerEntry], topic: str | ForgetSet) -> list[LedgerEntry]:
    if isinstance(topic, str):
        found = [entry for entry in ledger if entry["topic"] == topic]
    else:
        found = [entry for entry in ledger if _identity(entry) == _identity(_entry(topic))]
    name = topic if isinstance(topic, str) else topic.topic
    if not found:
        forgotten = ", ".join(dict.fromkeys(entry["topic"] for entry in ledger)) or "nothing"
        raise CodeUnlearnError(
            f"The topic {name!r} is not forgotten, so it cannot be restored; forgotten: {forgotten}."
        )
    if all(entry["committed"] for entry in found):
        raise CodeUnlearnError(f"The topic {name!r} is committed: its codes are gone; open a model saved before that.")
    return found
