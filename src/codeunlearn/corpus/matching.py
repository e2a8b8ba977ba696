"""Whole words in text, however the text is written: the one place that says when two spellings are the same.

A word may carry soft hyphens and other invisible characters, a typographic apostrophe or hyphen, ligatures, full-width
letters, markup around it, or accents as characters of their own, and still reads as that word. All of these spellings have
one normal form, and words are looked for in it. What is found is given as places in the text as it was written.

Letters of another script that look alike (a Cyrillic o in "love") are other letters, as in Unicode's own normal forms:
they do not come from typesetting, but from an attack, against which a list of words is no defence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

MATCHING_VERSION = "words.2"
"""Part of the signature of every score that looks for words; a change to the rules below must change it."""

_PLAIN = re.compile(
    r"[\t\n\r -)+-^a-~«»\u00c0-\u00c5\u00c7-\u00d6\u00d8-\u00de\u00e0-\u00e5\u00e7-\u00f6\u00f8-\u00ff]*"
)
"""Text that is its own normal form and differs from others in the case of single letters only."""

_INVISIBLE = (
    # Default_Ignorable_Code_Point of Unicode 16: soft hyphen, joiners, bidi marks, variation selectors, fillers, tags.
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    # control characters, but for those that are white space
    (0x0000, 0x0008), (0x000E, 0x001B), (0x007F, 0x0084), (0x0086, 0x009F),
    # lines that strike out, underline, tie or enclose the letter before
    (0x0305, 0x0305), (0x0332, 0x0338), (0x033F, 0x033F), (0x035C, 0x0362), (0x0488, 0x0489), (0x20D2, 0x20D3),
    (0x20DD, 0x20E0), (0x20E2, 0x20EB),
)  # fmt: skip
_APOSTROPHES = "`\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb\u2018\u2019\u201b\u2032\ua78b\ua78c"
_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58"
_BLANKS = "\u2800™℠"
"""Braille's blank, and marks behind a word that a compatible form would make letters of it."""
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
_WHITE_ON_BLACK = {chr(first + i): chr(0x41 + i) for first in (0x1F150, 0x1F170) for i in range(26)}
"""Letters in a black circle or square, which have no compatible form."""
_DOTLESS = {"\u0131": "i", "İ": "I"}
_LIGATURES = {ord("œ"): "oe", ord("æ"): "ae"}
"""Letters of their own that are also typed as two; compared as such, and kept in the normal form."""
_SAME: dict[int, str | None] = {
    **{code: None for first, last in _INVISIBLE for code in range(first, last + 1)},
    **dict.fromkeys(map(ord, _APOSTROPHES), "'"),
    **dict.fromkeys(map(ord, _HYPHENS), "-"),
    **dict.fromkeys(map(ord, _BLANKS), " "),
    **{ord(letter): plain for letter, plain in (_DOTLESS | _SMALL_CAPITALS | _WHITE_ON_BLACK).items()},
}
_MARKUP = re.compile(r"_+|(?<![^\W_])(?<!\*)\*+|\*+(?![^\W_])(?!\*)")
_BETWEEN_WORDS = re.compile(r"\s+|-\s*")
_ZERO_WIDTH_SPACE = "\u200b"
_HELD = "\ufdd0"
"""Stands for a zero-width space that is kept: no character of any text, and unchanged by all forms."""
_MAY_BE_NOTE = re.compile(
    "[ª²³¹º¼-¾ʰ-ʸˠ-ˤᴬ-ᵪᵸᶛ-ᶿ⁰-₎ₐ-ₜ℀-↋①-⓿❶-➓㈀-㏿\ua69c\ua69d\ua770\ua7f2-\ua7f4\ua7f8\ua7f9\U0001f100-\U0001f2ff]"
)
_RAISED = ("<super>", "<sub>")


def normal_form(text: str) -> str:
    """The text as it reads: no invisible characters, composed letters of one form, straight apostrophes and hyphens.

    Case is kept. Underscores and asterisks around words become spaces. Applying it twice changes nothing.
    """
    return text if _PLAIN.fullmatch(text) else _without_markup(_compatible(text))


