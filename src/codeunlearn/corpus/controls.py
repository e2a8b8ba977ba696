"""Control sentences: the search sentences with the topic's words, and nothing else, replaced (D_~T, paper appendix B).

A replacement is a frequent word in the same part of speech and inflection as the topic word has in that sentence
("she loved" -> "she knew", "her love" -> "her voice"), for a name another name. It is no form, relative,
neighbour or synonym of the topic. Search sentence and control then differ in these words alone, token for token, so
that a difference between their codes is due to the topic.

The paper draws at random from a frequency list. Here, where a corpus is given, the list holds words that the corpus
holds, so that the model knows them, and those come first that the corpus has seen between the same two neighbours,
so that the sentence stays one: "I love you" becomes "I trust you" rather than "I happen you".
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from codeunlearn.corpus.languages.base import (
    NAME,
    USUALLY,
    Lexicon,
    Reading,
    Token,
    language_named,
    lexicon_of,
)
from codeunlearn.corpus.languages.vocabulary import MIN_COUNT, Vocabulary
from codeunlearn.corpus.matching import normal_form
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError

FREQUENT = 300
"""Replacements are among this many most frequent words of their part of speech."""
MIN_CHOICE = 4
"""With fewer words than this to choose from, less suitable ones are taken too."""

_SIMILAR_NAMES = 20
_GIVEN_NAMES = 100


@dataclass(frozen=True)
class _Slot:
    """An occurrence of the topic and the words that can replace it, best first and shuffled."""

    start: int
    end: int
    words: list[str]


@dataclass(frozen=True, eq=False)
class ControlWriter:
    """Writes control sentences for one topic.

    Attributes:
        topic: a topic given by its forms.
        vocabulary: of the train pool; without it words come from the general frequency list and context is ignored.
        exclude: words that must not be replacements, in any of their forms: neighbours and synonyms.
        seed: a sentence's control depends on the seed, the sentence and the draw, not on the sentences around it.
    """

    topic: Topic
    vocabulary: Vocabulary | None = None
    exclude: Collection[str] = ()
    seed: int = 0

    def write(self, sentences: Sequence[str], draws: int = 1) -> list[list[str]]:
        """Controls of the sentences, shape [draws, sentences], aligned with the input.

        Draws differ from each other as long as there are words left.

        Raises:
            CodeUnlearnError: the topic was given as sentences, its language has no lexicon, a sentence does not hold it, or
                nothing can replace it.
        """
        if self.topic.kind == "sentences":
            raise CodeUnlearnError(
                f"Topic {self.topic.name!r} is given as sentences, so no word can be replaced; "
                "its controls are other sentences (random_controls)."
            )
        slots = [self._slots(sentence) for sentence in sentences]
        return [
            [_fill(sentence, found, draw) for sentence, found in zip(sentences, slots, strict=True)]
            for draw in range(draws)
        ]

    def _slots(self, sentence: str) -> list[_Slot]:
        places = self.topic.words.spans(sentence)
        if not places:
            raise CodeUnlearnError(
                f"Topic {self.topic.name!r} is not in {sentence!r}; controls need sentences that hold it."
            )
        tokens = self._lexicon.tokenise(sentence)
        readings = self._lexicon.read(tokens)
        rng = random.Random(f"{self.seed}|{sentence}")  # a string seeds by its content, unlike hash()
        slots: list[_Slot] = []
        for start, end in places:
            inside = [i for i, token in enumerate(tokens) if token.start < end and token.end > start]
            form = normal_form(sentence[start:end])
            reading = self._reading(form, readings[inside[-1]])
            slots.append(_Slot(start, end, self._choose(reading, form, tokens, inside, rng)))
        return slots

    def _reading(self, form: str, tagged: Reading) -> Reading:
        """The tagger's reading, unless the dictionary rules it out ("Captain Nemo" is tagged as a name)."""
        if self.topic.kind == "name":
            return NAME
        if any(map(str.isdigit, form)):
            return self._lexicon.noun  # "covid-19" is tagged as a numeral
        possible = self._lexicon.possible_readings(form)
        inflects = tagged.tag != ""  # the dictionary holds no prepositions and the like: "to run like the wind"
        if tagged in possible or ((not possible or not inflects) and self._candidates(tagged)):
            return tagged
        shares, unknown = self._lexicon.pos_shares(form.lower()), self._lexicon.noun
        return max(possible, key=lambda r: (r.pos == tagged.pos, shares.get(r.pos, 0.0), r), default=unknown)

    def _choose(
        self, reading: Reading, form: str, tokens: Sequence[Token], inside: Sequence[int], rng: random.Random
    ) -> list[str]:
        """Words for one place: those that fit its neighbours, in random order, spelled like the word they replace."""
        previous, may_follow = tokens[inside[0] - 1].text.lower() if inside[0] else "", self._lexicon.may_follow
        # "an" for "a" would be a second difference between sentence and control
        candidates = [word for word in self._candidates(reading) if may_follow(previous, word)]
        candidates = candidates or [word for word in self._general(reading) if may_follow(previous, word)]
        if not candidates:
            raise CodeUnlearnError(
                f"No frequent word can replace {form!r} (read as {reading.pos}) in a control sentence; "
                "give the topic as a file of sentences."
            )
        if self.vocabulary is not None:
            before = self.vocabulary.context(tokens, inside[0] - 1)
            after = self.vocabulary.context(tokens, inside[-1] + 1)
            candidates = _best_fitting(candidates, before, after, self.vocabulary)
        return [_in_case_of(form, word) for word in rng.sample(candidates, len(candidates))]

    def _candidates(self, reading: Reading) -> list[str]:
        """Replacements in a reading: of the corpus, and of the language too if those are few."""
        if reading not in self._known:
            known = self._known_names() if reading.pos == "NAME" else self._known_words(reading)
            more = [] if len(known) >= MIN_CHOICE else self._general(reading)
            self._known[reading] = list(dict.fromkeys(known + more))
        return self._known[reading]

    @cached_property
    def _lexicon(self) -> Lexicon:
        return lexicon_of(self.topic.language)

    @cached_property
    def _known(self) -> dict[Reading, list[str]]:
        return {}

    def _general(self, reading: Reading) -> list[str]:
        """Replacements by the frequency lists of the language alone."""
        if reading.pos == "NAME":
            gender = self._lexicon.gender_of(self.topic.name)
            lists = [self._lexicon.given_names(g) for g in ("male", "female") if gender in (None, g)]
            return [name for names in lists for name in list(names)[:_GIVEN_NAMES] if not self._is_excluded(name)]
        return self._inflected(reading)[:FREQUENT]

    def _inflected(self, reading: Reading) -> list[str]:
        frequent = self._lexicon.frequent_words(reading.pos, USUALLY)
        lemmas = (lemma for lemma in frequent if not self._is_excluded(lemma))
        forms = (self._lexicon.inflect(lemma, reading.tag) for lemma in lemmas)
        return [form for form in forms if form and not self._is_excluded(form)]

    def _known_words(self, reading: Reading) -> list[str]:
        if self.vocabulary is None:
            return []
        counts = self.vocabulary.counts
        known = [word for word in self._inflected(reading) if counts[word] >= MIN_COUNT]
        return sorted(known, key=lambda word: -counts[word])[:FREQUENT]

    def _known_names(self) -> list[str]:
        """Names of the topic's gender; where that is unknown, those used most like the topic, which may be places."""
        if self.vocabulary is None:
            return []
        names = [name for name in self.vocabulary.names_like(self.topic.name) if not self._is_excluded(name)]
        if self._lexicon.gender_of(self.topic.name):
            return names
        alike = self.vocabulary.similarities(self.topic.forms[0], [name.lower() for name in names])
        return sorted(names, key=lambda name: -alike[name.lower()])[:_SIMILAR_NAMES]

    def _is_excluded(self, word: str) -> bool:
        word = word.lower()
        # relatives of the topic: "lovely", "beloved", "Mondays"; short stems ("red") say something at the beginning only
        relatives = (stem in word if len(stem) >= 4 else word.startswith(stem) for stem in self._stems)
        return word in self._excluded or self.topic.matches(word) or any(relatives)

    @cached_property
    def _excluded(self) -> frozenset[str]:
        return frozenset(form for word in self.exclude for form in (word.lower(), *self._lexicon.surface_forms(word)))

    @cached_property
    def _stems(self) -> frozenset[str]:
        stem_of = str if self.topic.kind == "name" else language_named(self.topic.language).stem
        return frozenset(stem for form in self.topic.forms if len(stem := stem_of(form)) >= 3)


