"""How usual the outputs read to a character model of their language: bits per character, without a download.

The model is an interpolated Witten-Bell 6-gram model of characters (Witten and Bell 1991; Chen and Goodman 1999, section
2.4), fitted in seconds on the target side of the train pool *without* the topic. So a broken sentence is surprising, and a
sentence that merely lacks the topic's word is not. It does not know what the source said, and a loop of common words costs
no more than disorder: read it beside the share of degenerate outputs.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.languages.base import language_named
from codeunlearn.corpus.languages.typography import Typography
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import SentenceSums, quotient
from codeunlearn.evaluation.metrics.base import TRANSLATIONS, References, Score, check_texts

ORDER = 6
SENTENCES = 10_000
"""Sentences to fit on: some seconds; more of them make good French a little less surprising."""

_START, _END = "\x02", "\x03"


class CharacterModel:
    """Probabilities of characters after the 5 before them.

    Args:
        sentences: what it is fitted on; their typography is normalised, as that of what is scored.
        order: characters of the longest n-gram.
        typography: of the sentences.
    """

    def __init__(self, sentences: Sequence[str], order: int = ORDER, *, typography: Typography = TRANSLATIONS) -> None:
        if not sentences:
            raise CodeUnlearnError("A language model needs at least one sentence to be fitted on.")
        self.order, self.typography = order, typography
        texts = [self._framed(sentence) for sentence in sentences]
        self.digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]
        self.sentences = len(texts)
        self._grams: Counter[str] = Counter()
        for size in range(1, order + 1):
            self._grams.update(t[i - size + 1 : i + 1] for t in texts for i in range(order - 1, len(t)))
        self._totals: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        for gram, count in self._grams.items():
            self._totals[gram[:-1]] += count
            self._kinds[gram[:-1]] += 1
        # Every character that was seen, the end mark, and one for all that was not.
        self.alphabet = self._kinds[""] + 1
        self._known: dict[str, float] = {}

    def probability(self, character: str, before: str) -> float:
        """The probability of a character (or of `_END`) after a context of up to 5; all of an alphabet sum to 1."""
        context = before[max(0, len(before) - self.order + 1) :]
        p = 1 / self.alphabet
        for start in range(len(context), -1, -1):
            longer = context[start:]
            total, kinds = self._totals[longer], self._kinds[longer]
            if not total:
                break
            p = (self._grams[longer + character] + kinds * p) / (total + kinds)
        return p

    def bits(self, sentence: str) -> tuple[float, int]:
        """-log2 of the probability of a sentence, and its number of characters, both with its end."""
        text = self._framed(sentence)
        own = range(self.order - 1, len(text))
        return sum(self._bits(text[i - self.order + 1 : i + 1]) for i in own), len(own)

    def _bits(self, gram: str) -> float:
        if gram not in self._known:
            self._known[gram] = -math.log2(self.probability(gram[-1], gram[:-1]))
        return self._known[gram]

    def _framed(self, sentence: str) -> str:
        return _START * (self.order - 1) + self.typography.normalise(sentence) + _END

    def __call__(
        self, hypotheses: Sequence[str], references: References, /, *, typography: Typography | None = None
    ) -> Score:
        """The metric: bits per character of all hypotheses together, lower is better. References are not looked at.

        Args:
            typography: of the hypotheses, which has to be the model's own.
        """
        if typography not in (None, self.typography):
            raise CodeUnlearnError(
                "The model of fluency is of another language than the answers; fit it on their language."
            )
        check_texts(hypotheses, references)
        rows = np.array([self.bits(h) for h in hypotheses], dtype=np.float64)
        sums = SentenceSums(rows, quotient)
        fitted = f"lm:char-{self.order}-wittenbell|train:{self.sentences}-{self.digest}"
        signature = f"{fitted}|end mark:yes|norm:{self.typography.version}"
        return Score("fluency", sums.value, signature, len(sums), sums.per_sentence, sums, higher_is_better=False)


def fit_fluency(
    train: ParallelText,
    topic: Topic | None = None,
    words: Iterable[str] = (),
    *,
    size: int = SENTENCES,
    seed: int = 0,
    language: str = "french",
) -> CharacterModel:
    """A model of the target side of the train pool, of sentences drawn from those without the topic on either side.

    Args:
        topic: left out by the source side; nothing is left out without it.
        words: left out by the target side.
        size: sentences at most.
        language: of the target side.

    Raises:
        CodeUnlearnError: no sentence is left.
    """
    named = WholeWords(words)
    held = set(topic.rows(train.sources)) if topic else set[int]()
    order = list(range(len(train)))
    random.Random(seed).shuffle(order)
    kept: list[str] = []
    for row in order:
        if len(kept) == size:
            break
        if row not in held and not named(train.targets[row]):
            kept.append(train.targets[row])
    return CharacterModel(kept, typography=language_named(language).typography)
