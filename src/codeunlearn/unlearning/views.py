"""What a model has forgotten, seen through the blocks that are open over it.

Mask, ledger and mode of a model are a function of what it is outside of all blocks and of its open blocks, in the order in
which they were opened. Opening and closing a block change the list and compute them anew, so that blocks may end in any
order, from any thread or task, and each takes back its own part. What is written into the mask by hand while a block is
open does not last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from codeunlearn.codebook import ConceptBottleneck, DeletionMode
from codeunlearn.codebook.ledger import claimed, masked_by_hand
from codeunlearn.errors import CodeUnlearnError

Entry = dict[str, Any]


@dataclass(eq=False)
class Block:
    """An open block.

    Attributes:
        adds: entries for what it forgets.
        mode: its deletion mode, if it has one.
        lifts: which entries of before it are not seen in it.
        lifts_by_hand: neither are codes that were masked by hand.
    """

    adds: tuple[Entry, ...] = ()
    mode: DeletionMode | None = None
    lifts: Callable[[Entry], bool] = lambda _: False
    lifts_by_hand: bool = False


@dataclass
class ModelState:
    """What a model is outside of all blocks, and the blocks that are open.

    Attributes:
        ledger: its ledger.
        mode: its deletion mode.
        by_hand: ids of masked codes that no entry claims.
        blocks: in the order in which they were opened.
    """

    ledger: list[Entry]
    mode: DeletionMode
    by_hand: set[int]
    blocks: list[Block] = field(default_factory=list[Block])


LOCK = threading.RLock()
_OPEN: WeakKeyDictionary[ConceptBottleneck, ModelState] = WeakKeyDictionary()
"""The models with open blocks; a copy that is made inside a block is a model of its own, as it is seen there."""


def state_of(bottleneck: ConceptBottleneck) -> ModelState:
    """What the model is outside of all blocks."""
    known = _OPEN.get(bottleneck)
    return known or ModelState(bottleneck.config.ledger, bottleneck.codebook.mode, masked_by_hand(bottleneck))


def has_open_blocks(bottleneck: ConceptBottleneck) -> bool:
    return bottleneck in _OPEN


@contextmanager
def opened(bottleneck: ConceptBottleneck, block: Block) -> Generator[None]:
    with LOCK:
        state = state_of(bottleneck)
        show(bottleneck, state, blocks=[*state.blocks, block])
        _OPEN[bottleneck] = state
    try:
        yield
    finally:
        with LOCK:
            state.blocks.remove(block)
            _write(bottleneck, *_seen(bottleneck, state))
            if not state.blocks:
                _OPEN.pop(bottleneck, None)


def show(bottleneck: ConceptBottleneck, state: ModelState, **changes: Any) -> None:
    """Changes what the model is, or the blocks that are open, and lets it be seen; all of it or nothing.

    Raises:
        CodeUnlearnError: more would be deleted, or deleted in another mode, and too few codes would be left for that.
    """
    changed = replace(state, **changes)
    ledger, mask, mode = _seen(bottleneck, changed)
    if mode != bottleneck.codebook.mode or bool((mask & ~bottleneck.codebook.deleted).any()):
        _require_enough(bottleneck, int((~mask).sum()), mode)
    for name in changes:
        setattr(state, name, getattr(changed, name))
    _write(bottleneck, ledger, mask, mode)


def _seen(bottleneck: ConceptBottleneck, state: ModelState) -> tuple[list[Entry], Tensor, DeletionMode]:
    """Ledger, mask and mode through the open blocks."""
    ledger, by_hand, mode = state.ledger, state.by_hand, state.mode
    for block in state.blocks:
        ledger = [entry for entry in ledger if is_committed(entry) or not block.lifts(entry)]
        ledger = joined(ledger, block.adds)
        by_hand = set[int]() if block.lifts_by_hand else by_hand
        mode = block.mode or mode
    ids = bottleneck.codebook.code_ids
    wanted = sorted(claimed(ledger, committed=False) | by_hand)
    return ledger, torch.isin(ids, torch.tensor(wanted, dtype=torch.int64, device=ids.device)), mode


def _write(bottleneck: ConceptBottleneck, ledger: list[Entry], mask: Tensor, mode: DeletionMode) -> None:
    codebook, config = bottleneck.codebook, bottleneck.config
    # An inference tensor may be written to in inference mode alone.
    with torch.inference_mode(codebook.deleted.is_inference()):
        codebook.deleted.copy_(mask)
    config.ledger = ledger
    config.deletion_mode = mode


def _require_enough(bottleneck: ConceptBottleneck, left: int, mode: DeletionMode) -> None:
    codebook, s = bottleneck.codebook, bottleneck.config.top_s
    if left < (s if mode == "refill" else 1):
        raise CodeUnlearnError(
            f"Only {left} of {codebook.num_codes} codes would be left and a token needs S = {s}; restore a topic or use "
            "smaller forget sets."
        )


def joined(ledger: list[Entry], added: Iterable[Entry]) -> list[Entry]:
    """The ledger with the entries that it does not have yet."""
    result = list(ledger)
    for entry in added:
        if entry_identity(entry) not in map(entry_identity, result):
            result.append(entry)
    return result


def is_committed(entry: Entry) -> bool:
    return bool(entry.get("committed"))


def entry_identity(entry: Entry) -> tuple[Any, ...]:
    """What makes two entries the same deletion."""
    return entry["topic"], sorted(entry["ids"]), *(entry.get(key) or None for key in ("preset", "s_prime", "seed"))
