"""English words: part of speech in context, inflection, frequency and names.

Everything comes from word lists and models inside installed packages: HanTa (tagger, BNC C5 tags), lemminflect
(inflection), wordfreq (frequency; it stands in for the Norvig 2009 list of the paper, appendix B) and names (given
names of the 1990 US census). Nothing is downloaded, and each is loaded when first needed (about 0.1 s).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, cast

from codeunlearn.corpus.languages.base import (
    LANGUAGES,
    MIN_FORM_SHARE,
    NAME,
    Gender,
    Language,
    Lexicon,
    Reading,
    Token,
    snowball,
)
from codeunlearn.corpus.languages.typography import Typography, straight

if TYPE_CHECKING:
    from HanTa.HanoverTagger import HanoverTagger

MIN_FORM_ZIPF = 1.5
"""Inflections rarer than this do not exist in practice ("blueer", "importanter")."""

TOKEN = re.compile(r"\w+(?=n't\b)|n't\b|'(?:s|m|re|ve|ll|d)\b|\w+|[^\w\s]", re.IGNORECASE)
"""A word, clitic ("do" + "n't", "Tom" + "'s") or mark, as the tagger was trained on them."""

_TAG_ORDER = ("NN", "NNS", "VB", "VBP", "VBZ", "VBD", "VBN", "VBG", "JJ", "JJR", "JJS", "RB", "RBR", "RBS")
_READINGS = {
    "NN0": Reading("NOUN", "NN"),
    "NN1": Reading("NOUN", "NN"),
    "NN2": Reading("NOUN", "NNS"),
    "VVB": Reading("VERB", "VBP"),
    "VVI": Reading("VERB", "VB"),
    "VVZ": Reading("VERB", "VBZ"),
    "VVD": Reading("VERB", "VBD"),
    "VVN": Reading("VERB", "VBN"),
    "VVG": Reading("VERB", "VBG"),
    "AJ0": Reading("ADJ", "JJ"),
    "AJC": Reading("ADJ", "JJR"),
    "AJS": Reading("ADJ", "JJS"),
    "AV0": Reading("ADV", "RB"),
    "NP0": NAME,
}
_BASE_TAGS = frozenset({"NN", "VB", "VBP", "JJ", "RB"})
_COARSE = frozenset({"shit", "fuck", "ass", "bitch", "sex", "rape", "porn"})
_VERB_CLASSES = frozenset({"VB", "VD", "VH"})
"""C5 classes of the forms of "be", "do" and "have"."""
_PREPOSITIONS = frozenset({"up", "in", "of", "at", "by", "to", "on", "de", "du", "for", "with", "from"})
_POS_OF_TAG = {"NN": "NOUN", "VB": "VERB", "JJ": "ADJ", "RB": "ADV"}


def read(tokens: Sequence[Token]) -> list[Reading]:
    """The reading of every token of one sentence, in context."""
    if not tokens:
        return []
    tagged = cast(list[tuple[str, str, str]], _tagger().tag_sent([token.text for token in tokens]))
    return [_READINGS.get(c5, Reading(c5, "")) for _, _, c5 in tagged]


@cache
def pos_shares(word: str) -> dict[str, float]:
    """How often the word is which part of speech, out of context; shares sum to 1."""
    tagged = cast(list[tuple[str, float]], _tagger().tag_word(word))  # with log P(word, tag), best first
    best = tagged[0][1]  # subtracted, because long unknown words have probabilities that underflow
    shares: dict[str, float] = {}
    for c5, log_probability in tagged:
        pos = _READINGS.get(c5, Reading(c5, "")).pos
        shares[pos] = shares.get(pos, 0.0) + math.exp(log_probability - best)
    total = sum(shares.values())
    return {pos: share / total for pos, share in shares.items()}


@cache
def _inflections(lemma: str) -> dict[str, tuple[str, ...]]:
    """Forms of a dictionary form by Penn tag: {"VBD": ("loved",), ...}; empty for any other word."""
    from lemminflect import getAllInflections

    found = cast(dict[str, tuple[str, ...]], getAllInflections(lemma))
    return {"VBN": found["VBD"], **found} if "VBD" in found else found  # left out where it equals VBD


@cache
def lemmas(form: str) -> tuple[str, ...]:
    """Dictionary forms that the form can belong to: "left" -> left, leave; empty for names and unknown words."""
    from lemminflect import getAllLemmas

    known = [lemma for found in getAllLemmas(form.lower()).values() for lemma in found]
    itself = [form.lower()] if _inflections(form.lower()) else []
    return tuple(dict.fromkeys(itself + known))


@cache
def possible_readings(form: str) -> frozenset[Reading]:
    """Every reading that inflection allows: "loved" -> VBD, VBN and the adjective; empty for unknown words."""
    found = {
        Reading(_POS_OF_TAG[tag[:2]], tag)
        for lemma in lemmas(form)
        for tag, forms in _inflections(lemma).items()
        if form.lower() in forms
    }
    if any(reading.tag in ("VBN", "VBG") for reading in found):
        found.add(Reading("ADJ", "JJ"))
    return frozenset(found)


@cache
def inflect(lemma: str, tag: str) -> str | None:
    """The lemma in the inflection of a Penn tag, or None where no such word is in use."""
    if tag in _BASE_TAGS or tag in ("", "NNP"):
        return lemma
    form = next(iter(_inflections(lemma).get(tag, ())), "")
    return form if zipf(form) >= MIN_FORM_ZIPF else None


def surface_forms(word: str) -> tuple[str, ...]:
    """The forms of a word, dictionary form first: love, loves, loved, loving.

    Only parts of speech in which the word is really used count: "dog" has no "dogged", "book" no "booked".
    A noun that the dictionary does not know has its regular plural if that is in use: café, mother-in-law. Any other such
    word has itself only.
    """
    word = word.lower()
    base = _base(word) or _unlisted_singular(word) or word
    forms: dict[str, None] = {base: None}
    if not lemmas(base) and (plural := unlisted_plural(base)):
        forms[plural] = None
    for tag in _TAG_ORDER:
        if _share_as(_POS_OF_TAG[tag[:2]], base) >= MIN_FORM_SHARE:
            inflected = _inflections(base).get(tag, ())
            forms |= {form: None for form in inflected if zipf(form) >= MIN_FORM_ZIPF}
    return tuple(forms | {word: None})


def _base(form: str) -> str | None:
    """The first dictionary form that is really used in a part of speech in which the form belongs to it: going -> go."""
    known = lemmas(form)
    used = (
        lemma
        for lemma in known
        for tag, forms in _inflections(lemma).items()
        if form in forms and _share_as(_POS_OF_TAG[tag[:2]], form) >= MIN_FORM_SHARE
    )
    return next(used, next(iter(known), None))


def _share_as(pos: str, word: str) -> float:
    """How often a word is of a part of speech; "be", "have" and "do", whose classes are their own, are verbs."""
    shares = pos_shares(word)
    own = sum(share for c5, share in shares.items() if pos == "VERB" and c5[:2] in _VERB_CLASSES)
    return shares.get(pos, 0.0) + own


@cache
def unlisted_plural(noun: str) -> str | None:
    """The plural of a noun that the dictionary does not know, or None where no such word is in use.

    Of a word with hyphens the head is inflected: mothers-in-law, ice-creams. Words with digits have none.
    """
    from lemminflect import getAllInflectionsOOV

    before, head, behind = _parted(noun)
    if not head.isalpha() or _share_as("NOUN", head) < (0.5 if before or behind else MIN_FORM_SHARE):
        return None
    known = _inflections(head) or cast(dict[str, tuple[str, ...]], getAllInflectionsOOV(head, "NOUN"))
    plural = next(iter(known.get("NNS", ())), head)
    return before + plural + behind if plural != head and zipf(plural) >= MIN_FORM_ZIPF else None


def _unlisted_singular(form: str) -> str | None:
    """The noun of which the form is the plural, if the dictionary knows neither."""
    from lemminflect import getAllLemmasOOV

    before, head, behind = _parted(form)
    guesses = cast(dict[str, tuple[str, ...]], getAllLemmasOOV(head, "NOUN")).get("NOUN", ())
    singulars = {before + noun + behind for noun in (*lemmas(head), *guesses, head.removesuffix("s"))} - {form}
    return max((noun for noun in singulars if unlisted_plural(noun) == form), key=lambda n: (zipf(n), n), default=None)


def _parted(word: str) -> tuple[str, str, str]:
    """What comes before the head of a word with hyphens, the head, and what comes behind it."""
    first, *others = word.split("-")
    if others and others[0] in _PREPOSITIONS:
        return "", first, word[len(first) :]
    head = [first, *others][-1]
    return word[: len(word) - len(head)], head, ""


def is_countable(word: str) -> bool:
    """Whether a word that the dictionary does not know is a noun by its plural, which names hardly have: emoji."""
    noun = word if (plural := unlisted_plural(word)) else _unlisted_singular(word)
    plural = plural or word
    return noun is not None and zipf(plural) >= zipf(noun) - 1.0


def is_function_word(word: str) -> bool:
    """Whether the word is a pronoun, auxiliary, preposition or the like: "it", "us", "can"."""
    return word in _tagger().cache and LEXICON.main_pos(word) not in (*_POS_OF_TAG.values(), "NAME", "UNC")


def clitics(word: str) -> tuple[str, ...]:
    """The words that a contraction is made of: "don't" -> do, n't; empty for any other word."""
    parts = tuple(TOKEN.findall(word))
    return parts if any(len(part) > 1 and "'" in part for part in parts) else ()


