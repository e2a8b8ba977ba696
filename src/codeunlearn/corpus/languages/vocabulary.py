"""The vocabulary of one corpus: how often its words occur, which of them are names, and what they stand beside."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from codeunlearn.corpus.languages.base import Lexicon, Token, lexicon_of

MIN_COUNT = 5
"""A word that a corpus holds this often is known to a model trained on it."""

_START, _END, _NAME, _NUMBER = "<s>", "</s>", "<name>", "<number>"
_SENTENCE_BREAKS = frozenset(".!?:;\"'“”«»—–-(")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of one corpus and the company they keep.

    Attributes:
        counts: occurrences of every token, lower-cased.
        names: how often each name occurs, by its usual spelling: tokens that are capitalised inside sentences.
        sentences: the lower-cased tokens of every sentence.
        lexicon: of the corpus's language.
    """

    counts: Counter[str]
    names: Counter[str]
    sentences: list[list[str]]
    lexicon: Lexicon

    @classmethod
    def from_sentences(
        cls, sentences: Sequence[str], *, limit: int = 50_000, seed: int = 0, language: str = "english"
    ) -> Vocabulary:
        """Counts a corpus; a larger one than ``limit`` sentences is sampled, which is enough for frequent words.

        Raises:
            CodeUnlearnError: the language has no lexicon.
        """
        lexicon = lexicon_of(language)
        if len(sentences) > limit:
            sentences = random.Random(seed).sample(sentences, limit)
        written = [lexicon.split(sentence) for sentence in sentences]
        lowered = [[token.lower() for token in tokens] for tokens in written]
        counts = Counter(token for tokens in lowered for token in tokens)
        return cls(counts, _names(written, counts, lexicon), lowered, lexicon)

    def context(self, tokens: Sequence[Token], position: int) -> str:
        """The token at a position as a context of others; the position may be just outside the sentence."""
        if position < 0:
            return _START
        return _END if position >= len(tokens) else self._context(tokens[position].text.lower())

    def follows(self, word: str, context: str) -> bool:
        """Whether the word has been seen right after the context."""
        return (context, word) in self._before

    def precedes(self, word: str, context: str) -> bool:
        """Whether the word has been seen right before the context."""
        return (word, context) in self._after

    def names_like(self, name: str, min_count: int = MIN_COUNT) -> list[str]:
        """Other names of the corpus, most frequent first: given names of the same gender where that is known."""
        gender = self.lexicon.gender_of(name)
        names = [n for n, count in self.names.most_common() if count >= min_count and n.lower() != name.lower()]
        if gender is None:
            return names
        return [n for n in names if self.lexicon.is_given_name(n) and self.lexicon.gender_of(n) == gender]

    def similarities(self, word: str, others: Iterable[str]) -> dict[str, float]:
        """How alike the company of words is, 0 to 1.

        The company of a word is its two tokens on either side, by position, weighted by positive pointwise mutual
        information times log(1 + count); alike means a high cosine.
        """
        wanted = {word, *others}
        pairs: dict[str, Counter[tuple[int, str]]] = {w: Counter() for w in wanted}
        for tokens, contexts in zip(self.sentences, self._contexts, strict=True):
            for position, token in enumerate(tokens):
                if token in wanted:
                    pairs[token].update((offset, contexts[position + 2 + offset]) for offset in (-2, -1, 1, 2))
        vectors = {w: _weigh(seen, self.counts[w], self._context_counts) for w, seen in pairs.items()}
        own = vectors.pop(word)
        return {w: sum(x * own.get(key, 0.0) for key, x in vector.items()) for w, vector in vectors.items()}

    @cached_property
    def _contexts(self) -> list[list[str]]:
        """Contexts of every sentence, with two places of padding at either end."""
        return [[_START, _START, *map(self._context, tokens), _END, _END] for tokens in self.sentences]

    @cached_property
    def _context_counts(self) -> Counter[str]:
        return Counter(context for contexts in self._contexts for context in contexts)

    @cached_property
    def _before(self) -> set[tuple[str, str]]:
        paired = zip(self._contexts, self.sentences, strict=True)
        return {pair for contexts, tokens in paired for pair in zip(contexts[1:], tokens, strict=False)}

    @cached_property
    def _after(self) -> set[tuple[str, str]]:
        paired = zip(self._contexts, self.sentences, strict=True)
        return {pair for contexts, tokens in paired for pair in zip(tokens, contexts[3:], strict=False)}

    def _context(self, word: str) -> str:
        """Names count as one context, and numbers, and variants of a word: the articles "a" and "an"."""
        if word in self._lowered_names:
            return _NAME
        return _NUMBER if word[0].isdigit() else self.lexicon.variants.get(word, word)

    @cached_property
    def _lowered_names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.names)


def _weigh(seen: Counter[tuple[int, str]], count: int, frequency: Counter[str]) -> dict[tuple[int, str], float]:
    total = frequency.total()
    weights = {
        key: information * math.log1p(together)
        for key, together in seen.items()
        if (information := math.log(together * total / (frequency[key[1]] * count))) > 0.0
    }
    norm = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {key: weight / norm for key, weight in weights.items()} if norm else {}


def _names(tokenised: Sequence[Sequence[str]], counts: Counter[str], lexicon: Lexicon) -> Counter[str]:
    inside: Counter[str] = Counter(
        token
        for tokens in tokenised
        for previous, token in itertools.pairwise(tokens)
        if token[0].isupper() and previous not in _SENTENCE_BREAKS
    )
    lower = Counter(token for tokens in tokenised for token in tokens if token.islower())
    return Counter(
        {
            token: counts[token.lower()]
            for token, count in inside.items()
            if len(token) > 2
            and token.isalpha()
            and not token.isupper()
            and lower[token.lower()] <= 0.1 * count
            and lexicon.main_pos(token) == "NAME"
        }
    )
