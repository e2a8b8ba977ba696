"""The codes of every token of some sentences where a deletion changes what is chosen after it (`PursuitCodebook`).

There the codes that stand in for deleted ones are no longer ranks of a list made once: the states themselves are kept, and
selected from again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codeunlearn.codebook import DeletionMode, evaluating, require_bottleneck
from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists, Firing
from codeunlearn.unlearning.evidence.reading import CodeReader

_TOKENS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class PursuedLists(CodeLists):
    """As `CodeLists`, of which ``ids`` say what is selected as if nothing were deleted.

    Attributes:
        states: [T, d] what enters the bottleneck.
        model: whose bottleneck selects.
    """

    states: Tensor
    model: Any

    def firing(self, deleted: BoolArray, s: int, mode: DeletionMode = "refill") -> Firing:
        """The codes that the tokens would select if these rows were deleted, but those with a coefficient of 0."""
        gone = torch.from_numpy(deleted)
        found: list[tuple[Tensor, Tensor]] = []
        for start, ids, scores in self._selected(gone, s, mode):
            token, slot = ((scores > 0) & ~gone[ids]).nonzero(as_tuple=True)
            found.append((token + start, ids[token, slot]))
        token, row = (torch.cat(column).numpy() for column in zip(*found, strict=True))
        return Firing(token, row)

    @torch.no_grad()
    def _selected(self, gone: Tensor, s: int, mode: DeletionMode) -> Iterator[tuple[int, Tensor, Tensor]]:
        bottleneck = require_bottleneck(self.model)
        hidden = gone.to(bottleneck.device) if mode == "refill" else None
        with evaluating(bottleneck), torch.autocast(bottleneck.device.type, enabled=False):
            for start in range(0, len(self.states), _TOKENS_AT_ONCE):
                states = self.states[start : start + _TOKENS_AT_ONCE].to(bottleneck.device)
                found = bottleneck.codebook.search_without(bottleneck.encode(states), s, hidden)
                yield start, found.ids.cpu(), found.scores.cpu()


def read_lists(reader: CodeReader, sentences: Sequence[str]) -> CodeLists:
    """The codes of the sentences, in the form that the model's codebook needs."""
    codebook = require_bottleneck(reader.model).codebook
    if codebook.ranked:
        return CodeLists.read(reader, sentences, codebook.num_codes)
    kept: list[tuple[int, Tensor, Tensor, Tensor]] = []
    with evaluating(reader.model), torch.no_grad(), torch.autocast(reader.model.device.type, enabled=False):
        for members, (batch,) in reader.read_with_members([sentences]):
            for place, sentence in enumerate(members):
                real = batch.mask[place].bool()
                ids, tokens, states = (part[place][real].cpu() for part in (batch.ids, batch.tokens, batch.states))
                kept.append((sentence, ids, tokens, states))
    kept.sort(key=lambda one: one[0])
    sentence = np.repeat([one[0] for one in kept], [len(one[1]) for one in kept])
    ids, tokens, states = (torch.cat(column) for column in list(zip(*kept, strict=True))[1:])
    return PursuedLists(
        ids.numpy().astype(np.int32), sentence, tokens.numpy(), len(sentences), codebook.num_codes, states, reader.model
    )
