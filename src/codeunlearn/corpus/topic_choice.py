"""Words that can serve as topics: neither too frequent to be specific nor too rare to be judged (paper, appendix B.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.pools import POOLS, pool_of
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError

PARTS_OF_SPEECH = ("NOUN", "VERB", "ADJ", "NAME")
"""What a topic of the paper is: captain, wish, poor, Julien."""
_SHORTEST = 3


@dataclass(frozen=True)
class ProposedTopic:
    """A word that can be a topic.

    Attributes:
        word: dictionary form, or a name as it is usually written.
        pos: its most usual part of speech; NAME for a name of the corpus.
        count: occurrences of the word itself in the corpus, in any case.
        forms: what the topic takes with it.
        sentences: distinct sentences that hold any of these forms, by pool.
    """

    word: str
    pos: str
    count: int
    forms: tuple[str, ...]
    sentences: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def propose_topics(
    sentences: Sequence[str],
    *,
    at_least: int = 500,
    at_most: int = 700,
    pos: Collection[str] = PARTS_OF_SPEECH,
    language: str = "english",
) -> list[ProposedTopic]:
    """All words of the corpus in a range of frequency, most frequent first.

    The paper counts over the entire data set and takes words of 500 to 700 occurrences. Inflected forms are no topics of
    their own: the topic of the dictionary form takes them along.

    Args:
        sentences: the source side of the corpus.
        at_least: occurrences a word must have.
        at_most: occurrences it may have.
        pos: parts of speech, of NOUN, VERB, ADJ, ADV and NAME.
        language: of the sentences.

    Raises:
        CodeUnlearnError: the range is empty, a part of speech is unknown, or the language has no lexicon.
    """
    if at_least > at_most:
        raise CodeUnlearnError(f"No word occurs at least {at_least} and at most {at_most} times; give --at-most above.")
    known = (*PARTS_OF_SPEECH, "ADV")
    if unknown := sorted(set(pos) - set(known)):
        raise CodeUnlearnError(f"Unknown part of speech {unknown[0]!r}; choose from {', '.join(known)}.")
    vocabulary = Vocabulary.from_sentences(sentences, limit=len(sentences), language=language)
    names = {name.lower(): name for name in vocabulary.names}
    chosen: dict[str, str] = {}
    for word, count in vocabulary.counts.items():
        if at_least <= count <= at_most and word.isalpha() and len(word) >= _SHORTEST:
            kind = "NAME" if word in names else vocabulary.lexicon.main_pos(word)
            if kind in pos and (word in names or _is_dictionary_form(word, vocabulary)):
                chosen[word] = kind
    topics = {word: Topic.from_word(names.get(word, word), language=language) for word in chosen}
    held = _sentences_by_pool(vocabulary, sentences, {word: topic.forms for word, topic in topics.items()})
    proposed = [
        ProposedTopic(topic.name, chosen[word], vocabulary.counts[word], topic.forms, held[word])
        for word, topic in topics.items()
    ]
    return sorted(proposed, key=lambda topic: (-topic.count, topic.word))


def _is_dictionary_form(word: str, vocabulary: Vocabulary) -> bool:
    """Whether no other word that it can be a form of is more frequent here: "poor", but not "wanted"."""
    lemmas = vocabulary.lexicon.lemmas(word)
    return word in lemmas and max(lemmas, key=lambda lemma: (vocabulary.counts[lemma], lemma == word)) == word


def _sentences_by_pool(
    vocabulary: Vocabulary, sentences: Sequence[str], forms: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, int]]:
    """Distinct sentences that hold one of a word's forms."""
    words_of: dict[str, list[str]] = {}
    for word, its_forms in forms.items():
        for form in its_forms:
            words_of.setdefault(form, []).append(word)
    counted: dict[str, Counter[str]] = {word: Counter() for word in forms}
    seen: set[str] = set()
    for sentence, tokens in zip(sentences, vocabulary.sentences, strict=True):
        here = {word for token in tokens for word in words_of.get(token, ())}
        if here and sentence not in seen:
            seen.add(sentence)
            pool = pool_of(sentence)
            for word in here:
                counted[word][pool] += 1
    return {word: {pool: counter[pool] for pool in POOLS} for word, counter in counted.items()}
