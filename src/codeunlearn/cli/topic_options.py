"""From the topic options of a command to its sets of sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codeunlearn.cli.console import screen
from codeunlearn.cli.options import TopicWords, given, words
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


def read_topic(name: str, about: TopicWords | None = None) -> Topic:
    """A topic given as a word, a list of forms or a file of sentences.

    Raises:
        CodeUnlearnError: it is given in two ways, or is no topic.
    """
    about = about or TopicWords()
    if about.forms is not None and about.sentences is not None:
        raise CodeUnlearnError("A topic is given by --forms or by --sentences, not both; leave one out.")
    if about.sentences is not None:
        return Topic.from_sentences(name, about.sentences)
    return Topic.from_word(name) if about.forms is None else Topic.from_forms(name, words(about.forms))


def refuse_without_topic(about: TopicWords, neighbours: str | None) -> None:
    """For a command that was given no topic.

    Raises:
        CodeUnlearnError: something is said about it.
    """
    for name in given(about, neighbours=neighbours):
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
