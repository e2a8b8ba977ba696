"""Sentences as token ids, the one way for all that trains, searches, counts, translates and scores.

A sentence is text and nothing else: ``</s>`` or ``<extra_id_0>`` written in it is read as its characters, never as the
control token of that name. Only the tokenizer's own frame, such as the end mark, is control.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.alignment import Span, align
from codeunlearn.errors import CodeUnlearnError


@dataclass(frozen=True)
class Encoded:
    """Token ids of texts, row by row.

    Attributes:
        ids: token ids, end mark included.
        framing: which tokens are the tokenizer's frame and stand for no text.
        spans: the characters of the text that each token stands for, from and to; empty unless asked for.
    """

    ids: list[list[int]]
    framing: list[list[bool]]
    spans: list[list[Span]]


def encode(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_tokens: int | None = None,
    *,
    as_target: bool = False,
    with_spans: bool = False,
) -> Encoded:
    """Token ids of every text.

    Args:
        max_tokens: a longer text is cut to it, frame included; no bound if absent.
        as_target: the texts are of the target side, for tokenizers that treat the two sides differently.
        with_spans: also say where the tokens stand in the text.

    Raises:
        CodeUnlearnError: a text is not Unicode (half a surrogate pair).
    """
    if not texts:
        return Encoded([], [], [])
    found = tokenized(tokenizer, texts, max_tokens, as_target=as_target, with_spans=with_spans)
    if tokenizer.is_fast:  # a slow one never looks for control tokens in a text that it is told to split
        control = control_ids(tokenizer)
        for i in range(len(texts)):
            if not control.isdisjoint(_body(found.ids[i], found.framing[i])):
                whole = tokenized(tokenizer, [texts[i]], as_target=as_target, with_spans=with_spans)
                tokens = _cut(list(spelled(tokenizer, whole, control)), max_tokens)
                found.ids[i], found.framing[i] = [t[0] for t in tokens], [t[1] for t in tokens]
                if with_spans:
                    found.spans[i] = [t[2] for t in tokens]
    return found


def control_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that no text stands for; the unknown token is none of them, since unknown text is still text."""
    added = cast(dict[int, Any], cast(Any, tokenizer).added_tokens_decoder)
    special = {i for i, token in added.items() if token.special} | set(tokenizer.all_special_ids)
    unknown = cast(int | None, tokenizer.unk_token_id)
    return frozenset(special - {unknown})


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token.

    Raises:
        CodeUnlearnError: there is none.
    """
    pad = tokenizer.pad_token_id
    if not isinstance(pad, int):
        raise CodeUnlearnError("The tokenizer has no padding token; set tokenizer.pad_token first.")
    return pad


def padded(rows: Sequence[Sequence[int]], value: int, step: int = 1) -> Tensor:
    """[rows, width] int64, filled up with ``value`` on the right; the width is a multiple of ``step``."""
    width = -(-max(map(len, rows)) // step) * step
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])


def padded_with_mask(rows: Sequence[Sequence[int]], value: int, step: int = 1) -> tuple[Tensor, Tensor]:
    """As `padded`, and the mask of the same shape: 1 at tokens, 0 at what was filled up."""
    return padded(rows, value, step), padded([[1] * len(row) for row in rows], 0, step)


def tokenized(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_tokens: int | None = None,
    *,
    as_target: bool = False,
    with_spans: bool = False,
    framed: bool = True,
    split: bool = True,
) -> Encoded:
    """What the tokenizer itself makes of every text, control tokens that stand in it included.

    Args:
        framed: the tokenizer puts its frame around each.
        split: names of control tokens in a text are text, as far as the tokenizer keeps to that.

    Raises:
        CodeUnlearnError: a text is not Unicode (half a surrogate pair).
    """
    own: Any = tokenizer
    try:
        encoded: Any = own(
            **{"text_target" if as_target else "text": list(texts)},
            truncation=max_tokens is not None,
            max_length=max_tokens,
            add_special_tokens=framed,
            split_special_tokens=split,
            return_special_tokens_mask=True,
            return_offsets_mapping=with_spans and tokenizer.is_fast,
            verbose=False,
        )
    except (TypeError, UnicodeEncodeError):
        _check_unicode(texts)
        raise
    ids, framing = list(encoded["input_ids"]), [[bool(mark) for mark in row] for row in encoded["special_tokens_mask"]]
    if not with_spans:
        return Encoded(ids, framing, [])
    if tokenizer.is_fast:
        return Encoded(ids, framing, list(encoded["offset_mapping"]))
    pieces = _pieces(tokenizer, texts, as_target=as_target, split=split)
    spans = [align(row, text, cast(str | None, own.unk_token)) for row, text in zip(pieces, texts, strict=True)]
    side = str(own.truncation_side)
    return Encoded(ids, framing, [_placed(*row, side) for row in zip(spans, framing, strict=True)])


def _pieces(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, as_target: bool, split: bool
) -> list[list[str]]:
    """Tokens as they read, also those whose id is the unknown token's."""
    own: Any = tokenizer
    switches = as_target and hasattr(own, "_switch_to_target_mode")  # as a call with `text_target` does
    if switches:
        own._switch_to_target_mode()
    try:
        return [own.tokenize(text, split_special_tokens=split) for text in texts]
    finally:
        if switches:
            own._switch_to_input_mode()


def _placed(spans: Sequence[Span], framing: Sequence[bool], truncation_side: str) -> list[Span]:
    """The spans of a text's tokens, as many as were kept, with an empty one for each token of the frame."""
    kept = len(framing) - sum(framing)
    left = iter(spans[len(spans) - kept :] if truncation_side == "left" else spans[:kept])
    return [(0, 0) if frame else next(left) for frame in framing]


def _check_unicode(texts: Sequence[str]) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CodeUnlearnError(f"{text!r} holds half a surrogate pair, which is no text; leave it out.") from None


def _body(ids: list[int], framing: list[bool]) -> list[int]:
    return [token for token, frame in zip(ids, framing, strict=True) if not frame]


Token = tuple[int, bool, Span]
"""Its id, whether it is of the frame, and its place in the text."""


def spelled(tokenizer: PreTrainedTokenizerBase, whole: Encoded, control: frozenset[int]) -> Iterator[Token]:
    """The tokens of the one row, every control token in its text written as its characters.

    Needed although special tokens are split: a unigram or word vocabulary may hold them as pieces.
    """
    (ids,), (framing,) = whole.ids, whole.framing
    spans = whole.spans[0] if whole.spans else [(0, 0)] * len(ids)
    for token, frame, (start, end) in zip(ids, framing, spans, strict=True):
        if frame or token not in control:
            yield token, frame, (start, end)
            continue
        characters = list(cast(str, tokenizer.convert_ids_to_tokens(token)))
        for k, piece in enumerate(cast(list[int | None], tokenizer.convert_tokens_to_ids(characters))):
            if piece is not None:  # a vocabulary without the character and without an unknown token
                yield piece, False, (min(start + k, end - 1), min(start + k + 1, end))


def _cut(tokens: list[Token], max_tokens: int | None) -> list[Token]:
    """Shortened at the end of the text, the frame kept, as tokenizers do."""
    excess = 0 if max_tokens is None else len(tokens) - max_tokens
    text = [i for i, (_, frame, _) in enumerate(tokens) if not frame]
    dropped = set(text[-excess:]) if excess > 0 else set[int]()
    return [token for i, token in enumerate(tokens) if i not in dropped]