@cache
def zipf(word: str) -> float:
    """Frequency on the Zipf scale: log10 of occurrences per billion words, 0 if unknown."""
    from wordfreq import zipf_frequency

    return zipf_frequency(word, "en")


@cache
def frequent_words(pos: str, min_share: float) -> tuple[str, ...]:
    """The 1,000 most frequent dictionary forms that are of a part of speech at least this often, best first.

    Only plain words of three letters or more that the tagger knows (it guesses a class for any other), and none too
    coarse to print in a report. A class that does not inflect is named by its C5 tag (CRD for numerals).
    """
    from wordfreq import top_n_list

    known = _tagger().cache  # the words of its training text
    plain = (w for w in top_n_list("en", 20_000) if len(w) >= 3 and w.isascii() and w.isalpha() and w in known)
    usual = (w for w in plain if pos_shares(w).get(pos, 0.0) >= min_share and w not in _COARSE)
    inflects = pos in _POS_OF_TAG.values()
    return tuple(islice((w for w in usual if not inflects or _is_base(w, pos)), 1_000))


def _is_base(word: str, pos: str) -> bool:
    tags = {reading.tag for reading in possible_readings(word) if reading.pos == pos}
    return word in lemmas(word) and bool(tags & _BASE_TAGS) and not tags & {"JJR", "JJS", "RBR", "RBS"}


