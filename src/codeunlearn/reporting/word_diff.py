"""Which words changed between two translations of a sentence."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

# A word with its elided vowel's apostrophe (l', qu') or one mark, then the space behind it.
_TOKEN = re.compile(r"(\w+['’]?|[^\w\s])(\s*)")


class Piece(NamedTuple):
    """A stretch of a text.

    Attributes:
        text: with the space behind it unless the stretch is changed.
        changed: the other text does not have it here.
    """

    text: str
    changed: bool


def word_diff(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts cut into stretches that they share and stretches that only one of them has.

    The pieces of each side joined are that text without outer white space.
    """
    old, new = _TOKEN.findall(before.strip()), _TOKEN.findall(after.strip())
    matcher = SequenceMatcher(None, [word for word, _ in old], [word for word, _ in new], autojunk=False)
    kept_old, kept_new = [False] * len(old), [False] * len(new)
    for block in matcher.get_matching_blocks():
        kept_old[block.a : block.a + block.size] = [True] * block.size
        kept_new[block.b : block.b + block.size] = [True] * block.size
    return _pieces(old, kept_old), _pieces(new, kept_new)


def _pieces(tokens: list[tuple[str, str]], kept: list[bool]) -> list[Piece]:
    """Neighbouring tokens of one kind as one piece; the space that ends a changed piece stands alone."""
    pieces: list[Piece] = []
    for is_kept, group in groupby(zip(tokens, kept, strict=True), key=lambda item: item[1]):
        text = "".join(word + space for (word, space), _ in group)
        if is_kept:
            pieces.append(Piece(text, False))
            continue
        pieces.append(Piece(text.rstrip(), True))
        if len(text) > len(text.rstrip()):
            pieces.append(Piece(text[len(text.rstrip()) :], False))
    return pieces
