"""The sentences on which systems are scored: D'_T with its control prompts, D_R, and neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from datasets import Dataset
from pydantic import AliasChoices, Field

from codeunlearn.corpus.answer_words import ParallelText, target_words
from codeunlearn.corpus.examples import sample_pool
from codeunlearn.corpus.pools import Pool
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.tasks.base import Example

FORGET, RETAIN = "forget", "retain"
WHOLE = "test pool"


@dataclass(frozen=True)
class TestSet:
    """Examples on which systems are scored.

    Attributes:
        name: ``forget`` (D'_T), ``retain`` (D_R) or a neighbour's name.
        examples: prompts with their right answers.
        words: answer-side words whose recall and probability are measured here; empty for D_R.
        controls: by example, its prompt with the topic's words replaced; empty where nothing is compared with them.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    name: str
    examples: Annotated[Sequence[Example], Field(validation_alias=AliasChoices("examples", "pairs"))]
    words: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()

    @property
    def prompts(self) -> list[str]:
        return [example.prompt for example in self.examples]

    @property
    def references(self) -> list[tuple[str, ...]]:
        return [example.answers for example in self.examples]


def make_test_sets(sets: TopicSets, pools: Mapping[Pool, Dataset], pool: Pool) -> list[TestSet]:
    """D'_T, D_R and, on the test pool, the neighbours' sentences, with the answer-side words that are looked for."""
    if pool != "test":
        topic = TestSet(FORGET, sets.tune, sets.target_words, tuple(sets.tune_controls))
        return [topic, TestSet(RETAIN, sets.tune_retain)]
    train = ParallelText.of(pools["train"])
    near = {name: Topic.from_word(name, language=sets.topic.language) for name in sets.neighbours}
    return topic_tests(sets, {name: target_words(near[name], train, sets.answer_language) for name in near})


def topic_tests(sets: TopicSets, words: Mapping[str, tuple[str, ...]] | None = None) -> list[TestSet]:
    """D'_T, D_R and the neighbours' sentences of the test pool.

    Args:
        words: of the neighbours, on the answer side, where they are known.
    """
    topic = TestSet(FORGET, sets.forget, sets.target_words, tuple(sets.forget_controls))
    named = [TestSet(name, examples, (words or {}).get(name, ())) for name, examples in sets.neighbours.items()]
    return [topic, TestSet(RETAIN, sets.retain), *named]


def whole_pool(pool: Dataset, size: int, seed: int) -> list[TestSet]:
    """A random part of a pool: how well a model does its task, whatever the topic."""
    return [TestSet(WHOLE, sample_pool(pool, size, seed))]
