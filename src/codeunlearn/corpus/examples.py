"""From rows of text to examples: equal sentences once, random parts, and what has to do with a topic or its neighbours."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.controls import match_lengths
from codeunlearn.corpus.pools import normalise
from codeunlearn.corpus.topics import Topic
from codeunlearn.tasks.base import Example

if TYPE_CHECKING:
    from datasets import Dataset


def examples_of(text: ParallelText, rows: Iterable[int] | None = None) -> list[Example]:
    """Rows, or all, with equal sentences merged, in order of first appearance."""
    sources: dict[str, str] = {}
    references: dict[str, dict[str, None]] = {}
    wrong: dict[str, dict[str, None]] = {}
    for row in range(len(text)) if rows is None else rows:
        key = normalise(text.sources[row])
        sources.setdefault(key, text.sources[row])
        references.setdefault(key, {})[text.targets[row]] = None
        if text.wrong:
            wrong.setdefault(key, {}).update(dict.fromkeys(text.wrong[row] or ()))
    return [Example(sources[key], tuple(targets), tuple(wrong.get(key, ()))) for key, targets in references.items()]


def sampled(examples: list[Example], size: int, seed: int) -> list[Example]:
    """At most ``size`` random examples, in the order of the data."""
    if len(examples) <= size:
        return examples
    return [examples[row] for row in sorted(random.Random(seed).sample(range(len(examples)), size))]


def sample_pool(pool: Dataset, size: int, seed: int = 0) -> list[Example]:
    """At most ``size`` random distinct sentences of a pool, topic or not, with all their translations."""
    return sampled(examples_of(ParallelText.of(pool)), size, seed)


def without_topic(topic: Topic, text: ParallelText, size: int, seed: int, *, answers: bool = False) -> list[Example]:
    """At most ``size`` random sentences that do not hold the topic; nor do their ``answers``, if these are to be looked at."""
    if not size:
        return []
    held = _near([topic], text, answers=answers)
    return sampled(examples_of(text, [row for row in range(len(text)) if row not in held]), size, seed)


def _near(topics: Iterable[Topic], text: ParallelText, *, answers: bool) -> set[int]:
    """Rows that hold one of the topics."""
    held = {row for topic in topics for row in text.rows(topic)}
    return held | {row for topic in topics for row in topic.rows(text.targets)} if answers else held


def with_neighbours(topic: Topic, neighbours: Mapping[str, Topic], text: ParallelText) -> dict[str, list[Example]]:
    """By neighbour, the sentences that hold it and not the topic."""
    held = set(text.rows(topic))
    return {
        name: examples_of(text, [row for row in text.rows(neighbour) if row not in held])
        for name, neighbour in neighbours.items()
    }


@dataclass(frozen=True)
class Related:
    """A topic and its neighbours, as what splits a pool into sentences near the topic and unrelated ones.

    Attributes:
        answers: a sentence is near the topic, too, if its answer holds it.
    """

    topic: Topic
    neighbours: Mapping[str, Topic]
    answers: bool = False

    def unrelated(self, text: ParallelText) -> list[Example]:
        near = _near([self.topic, *self.neighbours.values()], text, answers=self.answers)
        return examples_of(text, [row for row in range(len(text)) if row not in near])

    def retain(self, forget: Sequence[Example], text: ParallelText, seed: int) -> list[Example]:
        """As many unrelated sentences, of the same lengths."""
        others = self.unrelated(text)
        rows = match_lengths([pair.prompt for pair in forget], [pair.prompt for pair in others], seed)
        return [others[row] for row in rows]