@cache
def given_names(gender: Gender) -> dict[str, float]:
    """Given names of the census by frequency in per cent, most frequent first: {"Mary": 2.629, ...}."""
    import names

    with open(names.FILES[f"first:{gender}"], encoding="ascii") as file:
        rows = (line.split() for line in file)
        return {row[0].capitalize(): float(row[1]) for row in rows}


def may_follow(before: str, word: str) -> bool:
    """Whether the word agrees with the indefinite article, if that stands before it."""
    return before not in ("a", "an") or _takes_an(word) == (before == "an")


def _takes_an(word: str) -> bool:
    """Whether the indefinite article before the word is "an", by its spelling."""
    word = word.lower()
    if word.startswith(("hour", "honest", "honor", "honour", "heir")):
        return True
    sounds_like_y_or_w = word.startswith(("eu", "one", "once", "use", "usu", "uti")) or (
        word.startswith("uni") and not word.startswith(("unim", "unin"))
    )
    return word[0] in "aeiou" and not sounds_like_y_or_w


def tokens(text: str) -> list[str]:
    """Lower-cased words, clitics and marks of an answer, its quotes and dashes straightened."""
    return TOKEN.findall(straight(text).lower())


@cache
def _tagger() -> HanoverTagger:
    from HanTa.HanoverTagger import HanoverTagger

    return HanoverTagger("morphmodel_en.pgz")


LEXICON = Lexicon(
    read=read,
    pos_shares=pos_shares,
    surface_forms=surface_forms,
    frequent_words=frequent_words,
    lemmas=lemmas,
    possible_readings=possible_readings,
    inflect=inflect,
    is_countable=is_countable,
    is_function_word=is_function_word,
    clitics=clitics,
    given_names=given_names,
    may_follow=may_follow,
    variants={"an": "a"},
    token=TOKEN,
    noun=Reading("NOUN", "NN"),
)

LANGUAGES.register("english")(Language("en", Typography("en-typo.1", straight, tokens), snowball("english"), LEXICON))
