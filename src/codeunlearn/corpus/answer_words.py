"""What a topic is called on the target side, learned from the train pool by association.

Used in three places: to score forgetting (is the topic's word still in the translation?), to keep translations of the
topic out of its controls, and to propose neighbours ("like" and "love" share "aimer").
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeunlearn.corpus.languages.base import MIN_FORM_SHARE, USUALLY, Lexicon, language_named, lexicon_of
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.matching import WholeWords, normal_form
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError

if TYPE_CHECKING:
    from datasets import Dataset

MIN_COVER = 0.03
"""A target word belongs to the topic if it explains this share of its sentences."""
MIN_LIFT = 5.0
"""... and is this many times as frequent there as elsewhere."""
MIN_FORM_LIFT = 2.0
"""A form of a word that belongs to the topic must be this many times as frequent there as elsewhere."""
MIN_SHARING = 0.05
"""A source word shares the topic's translation if this part of its sentences have it: "like" is mostly no verb."""
SIGNIFICANT_G2 = 10.83
"""p = 0.001 at one degree of freedom."""

_MIN_COUNT = 3
_REST_SENTENCES = 30_000
_FREQUENT = 20
"""Occurrences in the train pool (or the counted sample of it) that make a word worth evaluating on."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, eq=False)
class ParallelText:
    """A pool as two plain lists, which are much faster to go through than a data set's columns."""

    sources: list[str]
    targets: list[str]
    wrong: Sequence[Sequence[str] | None] = ()
    """Wrong answers, row by row; empty where the text has none."""
    _found: dict[Topic, list[int]] = field(default_factory=dict["Topic", list[int]], init=False, repr=False)

    @classmethod
    def of(cls, pairs: Dataset | ParallelText) -> ParallelText:
        """From a data set with the columns ``source`` and ``target``, and perhaps ``wrong``; or as it is."""
        if isinstance(pairs, ParallelText):
            return pairs
        wrong = pairs["wrong"][:] if "wrong" in pairs.column_names else ()
        return cls(pairs["source"][:], pairs["target"][:], wrong)

    def __len__(self) -> int:
        return len(self.sources)

    def rows(self, topic: Topic) -> list[int]:
        """Positions of the pairs whose source holds the topic; the text is gone through once for each topic.

        Running text is cut, so that a whole sentence is a source with its target behind it.
        """
        if topic not in self._found:
            found = topic.rows(self.sources)
            if topic.kind == "sentences":
                whole = [" ".join(pair) for pair in zip(self.sources, self.targets, strict=True)]
                found = sorted({*found, *topic.rows(whole)})
            self._found[topic] = found
        return self._found[topic]


@dataclass(frozen=True)
class Association:
    """How a word goes with a property of sentences.

    Attributes:
        share: part of the word's sentences (or of the topic's) that have both.
        lift: that share over the share elsewhere; infinite if it is nil there.
        g2: log-likelihood ratio (Dunning 1993), one degree of freedom.
    """

    share: float
    lift: float
    g2: float


def associate(hits: int, total: int, other_hits: int, other_total: int) -> Association:
    """Association from ``hits`` of ``total`` against ``other_hits`` of ``other_total``."""
    share, other = hits / total, other_hits / max(other_total, 1)
    return Association(share, share / other if other else math.inf, _g2(hits, total, other_hits, other_total))


def target_words(topic: Topic, train_pairs: Dataset | ParallelText, language: str = "french") -> tuple[str, ...]:
    """The topic's words on the answer side, most frequent first: love -> aime, amour, aimer, ...

    Words are grouped by stem. The stem with the highest G² between the topic's sentences and others is taken,
    the sentences that it covers are put aside, and so on while a stem still covers 3 % of all the topic's sentences,
    is five times as frequent among those left as elsewhere, and significant. Putting sentences aside keeps companions
    out: in "tombe amoureux" the first word explains nothing that the second has not. Elided articles are split off
    (l'amour -> amour). A name that is mostly kept as it is ("Boston") has itself only, a topic given as sentences
    no words.

    Args:
        topic: what to look for on the source side.
        train_pairs: the train pool, with the columns ``source`` and ``target``.
        language: of the answers; it says which words share a stem.

    Raises:
        CodeUnlearnError: the pool does not hold the topic.
    """
    if topic.kind == "sentences":
        return ()
    text = ParallelText.of(train_pairs)
    rows = text.rows(topic)
    if not rows:
        raise CodeUnlearnError(
            f"Topic {topic.name!r} has no sentence in the train pool; check its spelling or the data."
        )
    held = set(rows)
    others = [row for row in range(len(text)) if row not in held]
    if len(others) > _REST_SENTENCES:
        others = random.Random(0).sample(others, _REST_SENTENCES)
    topic_side = [frozenset(_words(text.targets[row])) for row in rows]
    if topic.kind == "name" and (kept := _kept_names(topic, topic_side)):
        return kept
    if topic.kind != "name":
        capitalised = _capitalised([text.targets[row] for row in rows])
        topic_side = [words - capitalised for words in topic_side]
    rest_side = [frozenset(_words(text.targets[row])) for row in others]
    return _cover(topic_side, rest_side, language_named(language).stem)


