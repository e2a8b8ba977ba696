"""The search as one operator of torch, so that ``torch.compile`` and ``torch.export`` see a single opaque step.

What is inside reads weights and deletions when it runs, never when it is traced, and may ask what only values can tell. Prepared
codes are kept from search to search, beside the weights they were made of and never on trust: weights and deletions are
compared by content each time, since torch counts neither what is written through ``.data`` nor what happens to inference tensors.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from codeunlearn.codebook.selecting.fast import PreparedCodes, top_s
from codeunlearn.codebook.selecting.pursuit import PreparedKinds, pursue
from codeunlearn.codebook.selecting.reference import Selection
from codeunlearn.errors import CodeUnlearnError

_kept, _kept_kinds = WeakTensorKeyDictionary(), WeakTensorKeyDictionary()  # go with the weights


def select_codes(h: Tensor, codes: Tensor, deleted: Tensor | None, s: int, *, keep: bool) -> Selection:
    """The ``s`` most similar codes that are not deleted, for each activation (eqs. 1, 2); no gradient flows.

    Args:
        h: [N, F] encoded activations.
        codes: [K, F].
        deleted: [K] bool; None for a search among all codes.
        s: at most K.
        keep: the prepared codes may serve the next search.

    Raises:
        CodeUnlearnError: an activation or a code is no finite number, or fewer than ``s`` codes are left.
    """
    with torch.no_grad():
        return Selection(*cast(tuple[Tensor, Tensor], _select(h, codes, deleted, s, keep)))


def pursue_codes(h: Tensor, codes: Tensor, lexical: Tensor, deleted: Tensor | None, s: int, *, keep: bool) -> Selection:
    """One lexical code and s - 1 residual codes for each activation, with their coefficients; no gradient flows.

    Args:
        lexical: [K] bool, which codes are lexical; the others are residual.

    Raises:
        CodeUnlearnError: as `select_codes`.
    """
    with torch.no_grad():
        return Selection(*cast(tuple[Tensor, Tensor], _pursue(h, codes, lexical, deleted, s, keep)))


@torch.library.custom_op("codeunlearn::select", mutates_args=())
def _select(h: Tensor, codes: Tensor, deleted: Tensor | None, s: int, keep: bool) -> tuple[Tensor, Tensor]:
    prepared = _prepared(codes, deleted, keep)
    if len(prepared.ids) < s:
        raise CodeUnlearnError(
            f"Only {len(prepared.ids)} of {len(codes)} codes are left and {s} are to be selected; restore a topic, use "
            "smaller forget sets, or another deletion mode than refill."
        )
    _require_finite(h)
    found = top_s(h, prepared, s)
    return found.ids, found.scores


@torch.library.custom_op("codeunlearn::pursue", mutates_args=())
def _pursue(
    h: Tensor, codes: Tensor, lexical: Tensor, deleted: Tensor | None, s: int, keep: bool
) -> tuple[Tensor, Tensor]:
    kinds = _prepared_kinds(codes, lexical, deleted, keep)
    for kind, wanted, name in ((kinds.lexical, 1, "lexical"), (kinds.residual, min(1, s - 1), "residual")):
        if len(kind.ids) < wanted:
            raise CodeUnlearnError(
                f"No {name} code is left to be selected; restore a topic, use smaller forget sets, or another deletion mode "
                "than refill."
            )
    _require_finite(h)
    found = pursue(h, codes, kinds, s)
    return found.ids, found.scores


def _require_finite(h: Tensor) -> None:
    if not bool(torch.isfinite(h).all()):
        raise CodeUnlearnError(
            "The activations at the bottleneck are not finite numbers; float16 overflows in many models: use bfloat16 or "
            "float32, and check the weights."
        )


@_select.register_fake
def _(h: Tensor, codes: Tensor, deleted: Tensor | None, s: int, keep: bool) -> tuple[Tensor, Tensor]:
    return h.new_empty((h.shape[0], s), dtype=torch.int64), h.new_empty((h.shape[0], s), dtype=torch.float32)


@_pursue.register_fake
def _(h: Tensor, codes: Tensor, lexical: Tensor, deleted: Tensor | None, s: int, keep: bool) -> tuple[Tensor, Tensor]:
    return h.new_empty((h.shape[0], s), dtype=torch.int64), h.new_empty((h.shape[0], s), dtype=torch.float32)


def _prepared(codes: Tensor, deleted: Tensor | None, keep: bool) -> PreparedCodes:
    kept: PreparedCodes | None = _kept.get(codes)
    if kept is not None and kept.fits(codes, deleted):
        return kept
    _require_finite_codes(codes)
    if not keep:
        return PreparedCodes(codes, deleted)
    _kept[codes] = prepared = PreparedCodes(codes.clone(), None if deleted is None else deleted.clone())
    return prepared


def _prepared_kinds(codes: Tensor, lexical: Tensor, deleted: Tensor | None, keep: bool) -> PreparedKinds:
    kept: PreparedKinds | None = _kept_kinds.get(codes)
    if kept is not None and kept.made_of(codes, lexical):
        if kept.lacks(deleted):
            return kept
        prepared = kept.without(deleted)
    else:
        _require_finite_codes(codes)
        prepared = PreparedKinds.of(codes.clone() if keep else codes, lexical, deleted)
    if keep:
        _kept_kinds[codes] = prepared
    return prepared


def _require_finite_codes(codes: Tensor) -> None:
    if not bool(torch.isfinite(codes).all()):
        row = int((~torch.isfinite(codes).all(-1)).nonzero()[0])
        raise CodeUnlearnError(
            f"Row {row} of the codebook holds what is no finite number; open or train the model again."
        )
