"""A language: Esperanto, in which the ending of a word says what it is."""

from __future__ import annotations

from codeunlearn.corpus.languages.base import LANGUAGES, Language, Lexicon, Reading

ENDINGS = {
    "NOUN": ("o", "on", "oj", "ojn"),
    "ADJ": ("a", "an", "aj", "ajn"),
    "VERB": ("i", "as", "is", "os", "us", "u"),
}
FREQUENT = {
    "NOUN": ("homo", "tago", "domo", "libro", "hundo", "kato", "birdo", "arbo"),
    "ADJ": ("granda", "bona", "nova", "bela", "blanka", "malgranda"),
    "VERB": ("havi", "vidi", "ami", "veni", "trovi", "manĝi"),
}


def reading(word: str) -> Reading:
    """What the ending says, if a root of two letters is left: "hundojn" is a noun in -ojn, "la" and "mi" are neither."""
    fits = [(len(e), pos, e) for pos, ends in ENDINGS.items() for e in ends if word.lower()[2:].endswith(e)]
    return Reading(*max(fits)[1:]) if fits else Reading("OTHER", "")


def surface_forms(word: str) -> tuple[str, ...]:
    pos, ending = reading(word)
    return tuple(word.lower().removesuffix(ending) + other for other in ENDINGS.get(pos, ("",)))


LEXICON = Lexicon(
    read=lambda tokens: [reading(token.text) for token in tokens],
    pos_shares=lambda word: {reading(word).pos: 1.0},
    surface_forms=surface_forms,
    frequent_words=lambda pos, share: FREQUENT.get(pos, ()),
    inflect=lambda lemma, ending: lemma[:-1] + ending,
)

LANGUAGES.register("esperanto")(Language("eo", lexicon=LEXICON))
