"""The sets of a topic that is given by questions on it and their answers (`codeunlearn.corpus.subjects`).

All of these pairs are searched, or all are scored: a removal request leaves none out, and what a model says to unseen
questions is known from a file of such questions, paraphrases and descriptions among them. What is to stay comes from the
data, by pool as for any topic (`codeunlearn.corpus.topic_sets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.controls import ControlWriter
from codeunlearn.corpus.examples import Related, sampled, with_neighbours, without_topic
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.subjects import subject_controls, subject_words
from codeunlearn.corpus.topic_sets import TopicSets, one_draw, require_neighbours, require_pool
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example

if TYPE_CHECKING:
    from datasets import Dataset


def build_subject_sets(
    topic: Topic,
    pairs: Sequence[Example],
    pools: Mapping[Any, Dataset],
    *,
    search_size: int = 500,
    eval_size: int = 0,
    search_retain_size: int = 0,
    draws: int = 1,
    neighbours: Mapping[str, Topic] | None = None,
    seed: int = 0,
    answer_language: str = "english",
) -> TopicSets:
    """The sets of a subject.

    Args:
        topic: of `subject_topic`.
        pairs: questions on it with their answers.
        pools: of the data, as for `build_topic_sets`; rows whose question or answer holds the topic, and its own questions, are
            left out.
        search_size: at most so many of the pairs are searched; 0 for no search.
        eval_size: at most so many of them are scored, with as many of the test pool that are to stay; 0 for none.
        search_retain_size, draws, neighbours, seed, answer_language: as for `build_topic_sets`; none is proposed as a neighbour.

    Raises:
        CodeUnlearnError: the data hold nothing beside the topic, or too little of the lengths of what is scored; nothing can
            stand in for the topic; or a neighbour has no sentence.
    """
    train, test = (ParallelText.of(require_pool(pools, pool)) for pool in ("train", "test"))
    related = Related(topic, neighbours or {}, answers=True)
    unrelated = related.unrelated(train)
    if not unrelated:
        raise CodeUnlearnError(f"The data hold nothing but {topic.name!r}; give text that is to stay, too.")
    near = with_neighbours(topic, related.neighbours, test)
    if eval_size:
        require_neighbours(near)
    search, forget = sampled(list(pairs), search_size, seed), sampled(list(pairs), eval_size, seed)
    others = [example.prompt for example in unrelated]

    @cache
    def writer() -> ControlWriter:  # the text is counted only where no other name stands in
        vocabulary = Vocabulary.from_sentences(train.sources, language=topic.language)
        return ControlWriter(
            topic, vocabulary, {form for one in related.neighbours.values() for form in one.forms}, seed
        )

    def controls(examples: Sequence[Example], draws: int) -> list[list[str]]:
        questions = [example.prompt for example in examples]
        return subject_controls(topic, questions, others, lambda *asked: writer().write(*asked), draws, seed)

    return TopicSets(
        topic=topic,
        search=search,
        controls=controls(search, draws),
        paired=True,
        tune=[],
        tune_retain=[],
        forget=forget,
        retain=related.retain(forget, test, seed),
        neighbours={name: sampled(near[name], eval_size, seed) for name in related.neighbours if eval_size},
        target_words=subject_words(topic, pairs, [answer for example in unrelated for answer in example.answers]),
        search_retain=without_topic(topic, train, search_retain_size, seed, answers=True),
        forget_controls=one_draw(lambda: controls(forget, 1)),
        answer_language=answer_language,
    )
