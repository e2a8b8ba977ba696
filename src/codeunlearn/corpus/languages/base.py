"""What the package knows of a language, and the registry of languages by name.

A task names two, of its prompts and of its answers. All parts are optional. The words of a topic, their forms and what
can stand in for them in a control sentence come from the lexicon of the prompts' language; how answers are compared, and
which words share a stem, from the answers' language. They are one registry, not two, because learning what a topic is called
in answers (`codeunlearn.corpus.answer_words`) needs the one and the other, and a language may be on either side. Metrics of one
language are entries of the registry of metrics that say for which it is (`codeunlearn.evaluation.metrics.base.on_answers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NamedTuple

from codeunlearn.corpus.languages.typography import PLAIN, Typography
from codeunlearn.corpus.matching import aligned, normal_form
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.registry import Registry

if TYPE_CHECKING:
    from nltk.stem import SnowballStemmer

Gender = Literal["male", "female"]

MIN_FORM_SHARE = 0.03
"""A part of speech counts for a word that is it this often: "book" is a noun, hardly a verb."""
USUALLY = 0.5
"""Share from which on a word is mostly of a part of speech."""


class Reading(NamedTuple):
    """What a word is in its sentence.

    Attributes:
        pos: NOUN, VERB, ADJ, ADV or NAME; for other words what the language calls their class.
        tag: what the language calls the inflection (NNS, VBD, ... in English); empty where the word does not inflect.
    """

    pos: str
    tag: str


NAME, NOUN = Reading("NAME", "NNP"), Reading("NOUN", "")


class Token(NamedTuple):
    """A word or mark and where it stands: ``sentence[start:end]`` reads as ``text``."""

    text: str
    start: int
    end: int


def _as_it_is(lemma: str, tag: str) -> str | None:
    return lemma


def _always(before: str, word: str) -> bool:
    return True


@dataclass(frozen=True)
class Lexicon:
    """The words of a language, as topics and control sentences need them. All functions take words in lower case or as written.

    Attributes:
        read: the reading of every token of one sentence, in context.
        pos_shares: how often the word is which part of speech, out of context; shares sum to 1.
        surface_forms: the forms of a word that a topic takes with it, dictionary form first; itself at least.
        frequent_words: frequent dictionary forms, at most some 1,000, that are of a part of speech at least so often (a share),
            most frequent first; control words and neighbours are taken from them.
        lemmas: dictionary forms that the form can belong to; empty for names and unknown words.
        possible_readings: every reading that inflection allows; empty for unknown words.
        inflect: a dictionary form in the inflection of a tag, or None where no such word is in use.
        is_countable: whether a word that the dictionary does not know is a noun by its plural, which names hardly have.
        is_function_word: whether the word is a pronoun, auxiliary, preposition or the like.
        clitics: the words that a contraction is made of; empty for any other word.
        given_names: given names by frequency in per cent, most frequent first.
        may_follow: whether a word can stand right behind the lower-cased token before it, such as "hour" behind "an".
        variants: words that are another one before some sounds, by that other: {"an": "a"}.
        token: a word, clitic or mark of a text in normal form (`matching.normal_form`).
        noun: the reading that is taken for a word of which nothing is known.
    """

    read: Callable[[Sequence[Token]], list[Reading]]
    pos_shares: Callable[[str], Mapping[str, float]]
    surface_forms: Callable[[str], tuple[str, ...]]
    frequent_words: Callable[[str, float], Sequence[str]]
    lemmas: Callable[[str], tuple[str, ...]] = lambda form: ()
    possible_readings: Callable[[str], frozenset[Reading]] = lambda form: frozenset()
    inflect: Callable[[str, str], str | None] = _as_it_is
    is_countable: Callable[[str], bool] = lambda word: False
    is_function_word: Callable[[str], bool] = lambda word: False
    clitics: Callable[[str], tuple[str, ...]] = lambda word: ()
    given_names: Callable[[Gender], Mapping[str, float]] = lambda gender: {}
    may_follow: Callable[[str, str], bool] = _always
    variants: Mapping[str, str] = field(default_factory=dict[str, str])
    token: re.Pattern[str] = re.compile(r"\w+|[^\w\s]")
    noun: Reading = NOUN

    def split(self, sentence: str) -> list[str]:
        """The words, clitics and marks of a sentence."""
        return self.token.findall(normal_form(sentence))

    def tokenise(self, sentence: str) -> list[Token]:
        """The same with where they stand in the sentence as it is written."""
        form = aligned(sentence)
        return [Token(found.group(), *form.original(*found.span())) for found in self.token.finditer(form.text)]

    def main_pos(self, word: str) -> str:
        """The most usual part of speech of a word out of context."""
        shares = self.pos_shares(word)
        return max(shares, key=lambda pos: shares[pos])

    def is_given_name(self, name: str) -> bool:
        """Whether many people (0.05 %) bear this given name: "Mark", but not "Love", "German" or "Asia"."""
        return max(self._borne(name)) >= 0.05

    def gender_of(self, name: str) -> Gender | None:
        """The gender of a given name; None for one that is unknown, or common (a tenth as often) for both."""
        male, female = self._borne(name)
        if max(male, female) == 0.0 or min(male, female) > 0.1 * max(male, female):
            return None
        return "male" if male > female else "female"

    def _borne(self, name: str) -> tuple[float, float]:
        male, female = (self.given_names(gender).get(name.capitalize(), 0.0) for gender in ("male", "female"))
        return male, female


@dataclass(frozen=True)
class Language:
    """What is known of a language.

    Attributes:
        code: ISO 639 code, for model cards.
        typography: how answers are compared.
        stem: what the forms of a lower-cased word have in common.
        lexicon: its words; without one, topics of the language are given as sentences.
    """

    code: str | None = None
    typography: Typography = PLAIN
    stem: Callable[[str], str] = str
    lexicon: Lexicon | None = None


def snowball(language: str) -> Callable[[str], str]:
    """Stems of lower-cased words by Snowball (Porter 2001), loaded when the first is asked for.

    Args:
        language: one of the fifteen of `nltk.stem.SnowballStemmer`.
    """

    @cache
    def stemmer() -> SnowballStemmer:
        from nltk.stem import SnowballStemmer

        return SnowballStemmer(language)

    @lru_cache(maxsize=100_000)
    def stem(word: str) -> str:
        return stemmer().stem(word)

    return stem


def _load() -> None:
    for name in ("english", "french", "stemmed"):
        import_module(f"codeunlearn.corpus.languages.{name}")


LANGUAGES: Registry[Language] = Registry("language", _load)
"""Languages by name."""


def language_named(name: str) -> Language:
    """The entry of that name; for any other language a plain one, without a lexicon."""
    return LANGUAGES.get(name) if name in LANGUAGES.names() else Language()


def lexicon_of(name: str) -> Lexicon:
    """The words of a language.

    Raises:
        CodeUnlearnError: it has no lexicon here.
    """
    lexicon = language_named(name).lexicon
    if lexicon is None:
        known = ", ".join(other for other in LANGUAGES.names() if LANGUAGES.get(other).lexicon)
        raise CodeUnlearnError(
            f"There is no lexicon of the language {name!r} (there is one of {known}), so none of its words can be replaced in "
            "control sentences; give the topic as a file of sentences, or register a language with a lexicon."
        )
    return lexicon
