"""From the topic options of a command to its sets of sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from codeunlearn.cli.console import screen
from codeunlearn.cli.options import words
from codeunlearn.corpus.loading import DataConfig, filled_pools, load_pairs
from codeunlearn.corpus.pools import Pool
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic


def read_pools(data: DataConfig, *needed: Pool) -> dict[Pool, Any]:
    """The pools of the data, with a line about what was read.

    Raises:
        CodeUnlearnError: one of those needed is empty.
    """
    loaded = load_pairs(data)
    screen.print(str(loaded.report), highlight=False)
    return filled_pools(loaded.dataset, needed, data.data)


def read_topic(name: str, forms: str | None = None, sentences: Path | None = None) -> Topic:
    """A topic given as a word, a list of forms or a file of sentences."""
    if sentences is not None:
        return Topic.from_sentences(name, sentences)
    return Topic.from_word(name) if forms is None else Topic.from_forms(name, words(forms))


def topic_sets(
    pools: dict[Pool, Any], topic: Topic, *, target: str | None = None, neighbours: str | None = None, **settings: Any
) -> TopicSets:
    """The topic's sets; target words and neighbours are learned from the train pool unless given.

    Args:
        settings: sizes, draws, minimum and seed of `build_topic_sets`.
    """
    related = None if neighbours is None else {word: Topic.from_word(word) for word in words(neighbours)}
    sets = build_topic_sets(topic, pools, neighbours=related, **settings)
    return replace(sets, target_words=words(target)) if target else sets
