"""The codes of every token of some sentences where a deletion changes what is chosen after it (`PursuitCodebook`).

There the codes that stand in for deleted ones are no longer ranks of a list made once: the states themselves are kept, and
those of tokens that select a deleted code are selected from again. All other tokens select what they did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codeunlearn.codebook import DeletionMode, evaluating
from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists, Firing
from codeunlearn.unlearning.evidence.counts import IntArray

_TOKENS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class PursuedLists(CodeLists):
    """As `CodeLists`, of which ``ids`` say what is selected as if nothing were deleted.

    Attributes:
        used: [T, D] bool: of these codes, those with a coefficient above 0.
        states: [T, d] what enters the bottleneck.
        bottleneck: that selects.
    """

    used: BoolArray
    states: Tensor
    bottleneck: ConceptBottleneck

    def firing(self, deleted: BoolArray, s: int, mode: DeletionMode = "refill") -> Firing:
        """The codes that the tokens would select if these rows were deleted, but those with a coefficient of 0."""
        gone = deleted[self.ids]
        token, slot = (self.used & ~gone).nonzero()
        row = self.ids[token, slot].astype(np.int64)
        touched = np.flatnonzero(gone.any(1))
        if mode != "refill" or not len(touched):
            return Firing(token, row)
        same = ~gone.any(1)[token]
        found = [(token[same], row[same]), *self._again(touched, deleted, s)]
        token, row = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(token, kind="stable")
        return Firing(token[order], row[order])

    @torch.no_grad()
    def _again(self, touched: IntArray, deleted: BoolArray, s: int) -> Iterator[tuple[IntArray, IntArray]]:
        """Tokens and codes of those places, selected without the deleted rows."""
        device = self.bottleneck.device
        hidden = torch.from_numpy(deleted).to(device)
        with evaluating(self.bottleneck), torch.autocast(device.type, enabled=False):
            for start in range(0, len(touched), _TOKENS_AT_ONCE):
                places = touched[start : start + _TOKENS_AT_ONCE]
                states = self.states[torch.from_numpy(places)].to(device)
                found = self.bottleneck.codebook.search_without(self.bottleneck.encode(states), s, hidden)
                ids, used = found.ids.cpu().numpy(), (found.scores > 0).cpu().numpy()
                token, slot = (used & ~deleted[ids]).nonzero()
                yield places[token], ids[token, slot]