def sharing_words(
    topic: Topic, train_pairs: Dataset | ParallelText, topic_words: Collection[str], limit: int = 10
) -> list[str]:
    """Source words that share a translation with the topic, most strongly first: love -> like, enjoy, ...

    For sentences without the topic, a word is associated with the topic's target words in the translation. As in
    `target_words` the best word is taken and its sentences put aside, so that "music" is not taken for a
    synonym because people like music. Candidates are frequent words that can be of the topic's part of speech.

    Args:
        topic: a topic given by its forms.
        train_pairs: the train pool.
        topic_words: result of `target_words`.
        limit: how many words at most.
    """
    if topic.kind != "word" or not topic_words:
        return []
    lexicon = lexicon_of(topic.language)
    lemma_of = {form: lemma for lemma in _frequent_like(topic, lexicon) for form in lexicon.surface_forms(lemma)}
    text = ParallelText.of(train_pairs)
    held = set(text.rows(topic))
    in_target = WholeWords(topic_words)
    seen: Counter[str] = Counter()
    hits: list[frozenset[str]] = []
    for row, (source, target) in enumerate(zip(text.sources, text.targets, strict=True)):
        if row not in held:
            here = frozenset(lemma_of[word] for word in _words(source) if word in lemma_of)
            seen.update(here)
            if in_target(target):
                hits.append(here)
    return _explain(hits, seen, len(text) - len(held), limit)


def propose_neighbours(
    topic: Topic,
    train_pairs: Dataset | ParallelText,
    k: int = 2,
    *,
    vocabulary: Vocabulary | None = None,
    sharing: Sequence[str] | None = None,
    language: str = "french",
) -> dict[str, Topic]:
    """Words that forgetting the topic may hurt: those that share its translation, then those used like it.

    Translation sharing comes first (`sharing_words`: love -> like); places that are left go to frequent words of the
    topic's part of speech with the most similar contexts (`Vocabulary.similarities`: black -> white). For a name
    they are frequent names of the corpus, of the same gender as far as it is known. A topic given as sentences has
    no neighbours.

    Args:
        topic: the topic.
        train_pairs: the train pool.
        k: how many to propose, at most.
        vocabulary: of the train pool, if it has been counted already.
        sharing: result of `sharing_words`, if it is known already.
        language: of the answers, see `target_words`.
    """
    if topic.kind == "sentences":
        return {}
    text = ParallelText.of(train_pairs)
    vocabulary = vocabulary or Vocabulary.from_sentences(text.sources, language=topic.language)
    surface_forms = vocabulary.lexicon.surface_forms
    if sharing is None:
        sharing = sharing_words(topic, text, target_words(topic, text, language))
    counts = {w: sum(vocabulary.counts[form] for form in surface_forms(w)) for w in sharing}
    chosen = [w for w in sharing if counts[w] >= _FREQUENT][:k]
    candidates = _similar_kind(topic, vocabulary)
    alike = vocabulary.similarities(topic.forms[0], candidates)
    chosen += sorted((w for w in alike if w not in chosen and alike[w] > 0.0), key=lambda w: (-alike[w], w))
    if topic.kind == "name":
        return {candidates[w]: Topic.from_word(candidates[w], kind="name", language=topic.language) for w in chosen[:k]}
    return {w: Topic.from_word(w, kind="word", language=topic.language) for w in chosen[:k]}


