"""The searches of one unit: what a recipe found at every size that the configuration names, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AliasChoices, Field

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.stages import StageStore
from codeunlearn.unlearning import ForgetSet, TopicSearch, make_recipe
from codeunlearn.validation import validated


@dataclass(frozen=True)
class TimedSearch:
    """What was found for one size, and in how many seconds.

    Attributes:
        size: S', or a number of codes at most.
        step_name: which of the two.
        sentences: with the topic; as many controls were read beside them.
    """

    size: int
    step_name: str
    seconds: float
    sentences: int
    forget_set: ForgetSet

    @property
    def system(self) -> str:
        """Name of the codebook model with these codes deleted."""
        return deletion_name(self.size, self.step_name)


def deletion_name(size: int, step_name: str = "S'") -> str:
    return f"{step_name}={size}"


@dataclass(frozen=True)
class _Saved:
    size: Annotated[int, Field(validation_alias=AliasChoices("size", "s_prime"))]
    seconds: float
    sentences: int
    forget_set: dict[str, Any]


@dataclass(frozen=True)
class _SavedSearches:
    searches: list[_Saved]
    step_name: str = "S'"


def read_searches(store: StageStore, stage: str) -> list[TimedSearch]:
    """What a finished stage has found; older versions knew sizes in S' alone.

    Raises:
        CodeUnlearnError: it is not finished, or its file is damaged.
    """
    path = store.path(stage)
    saved = validated(_SavedSearches, store.result(stage), str(path))
    try:
        return [
            TimedSearch(one.size, saved.step_name, one.seconds, one.sentences, ForgetSet.from_dict(one.forget_set))
            for one in saved.searches
        ]
    except CodeUnlearnError as error:
        raise CodeUnlearnError(f"{path}: {error}") from error


def make_searches(
    model: Any, tokenizer: Any, sets: TopicSets, recipe: str, sizes: Sequence[int], seed: int
) -> dict[str, Any]:
    """The content of a stage. Every S' has a search of its own, so that each has its time.

    The search for all of them comes first: it is all there is where sizes are beginnings of one list of codes, and otherwise
    warms the model up.
    """
    began = time.perf_counter()
    whole = make_recipe(recipe).search(model, tokenizer, sets, seed=seed, steps=sizes)
    seconds = time.perf_counter() - began
    searches: list[dict[str, Any]] = []
    for size in sizes:
        if whole.step_name == "S'":
            began = time.perf_counter()
            make_recipe(recipe).search(model, tokenizer, sets, seed=seed, steps=(size,))
            seconds = time.perf_counter() - began
        found = {"forget_set": _at_most(whole, size).to_dict(), "sentences": len(sets.search)}
        searches.append({"size": size, "seconds": seconds, **found})
    return {"step_name": whole.step_name, "searches": searches}


def _at_most(found: TopicSearch, size: int) -> ForgetSet:
    """The set of the largest step of that size or less; the recipe's choice, which is empty, where there are no steps."""
    steps = [step for step in found.steps if step.size <= size]
    return max(steps, key=lambda step: step.size).forget_set if steps else found.forget_set
