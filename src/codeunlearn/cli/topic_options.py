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
from codeunlearn.errors import CodeUnlearnError


def read_pools(data: DataConfig, *needed: Pool) -> dict[Pool, Any]:
    """The pools of the data, with a line about what was read.

    Raises:
        CodeUnlearnError: one of those needed is empty.
    """
    loaded = load_pairs(data)
    screen.print(str(loaded.report), highlight=False)
    return filled_pools(loaded.dataset, needed, data.data)


def read_topic(name: str, forms: str | None = None, sentences: Path | None = None) -> Topic:
    """A topic given as a word, a list of forms or a file of sentences.

    Raises:
        CodeUnlearnError: it is given in two ways, or is no topic.
    """
    if forms is not None and sentences is not None:
        raise CodeUnlearnError("A topic is given by --forms or by --sentences, not both; leave one out.")
    if sentences is not None:
        return Topic.from_sentences(name, sentences)
    return Topic.from_word(name) if forms is None else Topic.from_forms(name, words(forms))


def refuse_without_topic(**given: object) -> None:
    """For a command that was given no topic: options that say something about it, by their names.

    Raises:
        CodeUnlearnError: one of them was given.
    """
    for name, value in given.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise CodeUnlearnError(
                f"{option} describes a topic, and there is none; name it with --topic, or leave {option} out."
            )


def topic_sets(
    pools: dict[Pool, Any], topic: Topic, *, target: str | None = None, neighbours: str | None = None, **settings: Any
) -> TopicSets:
    """The topic's sets; target words and neighbours are learned from the train pool unless given.

    An empty list of neighbours means none.

    Args:
        settings: sizes, draws, minimum and seed of `build_topic_sets`.

    Raises:
        CodeUnlearnError: the list of target words is empty; or as `build_topic_sets`.
    """
    if target is not None and not words(target):
        raise CodeUnlearnError("--target-words names no word; give words separated by commas, or leave it out.")
    related = None if neighbours is None else {word: Topic.from_word(word) for word in words(neighbours)}
    sets = build_topic_sets(topic, pools, neighbours=related, **settings)
    return sets if target is None else replace(sets, target_words=words(target))
