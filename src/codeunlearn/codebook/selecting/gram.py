"""The nearest codes of what is left, slot after slot, without the product of all codes in every slot.

When a multiple of one code is taken from an activation, its product with every other code changes by that multiple of what the
two codes have in common: a row of the codes' Gram matrix (batch orthogonal matching pursuit; Rubinstein, Zibulevsky and Elad
2008). Rows are made when a code is first chosen and kept in 16 bits, as many as fit. What they round is bounded: the few best
codes are compared exactly, and where the bound does not part them from the rest, all products are made again. The codes found
are those of the plain search.
"""

from __future__ import annotations

from threading import Lock

import torch
from torch import Tensor

from codeunlearn.codebook.selecting.fast import PreparedCodes, best_columns, exact_best, full_precision, slack, top_s

GRAM_BYTES = 2 * 1024**3
"""Of the rows that are kept, at most: those of 26,000 of 40,000 codes."""
_CANDIDATES = (9, 128)
"""So many codes are compared exactly, and for the few activations of which that is not sure, so many more."""
_SCALE = 2.0**15 - 1
_ROUNDED = 0.5 / _SCALE
"""What a cosine loses in 16 bits."""


class Gram:
    """Rows of the Gram matrix of codes, made when they are first asked for.

    Args:
        codes: R of them.
        most_bytes: of the rows that are kept; others are made each time.
    """

    def __init__(self, codes: PreparedCodes, most_bytes: int = GRAM_BYTES) -> None:
        self.codes = codes
        number = len(codes.ids)
        self._most = min(number, most_bytes // max(1, 2 * number))
        with torch.inference_mode(False):  # what is made in it could not be written to outside
            self._rows = torch.empty(1, number, dtype=torch.int16)
            self._place = torch.full((number,), -1)
        self._kept = 0
        self._lock = Lock()

    def rows(self, chosen: Tensor) -> Tensor:
        """[N, R] float32: the cosines of [N] codes, by their place among all R, with every code; each times `_SCALE`, rounded."""
        with self._lock:
            self._keep(chosen)
            place = self._place[chosen]
            found = self._rows[place.clamp_min(0)].float()
        missing = (place < 0).nonzero()[:, 0]
        if len(missing):
            found[missing] = self._made(chosen[missing])
        return found

    def _made(self, chosen: Tensor) -> Tensor:
        with full_precision(chosen.device):
            return (self.codes.unit[chosen] @ self.codes.unit.T).mul_(_SCALE).round_()

    def _keep(self, chosen: Tensor) -> None:
        new = chosen[self._place[chosen] < 0].unique()[: self._most - self._kept]
        if not len(new):
            return
        end = self._kept + len(new)
        if end > len(self._rows):
            with torch.inference_mode(False):
                larger = torch.empty(
                    min(self._most, max(end, 2 * len(self._rows))), len(self._place), dtype=torch.int16
                )
            larger[: self._kept] = self._rows[: self._kept]
            self._rows = larger
        self._rows[self._kept : end] = self._made(new).clamp_(-_SCALE, _SCALE)
        self._place[new] = torch.arange(self._kept, end)
        self._kept = end


class Products:
    """The products of activations with all codes, while multiples of codes are taken from the activations.

    Args:
        left: [N, F] the activations.
        gram: of all R codes.
        alive: those of them that may be chosen.
    """

    def __init__(self, left: Tensor, gram: Gram, alive: PreparedCodes) -> None:
        self._gram, self._alive = gram, alive
        every = gram.codes
        self._length = torch.linalg.vector_norm(left, dim=-1)
        self._slack = slack(left.shape[1])
        self._off = self._slack * self._length  # how far a product may be off
        with full_precision(left.device):
            self._products = left @ every.unit.T
        self._gone = ~torch.isin(every.ids, alive.ids)
        self._products.masked_fill_(self._gone, -torch.inf)

    def best(self, left: Tensor) -> Tensor:
        """[N] the codes most similar to what is ``left`` of the activations, as rows of the codebook."""
        found, rows = left.new_empty(len(left), dtype=torch.int64), torch.arange(len(left))
        length = torch.linalg.vector_norm(left, dim=-1).clamp_min(torch.finfo(torch.float32).tiny)
        for count in _CANDIDATES:
            if not len(rows) or count >= len(self._gone):
                break
            here = self._products if len(rows) == len(left) else self._products[rows]
            columns, limit = best_columns(here, count)
            reach = (limit + self._off[rows]) / length[rows]
            with full_precision(left.device):
                best, certain = exact_best(left[rows], self._gram.codes, columns, self._gone, reach)
            found[rows[certain]] = best[certain]
            rows = rows[~certain]
        if len(rows):
            found[rows] = top_s(left[rows], self._alive, 1).ids[:, 0]
        return found

    def less(self, chosen: Tensor, steps: Tensor) -> None:
        """After a step of these lengths against the direction of each activation's chosen code, a row of the codebook."""
        place = torch.searchsorted(self._gram.codes.ids, chosen.contiguous())
        self._products.addcmul_(self._gram.rows(place), (-steps / _SCALE)[:, None])
        self._off += (_ROUNDED + self._slack) * steps + self._slack * self._length
