"""Applying forget sets to a model: forget, restore, a temporary block, and commit, with a ledger.

The ledger is ``model.config.bottleneck.ledger``, one entry per applied forget set, and is saved with the model; a code is
masked while an entry claims it. Until a commit a deletion is a mask over the codebook and can be undone by anyone who
holds the file.

A block (`forgetting`, `undeleted`) changes the view of the model, not what it is (`views.py`): it takes back its own part
when it ends, and `forget` and `restore` inside one last. All threads see one model; threads that want different views
need copies of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from torch import nn

from codeunlearn.codebook import (
    DELETION_MODES,
    ConceptBottleneck,
    DeletionMode,
    Identity,
    fingerprint,
    identify,
    require_bottleneck,
)
from codeunlearn.codebook.ledger import LedgerEntry, claimed, commits_digest, entry_by_hand, masked_by_hand
from codeunlearn.codebook.wrappers import has_adapters
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.record import now
from codeunlearn.unlearning.forget_set import ForgetSet, ForgetUnion, flatten
from codeunlearn.unlearning.views import (
    LOCK,
    Block,
    Entry,
    entry_identity,
    has_open_blocks,
    is_committed,
    joined,
    opened,
    show,
    state_of,
)


def forget(model: nn.Module, *forget_sets: ForgetSet | ForgetUnion, identity: Identity | None = None) -> int:
    """Deletes the codes of one or several forget sets by a mask; `restore` undoes it.

    Several sets act together or not at all. A set that is already in the ledger changes nothing.

    Args:
        identity: of the model, as `identify` gave it for the weights that it has now; without it all weights are read.

    Returns:
        How many codes were not deleted before.

    Raises:
        CodeUnlearnError: nothing was given, a set is empty or was made for another model, or too few codes would be left.
    """
    bottleneck = require_bottleneck(model)
    with LOCK:
        added = _entries(model, bottleneck, forget_sets, identity)
        state = state_of(bottleneck)
        before = int(bottleneck.codebook.deleted.sum())
        show(bottleneck, state, ledger=joined(state.ledger, added))
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
    with LOCK:
        state = state_of(bottleneck)
        chosen = [e for topic in topics for e in _entries_of(state.ledger, topic)] if topics else state.ledger
        remaining = [entry for entry in state.ledger if is_committed(entry) or entry not in chosen]
        before = int(bottleneck.codebook.deleted.sum())
        show(bottleneck, state, ledger=remaining, by_hand=state.by_hand if topics else set())
        return before - int(bottleneck.codebook.deleted.sum())


@contextmanager
def forgetting(
    model: nn.Module,
    *forget_sets: ForgetSet | ForgetUnion,
    mode: DeletionMode | None = None,
    identity: Identity | None = None,
) -> Generator[None]:
    """Inside the block the sets are forgotten too; its end takes back this and nothing else.

    Args:
        mode: deletion mode within the block; of several open blocks with a mode, that of the last one opened holds.
        identity: as for `forget`, for many blocks over one model.

    Raises:
        CodeUnlearnError: as `forget`; inside the block also `commit`, which cannot be undone.
    """
    bottleneck = require_bottleneck(model)
    if mode is not None:
        _require_mode(mode)
    with opened(bottleneck, Block(tuple(_entries(model, bottleneck, forget_sets, identity)), mode)):
        yield


@contextmanager
def undeleted(model: nn.Module, *topics: str | ForgetSet) -> Generator[None]:
    """Inside the block nothing is deleted by a mask but what blocks forget that are opened after it.

    Committed codes stay gone.

    Args:
        topics: only what was forgotten for these is back; topics that were not are left out.
    """
    names = {topic if isinstance(topic, str) else topic.topic for topic in topics}
    block = Block(lifts=lambda entry: not names or entry["topic"] in names, lifts_by_hand=not names)
    with opened(require_bottleneck(model), block):
        yield


def set_deletion_mode(model: nn.Module, mode: DeletionMode) -> None:
    """Chooses what happens to a slot whose code is deleted, see `Codebook`; saved with the model.

    While blocks with a mode of their own are open, it shows when they have ended.

    Raises:
        CodeUnlearnError: an unknown mode, or one for which too few codes are left.
    """
    _require_mode(mode)
    bottleneck = require_bottleneck(model)
    with LOCK:
        show(bottleneck, state_of(bottleneck), mode=mode)


def commit(model: nn.Module) -> int:
    """Takes all deleted rows out of the weights for good; the model's outputs stay as they are.

    A file saved afterwards no longer holds the rows. Files saved earlier still do.

    Returns:
        How many rows are gone.

    Raises:
        CodeUnlearnError: nothing is deleted, the mode is not ``refill``, or a block is open.
    """
    bottleneck = require_bottleneck(model)
    with LOCK:
        _require_committable(bottleneck)
        codebook, config = bottleneck.codebook, bottleneck.config
        identity = identify(model)
        last = config.origin_record["num_codes"] if config.origin_record else _codes_once(bottleneck)
        gaps = set(range(last)) - set(codebook.code_ids.tolist()) - claimed(config.ledger, committed=True)
        if by_hand := masked_by_hand(bottleneck) | gaps:
            config.ledger.append(entry_by_hand(by_hand))
        removed = codebook.remove_deleted_rows()
        for entry in config.ledger:
            entry["committed"] = True
        config.origin, config.committed = identity.fingerprint, fingerprint(model)
        config.origin_record = {"parameters": identity.former, "num_codes": last, "digest": ""}
        config.origin_record["digest"] = commits_digest(config)
        return removed


def _require_committable(bottleneck: ConceptBottleneck) -> None:
    codebook = bottleneck.codebook
    if has_open_blocks(bottleneck):
        raise CodeUnlearnError(
            "A commit cannot be undone; call it outside of `with forgetting(...)` and `with undeleted(...)`."
        )
    if codebook.mode != "refill":
        raise CodeUnlearnError(
            "A codebook without the deleted rows gives their slots to the next best codes: that is refill, "
            f"not {codebook.mode}; call set_deletion_mode(model, 'refill') first, or keep the mask."
        )
    show(bottleneck, state_of(bottleneck))
    if not bool(codebook.deleted.any()):
        raise CodeUnlearnError("There is nothing to commit; forget a topic first.")


def _codes_once(bottleneck: ConceptBottleneck) -> int:
    """K before any commit, as far as code ids and ledger can tell."""
    return max(int(bottleneck.codebook.code_ids.max()), *claimed(bottleneck.config.ledger, committed=True), 0) + 1


def _require_mode(mode: DeletionMode) -> None:
    if mode not in DELETION_MODES:
        raise CodeUnlearnError(f"Unknown deletion mode {mode!r}; choose one of {', '.join(DELETION_MODES)}.")


def _entries(
    model: nn.Module,
    bottleneck: ConceptBottleneck,
    forget_sets: Sequence[ForgetSet | ForgetUnion],
    identity: Identity | None,
) -> list[Entry]:
    """The ledger entries of sets that can be forgotten in this model."""
    sets = list(flatten(forget_sets))
    if not sets:
        raise CodeUnlearnError("There is nothing to forget; give at least one forget set.")
    if has_adapters(model):
        warnings.warn(
            "The model has an adapter (such as LoRA), whose weights no fingerprint covers: what the adapter has learnt of a "
            "topic may stay.",
            stacklevel=3,
        )
    identity = identity or identify(model)
    for forget_set in sets:
        _require_fit(bottleneck, forget_set, identity)
    return [_entry(forget_set) for forget_set in sets]


def _require_fit(bottleneck: ConceptBottleneck, forget_set: ForgetSet, identity: Identity) -> None:
    if not forget_set.ids:
        raise CodeUnlearnError(
            f"The forget set {forget_set.topic!r} holds no codes, so that nothing would be forgotten; search with more "
            "sentences or another preset."
        )
    if not identity.goes_by(forget_set.fingerprint):
        raise CodeUnlearnError(
            f"The forget set {forget_set.topic!r} was made for the model {forget_set.fingerprint[:10]} and this is "
            f"{identity.fingerprint[:10]}; search the topic on this model or open the other one."
        )
    record = bottleneck.config.origin_record
    codes = record["num_codes"] if record else _codes_once(bottleneck)
    if max(forget_set.ids) >= codes or forget_set.num_codes > codes:
        most = (
            f"was found among {forget_set.num_codes}"
            if forget_set.num_codes > codes
            else f"names code {max(forget_set.ids)}"
        )
        raise CodeUnlearnError(
            f"The forget set {forget_set.topic!r} {most} and the codebook has {codes} codes; search the topic again."
        )


def _entry(forget_set: ForgetSet) -> Entry:
    same = {name: getattr(forget_set, name) for name in LedgerEntry.model_fields if hasattr(forget_set, name)}
    same |= {
        "ids": list(forget_set.ids),
        "forms": list(forget_set.forms),
        "preset_options": dict(forget_set.preset_options),
    }
    return LedgerEntry(**same, applied=now()).model_dump()


def _entries_of(ledger: list[Entry], topic: str | ForgetSet) -> list[Entry]:
    if isinstance(topic, str):
        found = [entry for entry in ledger if entry["topic"] == topic]
    else:
        found = [entry for entry in ledger if entry_identity(entry) == entry_identity(_entry(topic))]
    name = topic if isinstance(topic, str) else topic.topic
    if not found:
        forgotten = ", ".join(dict.fromkeys(entry["topic"] for entry in ledger)) or "nothing"
        raise CodeUnlearnError(
            f"The topic {name!r} is not forgotten, so it cannot be restored; forgotten: {forgotten}."
        )
    if all(map(is_committed, found)):
        raise CodeUnlearnError(f"The topic {name!r} is committed: its codes are gone; open a model saved before that.")
    return found
