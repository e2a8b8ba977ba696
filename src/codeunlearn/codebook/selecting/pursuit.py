"""Greedy selection in two kinds of codes: one lexical code, then residual codes for what it leaves unexplained.

With fewer codes than pieces of the vocabulary, rare words share codes and a language model's facts are lost; with one large
dictionary and free coefficients they are kept, but what one code said another can say when it is deleted. One *lexical*
code (one for each piece of the vocabulary) says which word a token is, by cosine and as it stands; every further slot takes
the *residual* code nearest to what is still unexplained, times its projection, which is never negative. This is matching
pursuit (Mallat and Zhang 1993) behind a first stage of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codeunlearn.codebook.selecting.fast import PreparedCodes, top_s
from codeunlearn.codebook.selecting.reference import Selection, top_s_reference


class PreparedKinds(NamedTuple):
    """The codes of both kinds, normalised once for many searches.

    Attributes:
        lexical: may fill the first slot.
        residual: may fill the others.
    """

    lexical: PreparedCodes
    residual: PreparedCodes

    @classmethod
    def of(cls, codes: Tensor, lexical: Tensor, deleted: Tensor | None) -> PreparedKinds:
        """Of [K, F] codes, of which [K] bool are ``lexical``; the ``deleted`` ones are in neither kind."""
        gone = torch.zeros_like(lexical) if deleted is None else deleted
        return cls(PreparedCodes(codes, gone | ~lexical), PreparedCodes(codes, gone | lexical))

    def fit(self, codes: Tensor, lexical: Tensor, deleted: Tensor | None) -> bool:
        """Whether they were made of this, by content."""
        gone = torch.zeros_like(lexical) if deleted is None else deleted
        other = self.residual.deleted
        return self.lexical.fits(codes, gone | ~lexical) and other is not None and torch.equal(other, gone | lexical)


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
    ids, coefficients = left.new_empty((len(h), s), dtype=torch.int64), left.new_ones((len(h), s))
    ids[:, 0] = top_s(left, prepared.lexical, 1).ids[:, 0]
    left = left - codes[ids[:, 0]].float()
    for slot in range(1, s):
        ids[:, slot] = top_s(left, prepared.residual, 1).ids[:, 0]
        left, coefficients[:, slot] = _without(left, codes[ids[:, slot]].float())
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
