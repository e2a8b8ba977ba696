"""The codes of every token of some sentences where a deletion changes what is chosen after it (`PursuitCodebook`).

There the codes that stand in for deleted ones are no longer ranks of a list made once: the states themselves are kept, and
those of tokens that select a deleted code are selected from again. All other tokens select what they did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
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
    _last: list[_Selected] = field(default_factory=list["_Selected"], repr=False)

    def firing(self, deleted: BoolArray, s: int, mode: DeletionMode = "refill") -> Firing:
        """The codes that the tokens would select if these rows were deleted, but those with a coefficient of 0."""
        now = self._without(deleted, s) if mode == "refill" else _Selected(deleted, self.ids, self.used)
        token, slot = (now.used & ~deleted[now.ids]).nonzero()
        return Firing(token, now.ids[token, slot].astype(np.int64))

    def _without(self, deleted: BoolArray, s: int) -> _Selected:
        """What is selected without these rows; from the last answer on where more is deleted now, as round after round."""
        start = _Selected(np.zeros_like(deleted), self.ids, self.used)
        if self._last and not (self._last[0].deleted & ~deleted).any():
            start = self._last[0]
        ids, used = start.ids.copy(), start.used.copy()
        touched = np.flatnonzero((deleted & ~start.deleted)[ids].any(1))
        for places in np.array_split(touched, range(_TOKENS_AT_ONCE, len(touched), _TOKENS_AT_ONCE)):
            if len(places):
                ids[places], used[places] = self._again(places, deleted, s)
        self._last[:] = [_Selected(deleted.copy(), ids, used)]
        return self._last[0]

    @torch.no_grad()
    def _again(self, places: IntArray, deleted: BoolArray, s: int) -> tuple[NDArray[np.int32], BoolArray]:
        device = self.bottleneck.device
        states = self.states[torch.from_numpy(places)].to(device)
        with evaluating(self.bottleneck), torch.autocast(device.type, enabled=False):
            hidden = torch.from_numpy(deleted).to(device)
            found = self.bottleneck.codebook.search_without(self.bottleneck.encode(states), s, hidden)
        return found.ids.to("cpu", torch.int32).numpy(), (found.scores > 0).cpu().numpy()


class _Selected(NamedTuple):
    """The selection of all tokens with some rows deleted."""

    deleted: BoolArray
    ids: NDArray[np.int32]
    used: BoolArray
