"""What a recipe is: it looks at a topic's sentences and says which codes to delete.

A recipe is a small frozen dataclass with the members of `Recipe`, its options as fields. It becomes known by
``RECIPES.register(name)(TheClass)``, here or in another package (`codeunlearn.registry`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from transformers import PreTrainedTokenizerBase

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.registry import Registry
from codeunlearn.unlearning.evidence.counting import Progress
from codeunlearn.unlearning.evidence.counts import CodeCounts
from codeunlearn.unlearning.evidence.enrichment import EnrichmentTable
from codeunlearn.unlearning.forget_set import ForgetSet

if TYPE_CHECKING:
    from codeunlearn.unlearning.recipes.path import DeletionPath


RETAINED = 2000
"""Unrelated sentences of the train pool on which a recipe that reads them weighs what a code costs."""


@dataclass(frozen=True)
class Needs:
    """What a recipe reads beside the topic's sentences and their controls.

    Attributes:
        retained: so many unrelated sentences of the train pool (``TopicSets.search_retain``).
    """

    retained: int = 0


@dataclass(frozen=True)
class Step:
    """A forget set on the way that a recipe can be cut at.

    Attributes:
        size: S' or the number of codes, see ``TopicSearch.step_name``.
        label: the step in words, such as ``S'=72``.
        forget_set: its codes.
    """

    size: int
    label: str
    forget_set: ForgetSet


@dataclass(frozen=True, eq=False)
class TopicSearch:
    """What a search found, and all it decided on.

    Attributes:
        forget_set: the chosen codes.
        table: the evidence for every code that fired, chosen or not; None where the recipe counts nothing.
        counts: the counts behind it, for every S' that was counted; None likewise.
        path: the codes in the order of deletion, with all evidence; of the recommended recipe only.
        steps: the forget sets that the recipe can be cut at, by size.
        step_name: what the size of a step is: ``S'`` or ``codes``.
    """

    forget_set: ForgetSet
    table: EnrichmentTable | None = None
    counts: CodeCounts | None = None
    path: DeletionPath | None = None
    steps: tuple[Step, ...] = ()
    step_name: str = "codes"

    def at(self, size: int) -> ForgetSet:
        """The forget set of the step of that size.

        Raises:
            CodeUnlearnError: there is no such step.
        """
        for step in self.steps:
            if step.size == size:
                return step.forget_set
        sizes = ", ".join(str(step.size) for step in self.steps) or "none"
        raise CodeUnlearnError(f"There is no step {self.step_name} = {size}; the steps are {sizes}.")


class Recipe(Protocol):
    """What a recipe has to offer; its dataclass fields are its options and go into the forget set."""

    name: ClassVar[str]

    def needs(self) -> Needs:
        """What it reads beside the topic's sentences and their controls."""
        ...

    def search(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        sets: TopicSets,
        *,
        seed: int = 0,
        steps: Sequence[int] | None = None,
        progress: Progress | None = None,
        created: str | None = None,
    ) -> TopicSearch:
        """Finds the codes of a topic; the model is read and not changed.

        Codes that are already deleted are found again, so a topic's set does not depend on what was forgotten before it.

        Args:
            sets: the topic's sets; those of the train pool are read (``search``, ``controls``, ``search_retain``).
            seed: of the sentences and controls, for the record, and of what the recipe draws.
            steps: sizes of the steps that are wanted; None for the recipe's own, ``()`` for its choice alone.
            progress: called with what is done and the whole.
            created: ISO time for the record; now when absent.

        Raises:
            CodeUnlearnError: the sets lack what the recipe `needs`.
        """
        ...


def _load() -> None:
    for module in ("recommended", "paper", "paired"):
        import_module(f"codeunlearn.unlearning.recipes.{module}")


RECIPES: Registry[Callable[..., Recipe]] = Registry("preset", _load)
"""Classes of recipes by name."""


def make_recipe(name: str, **options: Any) -> Recipe:
    """The recipe of that name with the options that are given; those that are None stay as they are.

    Raises:
        CodeUnlearnError: there is no such recipe, or it has no such option.
    """
    recipe = RECIPES.get(name)
    given = {option: value for option, value in options.items() if value is not None}
    known = {field.name for field in fields(cast(Any, recipe))}
    if foreign := [option for option in given if option not in known]:
        raise CodeUnlearnError(f"The preset {name} has no --{foreign[0].replace('_', '-')}; leave it out.")
    return recipe(**given)


def find_codes(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sets: TopicSets,
    recipe: str = "recommended",
    *,
    seed: int = 0,
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> TopicSearch:
    """Finds the codes of a topic; the model is read and not changed.

    Args:
        sets: of `build_topic_sets`; the default recipe wants sentences without the topic too (``search_retain_size``).
        recipe: a name in `RECIPES`.
        seed: of what the recipe draws, and for the record.
        steps: sizes at which the result is wanted too, S' or numbers of codes; None for the recipe's own.
        progress: called with what is done and the whole.
        options: the recipe's own, such as ``max_codes``.

    Raises:
        CodeUnlearnError: there is no such recipe or option, or the sets lack what the recipe needs.
    """
    return make_recipe(recipe, **options).search(model, tokenizer, sets, seed=seed, steps=steps, progress=progress)
