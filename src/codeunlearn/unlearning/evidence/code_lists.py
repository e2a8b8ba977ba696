"""The ranked codes of every token of some sentences, read once; what a deletion would leave of them is then a look-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeunlearn.codebook import DeletionMode
from codeunlearn.unlearning.evidence.counts import IntArray

BoolArray = NDArray[np.bool_]


class Firing(NamedTuple):
    """Codes that tokens select; [M] each, ordered by token.

    Attributes:
        token: place of the token among all tokens.
        row: row of the codebook.
    """

    token: IntArray
    row: IntArray


@dataclass(frozen=True, eq=False)
class CodeLists:
    """The best D codes of each of T tokens, of N sentences.

    Attributes:
        ids: [T, D] rows of the codebook, best first, as if nothing were deleted.
        sentence: [T] which sentence a token belongs to, ascending.
        token_ids: [T] what the token is.
        sentences: N.
        num_codes: K.
    """

    ids: NDArray[np.int32]
    sentence: IntArray
    token_ids: IntArray
    sentences: int
    num_codes: int

    @classmethod
    def joined(cls, parts: Sequence[CodeLists]) -> CodeLists:
        """The sentences of several lists, one after the other."""
        starts = np.cumsum([0, *(part.sentences for part in parts)])
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.sentence + start for part, start in zip(parts, starts, strict=False)]),
            np.concatenate([part.token_ids for part in parts]),
            int(starts[-1]),
            parts[0].num_codes,
        )

    def tokens_of(self, sentence: int) -> slice:
        """Places of the tokens of one sentence."""
        first, end = np.searchsorted(self.sentence, (sentence, sentence + 1))
        return slice(int(first), int(end))

    def firing(self, deleted: BoolArray, s: int, mode: DeletionMode = "refill") -> Firing:
        """The codes that the tokens would select if these rows were deleted.

        With ``refill`` the first s that are left, with ``drop`` and ``anchor`` those that are left of the first s. A token
        of whose D codes fewer than s are left has only these; D bounds what can be said.
        """
        if mode == "refill":
            left = ~deleted[self.ids]
            token, place = (left & (np.cumsum(left, axis=1) <= s)).nonzero()
        else:
            token, place = (~deleted[self.ids[:, :s]]).nonzero()
        return Firing(token, self.ids[token, place].astype(np.int64))

    def presence(self, firing: Firing) -> IntArray:
        """Which code is present in which sentence: sorted distinct keys ``sentence * K + row``."""
        return np.unique(self.sentence[firing.token] * self.num_codes + firing.row)
