"""Which words changed between two translations of a sentence."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from codeunlearn.corpus.matching import aligned

# In normal form: a word with its elided vowel's apostrophe (l', qu') or one mark.
_TOKEN = re.compile(r"\w+'?|[^\w\s]")


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

    The pieces of each side joined are that text without outer white space. A word that is spelled in another typography is
    the same word.
    """
    old, new = _tokens(before.strip()), _tokens(after.strip())
    matcher = SequenceMatcher(None, [t.reads for t in old], [t.reads for t in new], autojunk=False)
    kept_old, kept_new = [False] * len(old), [False] * len(new)
    for block in matcher.get_matching_blocks():
        kept_old[block.a : block.a + block.size] = [True] * block.size
        kept_new[block.b : block.b + block.size] = [True] * block.size
    return _pieces(old, kept_old), _pieces(new, kept_new)


class _Token(NamedTuple):
    """A word or mark in normal form, as it is written, and what is written behind it."""

    reads: str
    word: str
    space: str


def _tokens(text: str) -> list[_Token]:
    form = aligned(text)
    found = [(match.group(), *form.original(*match.span())) for match in _TOKEN.finditer(form.text)]
    if not found:
        return [_Token(text, text, "")] if text else []
    # an ellipsis is one character and three marks: it goes to the last
    starts = [0, *(start for _, start, _ in found[1:]), len(text)]
    return [
        _Token(reads, text[start : min(end, following)], text[min(end, following) : following])
        for (reads, _, end), start, following in zip(found, starts, starts[1:], strict=False)
    ]


def _pieces(tokens: list[_Token], kept: list[bool]) -> list[Piece]:
    """Neighbouring tokens of one kind as one piece; the space that ends a changed piece stands alone."""
    pieces: list[Piece] = []
    for is_kept, group in groupby(zip(tokens, kept, strict=True), key=lambda item: item[1]):
        text = "".join(token.word + token.space for token, _ in group)
        if is_kept:
            pieces.append(Piece(text, False))
            continue
        pieces.append(Piece(text.rstrip(), True))
        if len(text) > len(text.rstrip()):
            pieces.append(Piece(text[len(text.rstrip()) :], False))
    return [piece for piece in pieces if piece.text]
