"""Greedy selection in two kinds of codes: one lexical code, then residual codes for what it leaves unexplained.

With fewer codes than pieces of the vocabulary, rare words share codes and a language model's facts are lost; with one large
dictionary and free coefficients they are kept, but what one code said another can say when it is deleted. One *lexical*
code (one for each piece of the vocabulary) says which word a token is, by cosine and as it stands; every further slot takes
the *residual* code nearest to what is still unexplained, times its projection, which is never negative. This is matching
pursuit (Mallat and Zhang 1993) behind a first stage of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from codeunlearn.codebook.selecting.fast import PreparedCodes, rows_at_once, top_s
from codeunlearn.codebook.selecting.gram import Gram, Products
from codeunlearn.codebook.selecting.reference import Selection, top_s_reference


@dataclass(frozen=True, eq=False)
class PreparedKinds:
    """The codes of both kinds, normalised once for many searches.

    Attributes:
        is_lexical: [K] bool.
        deleted: [K] bool.
        lexical: those left that may fill the first slot.
        residual: those left that may fill the others.
        gram: of all residual codes, deleted or not.
    """

    is_lexical: Tensor
    deleted: Tensor
    lexical: PreparedCodes
    residual: PreparedCodes
    gram: Gram

    @classmethod
    def of(cls, codes: Tensor, lexical: Tensor, deleted: Tensor | None) -> PreparedKinds:
        """Of [K, F] codes, of which [K] bool are ``lexical``; the ``deleted`` ones are in neither kind."""
        every = PreparedCodes(codes, ~lexical), PreparedCodes(codes, lexical)
        whole = cls(lexical, torch.zeros_like(lexical), *every, Gram(every[1]))
        return whole if deleted is None or not bool(deleted.any()) else whole.without(deleted)

    def without(self, deleted: Tensor | None) -> PreparedKinds:
        """The same codes, of which these are deleted."""
        gone = torch.zeros_like(self.is_lexical) if deleted is None else deleted.clone()
        codes = self.lexical.raw
        lexical, residual = PreparedCodes(codes, gone | ~self.is_lexical), PreparedCodes(codes, gone | self.is_lexical)
        return replace(self, deleted=gone, lexical=lexical, residual=residual)

    def made_of(self, codes: Tensor, lexical: Tensor) -> bool:
        """Whether they were made of this, by content, whatever is deleted."""
        return self.lexical.fits(codes, self.lexical.deleted) and torch.equal(self.is_lexical, lexical)

    def lacks(self, deleted: Tensor | None) -> bool:
        """Whether these and no others are deleted."""
        gone = torch.zeros_like(self.is_lexical) if deleted is None else deleted
        return torch.equal(self.deleted, gone)


def pursue(h: Tensor, codes: Tensor, prepared: PreparedKinds, s: int) -> Selection:
    """The lexical code and s - 1 residual codes of each activation, and their coefficients.

    Args:
        h: [N, F] activations.
        codes: [K, F]; residual codes are as long as they are, only their direction counts.
        prepared: of the same codes.

    Returns:
        ids [N, s], and as scores [N, s] float32 the coefficients: 1 for the lexical code, the projection on the residual
        code, or 0 where that is negative.
    """
    left = h.float()
    first = top_s(left, prepared.lexical, 1).ids
    left = left - codes[first[:, 0]].float()
    found = [Selection(first, torch.ones_like(first, dtype=torch.float32))]
    if s > 1:
        chunks = left.split(rows_at_once(prepared.gram.codes, left.device))
        parts = [_residual(some, codes, prepared, s - 1) for some in chunks]
        found.append(Selection(*(torch.cat(column) for column in zip(*parts, strict=True))))
    return Selection(*(torch.cat(column, 1) for column in zip(*found, strict=True)))


@torch.no_grad()
def _residual(left: Tensor, codes: Tensor, prepared: PreparedKinds, slots: int) -> Selection:
    """The residual codes of [N, F] that is left, one after the other; only the first needs all products."""
    ids, coefficients = left.new_empty((len(left), slots), dtype=torch.int64), left.new_empty((len(left), slots))
    products = Products(left, prepared.gram, prepared.residual) if slots > 1 and not left.is_cuda else None
    for slot in range(slots):
        chosen = top_s(left, prepared.residual, 1).ids[:, 0] if products is None else products.best(left)
        vectors = codes[chosen].float()
        ids[:, slot] = chosen
        left, coefficients[:, slot] = _without(left, vectors)
        if products is not None and slot < slots - 1:
            products.less(chosen, coefficients[:, slot] * torch.linalg.vector_norm(vectors, dim=-1))
    return Selection(ids, coefficients)


@torch.no_grad()
def pursue_reference(h: Tensor, codes: Tensor, lexical: Tensor, s: int, deleted: Tensor | None = None) -> Selection:
    """As `pursue`, from the definition: every similarity of every stage."""
    gone = torch.zeros_like(lexical) if deleted is None else deleted
    left = h.float()
    found = [(top_s_reference(left, codes, 1, gone | ~lexical).ids[:, 0], left.new_ones(len(h)))]
    left = left - codes[found[0][0]].float()
    for _ in range(1, s):
        chosen = top_s_reference(left, codes, 1, gone | lexical).ids[:, 0]
        left, coefficient = _without(left, codes[chosen].float())
        found.append((chosen, coefficient))
    ids, coefficients = zip(*found, strict=True)
    return Selection(torch.stack(ids, 1), torch.stack(coefficients, 1))


def _without(left: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """[N, F] what the chosen codes leave, and [N] the coefficients of the codes themselves, whatever their length."""
    square = chosen.square().sum(-1)
    coefficient = ((left * chosen).sum(-1) / square.clamp_min(torch.finfo(square.dtype).tiny)).clamp_min(0)
    return left - coefficient[:, None] * chosen, coefficient
