"""Typography: which spellings of a text are one text when answers are compared, and what its words are."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_SINGLE_QUOTES = dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4\u0060\u2039\u203a"), "'")
_DOUBLE_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"), '"')
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")
_LIGATURES = {
    0x0153: "oe",
    0x0152: "Oe",
    0x00E6: "ae",
    0x00C6: "Ae",
    0xFB01: "fi",
    0xFB02: "fl",
    0x2026: "...",
}
_CHARACTERS = {**_SINGLE_QUOTES, **_DOUBLE_QUOTES, **_DASHES, **_LIGATURES}


@dataclass(frozen=True)
class Typography:
    """How texts of a language are compared: every metric normalises both sides first.

    Attributes:
        version: part of the signature of every score; a change to the rules must change it.
        normalise: the one spelling of a text; applying it twice changes nothing.
        tokens: lower-cased words and marks of a text, normalised first.
    """

    version: str
    normalise: Callable[[str], str]
    tokens: Callable[[str], list[str]]

    def words(self, text: str) -> list[str]:
        """The tokens of a text that hold a letter or a digit."""
        return [token for token in self.tokens(text) if any(map(str.isalnum, token))]


def composed(text: str) -> str:
    """A text without invisible characters, its accents and letters composed (Unicode NFC)."""
    return unicodedata.normalize("NFC", text.translate(_INVISIBLE))


def straight(text: str) -> str:
    """A text with straight quotes and apostrophes, ASCII dashes, ligatures as letters, and single plain spaces."""
    return _one_spaced(composed(text).translate(_CHARACTERS))


def _one_spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


PLAIN = Typography("plain.1", _one_spaced, lambda text: _one_spaced(text).lower().split())
"""Of a language about which nothing is known: Unicode NFC, and words are what stands between spaces."""
