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
from codeunlearn.codebook.selecting.reference import Selection
from codeunlearn.errors import CodeUnlearnError

_kept = WeakTensorKeyDictionary()  # goes with the weights


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


@torch.library.custom_op("codeunlearn::select", mutates_args=())
def _select(h: Tensor, codes: Tensor, deleted: Tensor | None, s: int, keep: bool) -> tuple[Tensor, Tensor]:
    prepared = _prepared(codes, deleted, keep)
    if len(prepared.ids) < s:
        raise CodeUnlearnError(
            f"Only {len(prepared.ids)} of {len(codes)} codes are left and {s} are to be selected; restore a topic, use "
            "smaller forget sets, or another deletion mode than refill."
        )
    if not bool(torch.isfinite(h).all()):
        raise CodeUnlearnError(
            "The activations at the bottleneck are not finite numbers; float16 overflows in many models: use bfloat16 or "
            "float32, and check the weights."
        )
    found = top_s(h, prepared, s)
    return found.ids, found.scores


@_select.register_fake
def _(h: Tensor, codes: Tensor, deleted: Tensor | None, s: int, keep: bool) -> tuple[Tensor, Tensor]:
    return h.new_empty((h.shape[0], s), dtype=torch.int64), h.new_empty((h.shape[0], s), dtype=torch.float32)


def _prepared(codes: Tensor, deleted: Tensor | None, keep: bool) -> PreparedCodes:
    kept: PreparedCodes | None = _kept.get(codes)
    if kept is not None and kept.fits(codes, deleted):
        return kept
    if not bool(torch.isfinite(codes).all()):
        row = int((~torch.isfinite(codes).all(-1)).nonzero()[0])
        raise CodeUnlearnError(
            f"Row {row} of the codebook holds what is no finite number; open or train the model again."
        )
    if not keep:
        return PreparedCodes(codes, deleted)
    _kept[codes] = prepared = PreparedCodes(codes.clone(), None if deleted is None else deleted.clone())
    return prepared