def _best_fitting(candidates: list[str], before: str, after: str, vocabulary: Vocabulary) -> list[str]:
    """The candidates seen with both neighbours; if they are few, with the choosier neighbour, with the other, all."""
    following = {word for word in candidates if vocabulary.follows(word.lower(), before)}
    preceding = {word for word in candidates if vocabulary.precedes(word.lower(), after)}
    for fitting in (following & preceding, *sorted((following, preceding), key=len)):
        if len(fitting) >= MIN_CHOICE:
            return [word for word in candidates if word in fitting]
    return candidates


def _fill(sentence: str, slots: Sequence[_Slot], draw: int) -> str:
    parts: list[str] = []
    end = 0
    for slot in slots:
        parts += [sentence[end : slot.start], slot.words[draw % len(slot.words)]]
        end = slot.end
    return "".join([*parts, sentence[end:]])


def _in_case_of(form: str, word: str) -> str:
    if form.isupper() and len(form) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if form[0].isupper() else word.lower()


def random_controls(sentences: Sequence[str], others: Sequence[str], draws: int = 1, seed: int = 0) -> list[list[str]]:
    """Other sentences of the same length in words, shape [draws, sentences]: controls of a topic given as sentences.

    They are not paired with the topic's sentences word for word; only their lengths are matched, because a longer
    sentence fires more codes.

    Raises:
        CodeUnlearnError: there are fewer other sentences than controls wanted.
    """
    chosen = match_lengths([*sentences] * draws, others, seed)
    size = len(sentences)
    return [[others[i] for i in chosen[draw * size : (draw + 1) * size]] for draw in range(draws)]


def match_lengths(wanted: Sequence[str], others: Sequence[str], seed: int = 0) -> list[int]:
    """For each wanted sentence, the position of another random one among ``others`` with the nearest length in words.

    No position is chosen twice.

    Raises:
        CodeUnlearnError: there are fewer other sentences than wanted.
    """
    if len(others) < len(wanted):
        raise CodeUnlearnError(
            f"{len(wanted)} sentences without the topic are needed and there are {len(others)}; "
            "use more data or smaller sets."
        )
    by_length: dict[int, list[int]] = {}
    for position, sentence in enumerate(others):
        by_length.setdefault(len(sentence.split()), []).append(position)
    rng = random.Random(seed)
    for positions in by_length.values():
        rng.shuffle(positions)
    chosen: list[int] = []
    for sentence in wanted:
        length = len(sentence.split())
        nearest = min(by_length, key=lambda other: (abs(other - length), other))
        chosen.append(by_length[nearest].pop())
        if not by_length[nearest]:
            del by_length[nearest]
    return chosen
