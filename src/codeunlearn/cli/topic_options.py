"""From the topic options of a command to its sets of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeunlearn.cli.console import screen
from codeunlearn.cli.options import TopicWords, given, words
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.documents import Kind
from codeunlearn.corpus.examples import examples_of
from codeunlearn.corpus.loading import DataConfig, filled_pools, load_pairs
from codeunlearn.corpus.pools import Pool
from codeunlearn.corpus.subject_sets import build_subject_sets
from codeunlearn.corpus.subjects import subject_topic
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example, Task


def read_pools(data: DataConfig, *needed: Pool, task: Task | None = None) -> dict[Pool, Any]:
    """The pools of the data, with a line about what was read.

    Args:
        task: what the model will be asked.

    Raises:
        CodeUnlearnError: one of those needed is empty; or the data are of another kind than the model is asked.
    """
    loaded = load_pairs(data)
    if task is not None:
        _require_kind(task.name, loaded.kind, data.data)
    screen.print(str(loaded.report), highlight=False)
    return filled_pools(loaded.dataset, needed, data.data)


def _require_kind(task: str, kind: Kind, data: str) -> None:
    if task in ("translation", "summarization") and kind not in ("pairs", "summaries"):
        does, wanted = (
            ("translates", "parallel text") if task == "translation" else ("summarises", "documents with summaries")
        )
        raise CodeUnlearnError(
            f"{data} holds no two columns of text, and the model {does}; give {wanted}, or a model without an encoder."
        )
    if task == "translation" and kind == "summaries":
        raise CodeUnlearnError(
            f"{data} holds documents with summaries, and the model translates; give parallel text, or a model that was built "
            "with --task summarization."
        )


def read_asked(path: Path | None, data: DataConfig) -> list[Example] | None:
    """Questions on a topic with their answers, if it is given by such.

    Args:
        data: whose columns and bound of characters the file shares.

    Raises:
        CodeUnlearnError: the file cannot be read, or is running text.
    """
    if path is None:
        return None
    loaded = load_pairs(replace(data, data=str(path), config=None, limit=None))
    if loaded.kind not in ("pairs", "messages", "summaries"):
        raise CodeUnlearnError(
            f"{path} holds no questions with answers; give rows of question and answer, or of messages."
        )
    screen.print(str(loaded.report), highlight=False)
    return examples_of(ParallelText.of(loaded.dataset))


def read_topic(
    name: str, about: TopicWords | None = None, language: str = "english", asked: Sequence[Example] | None = None
) -> Topic:
    """A topic given as a word or several, a list of forms, a file of sentences, or questions on it.

    Args:
        language: of the prompts.
        asked: what `read_asked` read.

    Raises:
        CodeUnlearnError: it is no topic.
    """
    about = about or TopicWords()
    if asked is not None:
        return subject_topic(name, asked, words(about.forms), language)
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
    pools: dict[Pool, Any],
    topic: Topic,
    *,
    target: str | None = None,
    neighbours: str | None = None,
    asked: Sequence[Example] | None = None,
    **settings: Any,
) -> TopicSets:
    """The topic's sets; target words and neighbours are learned from the train pool unless given.

    An empty list of neighbours means none.

    Args:
        asked: questions on the topic, where it is given by such; all of them are searched or scored.
        settings: sizes, draws, minimum, seed and language of the answers, as of `build_topic_sets`.

    Raises:
        CodeUnlearnError: the list of target words is empty; or as `build_topic_sets`.
    """
    if target is not None and not words(target):
        raise CodeUnlearnError("--target-words names no word; give words separated by commas, or leave it out.")
    named = None if neighbours is None else words(neighbours)
    related = None if named is None else {word: Topic.from_word(word, language=topic.language) for word in named}
    if asked is None:
        sets = build_topic_sets(topic, pools, neighbours=related, **settings)
    else:
        of_pools = ("tune_size", "minimum", "in_place_of")
        kept = {name: value for name, value in settings.items() if name not in of_pools}
        sets = build_subject_sets(topic, asked, pools, neighbours=related, **kept)
    return sets if target is None else replace(sets, target_words=words(target))
