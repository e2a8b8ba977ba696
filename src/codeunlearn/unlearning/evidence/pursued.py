"""The codes of every token of some sentences where a deletion changes what is chosen after it (`PursuitCodebook`).

There the codes that stand in for deleted ones are no longer ranks of a list made once: the states themselves are kept, and
selected from again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from codeunlearn.codebook import DeletionMode, evaluating
from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists, Firing

_TOKENS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class PursuedLists(CodeLists):
    """As `CodeLists`, of which ``ids`` say what is selected as if nothing were deleted.

    Attributes:
        states: [T, d] what enters the bottleneck.
        bottleneck: that selects.
    """

    states: Tensor
    bottleneck: ConceptBottleneck

    def firing(self, deleted: BoolArray, s: int, mode: DeletionMode = "refill") -> Firing:
        """The codes that the tokens would select if these rows were deleted, but those with a coefficient of 0."""
        gone = torch.from_numpy(deleted)
        found: list[tuple[Tensor, Tensor]] = [(torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long))]
        for start, ids, scores in self._selected(gone, s, mode):
            token, slot = ((scores > 0) & ~gone[ids]).nonzero(as_tuple=True)
            found.append((token + start, ids[token, slot]))
        token, row = (torch.cat(column).numpy() for column in zip(*found, strict=True))
        return Firing(token, row)

    @torch.no_grad()
    def _selected(self, gone: Tensor, s: int, mode: DeletionMode) -> Iterator[tuple[int, Tensor, Tensor]]:
        hidden = gone.to(self.bottleneck.device) if mode == "refill" else None
        with evaluating(self.bottleneck), torch.autocast(self.bottleneck.device.type, enabled=False):
            for start in range(0, len(self.states), _TOKENS_AT_ONCE):
                states = self.states[start : start + _TOKENS_AT_ONCE].to(self.bottleneck.device)
                found = self.bottleneck.codebook.search_without(self.bottleneck.encode(states), s, hidden)
                yield start, found.ids.cpu(), found.scores.cpu()
