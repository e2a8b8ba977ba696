"""Where the pieces of a text stand in it, for tokenizers that do not say so (those without a ``tokenizers`` backend).

Pieces are written as the tokenizer normalises text: with marks for spaces, composed letters, other quotes or case, and some
of them as bytes or as the unknown token. Both sides are therefore compared without spaces, decomposed and folded, and what
is equal in order belongs together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

Span = tuple[int, int]
"""Characters of a text, from and to."""

_SPACE = "▁"  # of sentencepiece
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def align(pieces: Sequence[str], text: str, unknown: str | None = None) -> list[Span]:
    """The characters of the text that each piece stands for, without spaces.

    A piece that reads as nothing in the text, such as the unknown token, stands for all that lies between its neighbours, so
    that a token that may be part of a word is taken for one. A piece that is only a space has an empty span.

    Args:
        unknown: the piece that stands for any text.
    """
    read = [None if piece == unknown or _BYTE.fullmatch(piece) else _folded(piece) for piece in pieces]
    written, owners = _joined((number, folded or "") for number, folded in enumerate(read))
    plain, places = _joined((place, _folded(character)) for place, character in enumerate(text))
    found: list[Span | None] = [None] * len(pieces)
    for a, b, size in _equal_parts(written, plain):
        for owner, place in zip(owners[a : a + size], places[b : b + size], strict=True):
            start, _ = found[owner] or (place, place)
            found[owner] = start, place + 1
    return [
        span or _between(found, number, text, blank=folded == "")
        for number, (span, folded) in enumerate(zip(found, read, strict=True))
    ]


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(one for one in decomposed if one != _SPACE and not one.isspace())


def _joined(parts: Iterable[tuple[int, str]]) -> tuple[str, list[int]]:
    """All parts as one text, and for each of its characters the number of its part."""
    numbered = [(number, one) for number, part in parts for one in part]
    return "".join(one for _, one in numbered), [number for number, _ in numbered]


def _equal_parts(one: str, other: str) -> list[tuple[int, int, int]]:
    """Places and lengths of what is equal in both, in order."""
    if one == other:
        return [(0, 0, len(one))]
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return [(block.a, block.b, block.size) for block in blocks]


def _between(found: Sequence[Span | None], number: int, text: str, *, blank: bool) -> Span:
    """What lies between the nearest pieces that were found, without the spaces around it."""
    start = next((span[1] for span in reversed(found[:number]) if span), 0)
    if blank:
        return start, start
    end = max(start, next((span[0] for span in found[number + 1 :] if span), len(text)))
    own = text[start:end]
    start += len(own) - len(own.lstrip())
    return start, start + len(own.strip())
