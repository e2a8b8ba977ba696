"""The embedded corpus: stories in English and French from a grammar written for this project, with planted topics.

Every sentence is built in both languages at once from the same meaning, so its translation is exact, and which topics
it holds is known because the grammar put their words there. Nothing is downloaded and nothing is read from disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from codeunlearn.corpus.stories.grammar import draw
from codeunlearn.corpus.stories.topics import TOPICS, StoryTopic
from codeunlearn.errors import CodeUnlearnError

__all__ = ["LARGEST", "TOPICS", "StoryPair", "StoryTopic", "generate"]

LARGEST = 200_000
"""Most pairs that may be asked for. The grammar holds far more, but rare patterns would run dry and skew the rest."""


@dataclass(frozen=True)
class StoryPair:
    """An English sentence, its French translation, and the sorted names of the topics that the English words hold."""

    source: str
    target: str
    topics: tuple[str, ...]


def generate(n: int = 24_000, seed: int = 0) -> list[StoryPair]:
    """`n` pairs with distinct English sentences, the same for the same seed; fewer are a prefix of more.

    Raises:
        CodeUnlearnError: `n` is negative or more than `LARGEST`.
    """
    if not 0 <= n <= LARGEST:
        raise CodeUnlearnError(
            f"The stories corpus gives between 0 and {LARGEST} sentence pairs; ask for so many, not {n}."
        )
    rng = Random(seed)
    pairs: dict[str, StoryPair] = {}
    while len(pairs) < n:
        phrase = draw(rng)
        if phrase is not None and phrase.en not in pairs:
            pairs[phrase.en] = StoryPair(phrase.en, phrase.fr, tuple(sorted(phrase.topics)))
    return list(pairs.values())