@dataclass(frozen=True)
class Aligned:
    """A form of a text that knows where its characters come from.

    Attributes:
        text: the form.
        places: for every character of it, from and to which character of the original it was made.
    """

    text: str
    places: Sequence[tuple[int, int]]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of a stretch of the form that is not empty."""
        return self.places[start][0], self.places[end - 1][1]


def without_ligatures(text: str) -> str:
    """The text with oe for œ and ae for æ, in lower case."""
    return text.translate(_LIGATURES)


def aligned(text: str) -> Aligned:
    """The normal form of a text, with the places of its characters."""
    return _align(text, _compatible)


class WholeWords:
    """Words and phrases that are looked for as whole words, in any case and spelling.

    A space and a hyphen between the words of a phrase are the same: "Notre Dame" is found in "Notre-Dame".

    Args:
        forms: the words and phrases; without any, nothing is found.
        capitalised: only what begins with a capital is found.
    """

    def __init__(self, forms: Iterable[str], *, capitalised: bool = False) -> None:
        folded = {_folded(form).strip(" \t\n'-") for form in forms} - {""}
        longest_first = sorted(folded, key=lambda form: (-len(form), form))
        self._forms = longest_first
        self._pattern = _pattern(longest_first)
        self._capitalised = capitalised

    def __call__(self, text: str) -> bool:
        """Whether one of the words is in the text."""
        return bool(self.rows([text]))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the words are in the text as it is written: characters from and to, in order."""
        if _PLAIN.fullmatch(text):
            spans = [match.span() for match in self._pattern.finditer(text)]
        else:
            spans = _apart(span for reading, holds in self._readings(text) for span in _written(reading, holds))
        return [span for span in spans if not self._capitalised or text[span[0]].isupper()]

    def replaced(self, text: str, by: str) -> str:
        """The text with another word in place of each, which begins with a capital where the text did so."""
        for start, end in reversed(self.spans(text)):
            word = by[:1].upper() + by[1:] if start == 0 and text[0].isupper() else by
            text = text[:start] + word + text[end:]
        return text

    def rows(self, texts: Sequence[str]) -> list[int]:
        """Positions of the texts that hold one of the words; 150,000 short sentences take about 0.1 s."""
        is_plain, search, anywhere = _PLAIN.fullmatch, self._pattern.search, self._anywhere
        rows = [row for row, text in enumerate(texts) if (search(text) if is_plain(text) else anywhere(text))]
        return [row for row in rows if self.spans(texts[row])] if self._capitalised else rows

    def _anywhere(self, text: str) -> bool:
        return any(holds.search(_folded(reading)) for reading, holds in self._readings(text))

    def _readings(self, text: str) -> Iterator[tuple[str, re.Pattern[str]]]:
        """As many characters each, with the pattern for it: the text, and without marks that are glued to its words.

        A zero-width space is a slip inside a word, or stands between two that are set without a space.
        """
        yield text, self._pattern
        if (bare := without_notes(text)) != text:
            yield bare, self._pattern
        if _ZERO_WIDTH_SPACE in text:
            yield bare.replace(_ZERO_WIDTH_SPACE, _HELD), self._across

    @cached_property
    def _across(self) -> re.Pattern[str]:
        return _pattern(self._forms, _HELD)


def without_notes(text: str) -> str:
    """The text with spaces for marks that are glued to a word and not of it: raised and lowered signs, numbers in circles,
    fractions, ™ and the like. A compatible form would make letters and digits of them."""
    return _MAY_BE_NOTE.sub(lambda found: " " if _is_note(found.group()) else found.group(), text)


def _is_note(character: str) -> bool:
    return unicodedata.category(character) in ("No", "Nl", "So") or unicodedata.decomposition(character).startswith(
        _RAISED
    )


def _written(text: str, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    form = _align(text, _casefolded)
    return [form.original(*match.span()) for match in pattern.finditer(form.text)]


def _compatible(text: str) -> str:
    """The normal form but for markup, which depends on what stands around it."""
    composed = unicodedata.normalize("NFKC", text.translate(_SAME)).translate(_SAME)
    # "İ" in lower case is an i with a dot of its own
    return unicodedata.normalize("NFKC", composed.replace("i\u0307", "i"))


def _casefolded(text: str) -> str:
    return unicodedata.normalize("NFKC", _compatible(text).casefold()).translate(_LIGATURES)


def _folded(text: str) -> str:
    return _without_markup(_casefolded(text))


def _without_markup(text: str) -> str:
    """As long as the text, so that places stay."""
    return _MARKUP.sub(lambda marks: " " * len(marks.group()), text) if "_" in text or "*" in text else text


def _align(text: str, form: Callable[[str], str]) -> Aligned:
    parts = [(form(text[start:end]), (start, end)) for start, end in _stretches(text)]
    places = [place for part, place in parts for _ in part]
    return Aligned(_without_markup("".join(part for part, _ in parts)), places)


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """The text cut into what has a normal form of its own: a letter with its marks and the invisible ones behind it."""
    start = 0
    for end in range(1, len(text)):
        if _begins(text[end], text[start:end]):
            yield start, end
            start = end
    if text:
        yield start, len(text)


def _begins(character: str, before: str) -> bool:
    if character.isascii():
        return character.isprintable() or character.isspace()
    alone = _compatible(character)
    if not alone or unicodedata.combining(unicodedata.normalize("NFD", alone)[0]):
        return False
    return _compatible(before + character) == _compatible(before) + alone


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, without those that overlap one before."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(set(spans)):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _pattern(forms: Sequence[str], within: str = "") -> re.Pattern[str]:
    """One of the forms as a whole word; ``within`` may stand between any two of its characters."""
    spelled = "|".join(_spelled(form, within) for form in forms)
    return re.compile(rf"(?<!\w)(?:{spelled})(?!\w)" if forms else r"(?!)", re.IGNORECASE)


def _spelled(form: str, within: str) -> str:
    """A form as a pattern."""
    blank, may = rf"[\s{within}]", f"{within}*" if within else ""
    parts = (may.join(map(re.escape, part)) for part in _BETWEEN_WORDS.split(form))
    return rf"(?:{blank}+|-{blank}*)".join(parts).replace("'", rf"'{blank}*")
