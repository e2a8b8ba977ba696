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
from codeunlearn.tasks.base import Task


def read_pools(data: DataConfig, *needed: Pool, task: Task | None = None) -> dict[Pool, Any]:
    """The pools of the data, with a line about what was read.

    Args:
        task: what the model will be asked.

    Raises:
        CodeUnlearnError: one of those needed is empty; or the data are running text and the model translates.
    """
    loaded = load_pairs(data)
    if task is not None and task.name == "translation" and loaded.kind != "pairs":
        raise CodeUnlearnError(
            f"{data.data} holds no two columns of text, and the model translates; give parallel text, or a model without an "
            "encoder."
        )
    screen.print(str(loaded.report), highlight=False)
    return filled_pools(loaded.dataset, needed, data.data)


def read_topic(name: str, about: TopicWords | None = None, language: str = "english") -> Topic:
    """A topic given as a word or several, a list of forms, or a file of sentences.

    Args:
        language: of the prompts.

    Raises:
        CodeUnlearnError: it is no topic.
    """
    about = about or TopicWords()
    if about.sentences is not None:
        return Topic.from_sentences(name, about.sentences, language=language)
    if about.forms is not None:
        return Topic.from_forms(name, words(about.forms), language=language)
    if len(name.split()) > 1:
        return Topic.from_forms(name, [name], language=language)
    return Topic.from_word(name, language=language)


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
        settings: sizes, draws, minimum, seed and language of the answers, as of `build_topic_sets`.

    Raises:
        CodeUnlearnError: the list of target words is empty; or as `build_topic_sets`.
    """
    if target is not None and not words(target):
        raise CodeUnlearnError("--target-words names no word; give words separated by commas, or leave it out.")
    named = None if neighbours is None else words(neighbours)
    related = None if named is None else {word: Topic.from_word(word, language=topic.language) for word in named}
    sets = build_topic_sets(topic, pools, neighbours=related, **settings)
    return sets if target is None else replace(sets, target_words=words(target))
