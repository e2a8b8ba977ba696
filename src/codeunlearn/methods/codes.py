"""Our own method: the topic's codes are searched with a recipe and deleted by a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codeunlearn.codebook import DeletionMode
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.evaluation.systems import System, unlearned
from codeunlearn.methods.base import METHODS
from codeunlearn.tasks.base import Task
from codeunlearn.unlearning import ForgetSet, make_recipe


@dataclass(frozen=True)
class Codes:
    """See the module.

    Attributes:
        recipe: chooses the codes.
        s_prime: codes per token looked at; of recipes that have it, their own when absent.
        mode: what happens to the slots of deleted codes; the model's own way when absent.
    """

    name: ClassVar[str] = "codes"
    recipe: str = "recommended"
    s_prime: int | None = None
    mode: DeletionMode | None = None

    def forget(self, base: System, sets: TopicSets, task: Task, *, seed: int = 0) -> System:
        """See `Method.forget`; what was found is not kept: `forget_set` gives it."""
        return unlearned(base, self.forget_set(base, sets, seed=seed), name=self.name, mode=self.mode)

    def forget_set(self, base: System, sets: TopicSets, *, seed: int = 0) -> ForgetSet:
        """The codes that the recipe chooses."""
        with base.open() as view:
            recipe = make_recipe(self.recipe, s_prime=self.s_prime)
            return recipe.search(view.model, view.tokenizer, sets, seed=seed, steps=()).forget_set


METHODS.register("codes")(Codes)
