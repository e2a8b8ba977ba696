"""Agreement and spelling: what French and English word forms do next to each other.

French: elision ("l'ami", "qu'il"), contraction ("du", "aux"), plurals, agreement of adjectives and participles.
English: "a" or "an", plurals, regular verb forms.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache

_FRENCH_VOWELS = "aàâeéèêiîoôuûyœ"
# Words of the lexicon whose h blocks elision ("le héros", "de hiboux").
_ASPIRATED = frozenset({"héros", "hibou", "hiboux"})
_ELISION = re.compile(r"\b(je|me|se|le|la|ne|de|que|si)(?=\s+(\w+))\s+", re.IGNORECASE)


class Person(IntEnum):
    """Grammatical persons the grammar uses: I, he or she, they.

    "You" is left out because its number cannot be read off English, "we" because its French forms would be too rare to
    be learned.
    """

    FIRST = 0
    THIRD = 1
    THIRD_PLURAL = 2

    @property
    def plural(self) -> bool:
        return self is Person.THIRD_PLURAL


@cache
def starts_with_vowel_sound(text: str) -> bool:
    """Whether French elides or links before `text` (a vowel or a mute h)."""
    match = re.match(r"\w+", text.lower())
    if match is None or match.group() in _ASPIRATED:
        return False
    return match.group()[0] in _FRENCH_VOWELS + "h"


def elide(text: str) -> str:
    """Apply elision everywhere in a French text: "je ai" -> "j'ai", "si il" -> "s'il" (but "si elle" stays)."""

    def shorten(match: re.Match[str]) -> str:
        word, following = match.group(1), match.group(2)
        if word.lower() == "si":
            return word[:-1] + "'" if following in ("il", "ils") else match.group()
        return word[:-1] + "'" if starts_with_vowel_sound(following) else match.group()

    return _ELISION.sub(shorten, text)


def contract(preposition: str, phrase: str) -> str:
    """Join "à", "de" or a preposition ending in "de" with a noun phrase: "de" + "le roi" -> "du roi".

    An indefinite plural loses its article: "de" + "des chevaux" -> "de chevaux". Only for noun phrases: the object
    pronouns "le" and "les" never contract ("de le voir").
    """
    head, _, last = preposition.rpartition(" ")
    article, _, rest = phrase.partition(" ")
    if last == "de" and article in ("des", "de"):
        return elide(f"{preposition} {rest}")
    contracted = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}.get((last, article))
    if contracted is None:
        return elide(f"{preposition} {phrase}")
    return " ".join(part for part in (head, contracted, rest) if part)


def french_plural(word: str) -> str:
    """Plural of a regular French noun or adjective form; the few exceptions are spelled out in the lexicon."""
    if word.endswith(("s", "x", "z")):
        return word
    if word.endswith(("eau", "ou", "eu", "œu")) and word != "bleu":
        return word + "x"
    if word.endswith("al"):
        return word[:-2] + "aux"
    return word + "s"


def french_agree(masculine: str, feminine: str, *, is_feminine: bool, is_plural: bool) -> str:
    """The form of an adjective or participle for a gender and a number."""
    form = feminine if is_feminine else masculine
    return french_plural(form) if is_plural else form


def indefinite_article(following: str) -> str:
    """English "a" or "an" before the words of this lexicon (none starts with a sounded "u" or a mute "h")."""
    return "an" if following[0] in "aeiou" else "a"


def add_s(word: str) -> str:
    """Regular English plural of a noun, or third person singular of a verb."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def add_ed(word: str) -> str:
    """Regular English past tense."""
    if word.endswith("e"):
        return word + "d"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ied"
    return word + "ed"


def add_ing(word: str) -> str:
    """Regular English -ing form; verbs that double a consonant are spelled out in the lexicon."""
    if word.endswith("e") and not word.endswith("ee"):
        return word[:-1] + "ing"
    return word + "ing"


def add_er(word: str, ending: str = "er") -> str:
    """English comparative ("er") or superlative ("est") of a short adjective without doubling."""
    if word.endswith("e"):
        return word + ending[1:]
    if word.endswith("y"):
        return word[:-1] + "i" + ending
    return word + ending