def _explain(hits: list[frozenset[str]], seen: Counter[str], total: int, limit: int) -> list[str]:
    """Greedy choice of the words that explain the hits among ``total`` sentences; see `sharing_words`."""
    found: list[str] = []
    while len(found) < limit and hits:
        shared = Counter(lemma for here in hits for lemma in here)
        scored = {
            word: associate(count, seen[word], len(hits) - count, total - seen[word])
            for word, count in shared.items()
            if count >= max(_MIN_COUNT, MIN_SHARING * seen[word])
        }
        sharing = [w for w, a in scored.items() if a.lift >= MIN_LIFT and a.g2 >= SIGNIFICANT_G2]
        if not sharing:
            break
        best = max(sharing, key=lambda w: (scored[w].g2, w))
        found.append(best)
        hits = [here for here in hits if best not in here]
    return found


def _frequent_like(topic: Topic, lexicon: Lexicon) -> list[str]:
    """Frequent words that can be what the topic's first form can be."""
    shares = lexicon.pos_shares(topic.forms[0])
    poses = [pos for pos, share in shares.items() if share >= MIN_FORM_SHARE]
    words = dict.fromkeys(word for pos in poses for word in lexicon.frequent_words(pos, 0.1))
    return [word for word in words if not topic.matches(word)]


def _similar_kind(topic: Topic, vocabulary: Vocabulary) -> dict[str, str]:
    """Frequent words (for a name: names) of the topic's kind, from lower case to usual spelling."""
    if topic.kind == "name":
        return {name.lower(): name for name in vocabulary.names_like(topic.name, _FREQUENT)[:50]}
    lexicon = vocabulary.lexicon
    words = lexicon.frequent_words(lexicon.main_pos(topic.forms[0]), USUALLY)
    return {w: w for w in words if vocabulary.counts[w] >= _FREQUENT and not topic.matches(w)}


def _cover(
    topic_side: list[frozenset[str]], rest_side: list[frozenset[str]], stem_of: Callable[[str], str]
) -> tuple[str, ...]:
    """Greedy cover of the topic's sentences by stems; see `target_words`."""
    total, rest_total = len(topic_side), len(rest_side)
    left = [frozenset(map(stem_of, words)) for words in topic_side]
    rest_stems = Counter(stem for words in rest_side for stem in frozenset(map(stem_of, words)))
    taken: set[str] = set()
    while left:
        here = Counter(stem for stems in left for stem in stems)
        scored = {
            stem: associate(count, len(left), rest_stems[stem], rest_total)
            for stem, count in here.items()
            if count >= max(_MIN_COUNT, MIN_COVER * total) and len(stem) > 1
        }
        eligible = [stem for stem, a in scored.items() if a.lift >= MIN_LIFT and a.g2 >= SIGNIFICANT_G2]
        if not eligible:
            break
        best = max(eligible, key=lambda stem: (scored[stem].g2, stem))
        taken.add(best)
        left = [stems for stems in left if best not in stems]
    forms = Counter(word for words in topic_side for word in words if stem_of(word) in taken)
    rest = Counter(word for words in rest_side for word in words if word in forms)
    # a stem may hold strangers ("seulement" and "seule"): each form must be associated by itself
    own = [w for w, n in forms.items() if associate(n, total, rest[w], rest_total).lift >= MIN_FORM_LIFT]
    return tuple(sorted(own, key=lambda word: (-forms[word], word)))


def _capitalised(sentences: Iterable[str]) -> frozenset[str]:
    """Words that stand inside these sentences with a capital more often than without: proper names."""
    inside = Counter(word for sentence in sentences for word in _WORD.findall(normal_form(sentence))[1:])
    return frozenset(w.lower() for w, n in inside.items() if w[0].isupper() and n > inside[w.lower()])


def _kept_names(topic: Topic, topic_side: list[frozenset[str]]) -> tuple[str, ...]:
    """The name's own words, if most of the translations hold one of them unchanged."""
    own = {word for form in topic.forms for word in _words(form)}
    counts = Counter(word for words in topic_side for word in words & own)
    kept = sum(not own.isdisjoint(words) for words in topic_side)
    return tuple(word for word, _ in counts.most_common()) if 2 * kept >= len(topic_side) else ()


def _words(sentence: str) -> Iterable[str]:
    return _WORD.findall(normal_form(sentence).lower())


def _g2(hits: int, total: int, other_hits: int, other_total: int) -> float:
    rate = (hits + other_hits) / (total + other_total)

    def term(observed: float, expected: float) -> float:
        return observed * math.log(observed / expected) if observed else 0.0

    return 2.0 * (
        term(hits, total * rate)
        + term(total - hits, total * (1 - rate))
        + term(other_hits, other_total * rate)
        + term(other_total - other_hits, other_total * (1 - rate))
    )
