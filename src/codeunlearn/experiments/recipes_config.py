"""A study of recipes, as a section of a reproduction's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, cast

from pydantic import Field

from codeunlearn.codebook import DeletionMode
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import RECIPES, Recipe, make_recipe
from codeunlearn.validation import Count

RESERVED = ("prompt", "before")
"""Columns beside those of the recipes, whose names no recipe can have."""
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
PerCent = Annotated[int, Field(gt=0, le=100)]


@dataclass(frozen=True)
class ComparedRecipe:
    """A recipe with its options, under a name of its own.

    Attributes:
        name: in tables.
        recipe: a name in `RECIPES`; ``name`` when absent.
        options: of the recipe.
        mode: what happens to the slots of deleted codes, in the search where the recipe knows it; the model's own way
            when absent.
        s_primes: of a recipe that counts, the values of S' whose whole sets are tried; its own choice alone when absent.
        cut: whether the best of these sets, by the validation pool, is cut in its own order at every size. A recipe such as
            the paper's deletes whole sets.
    """

    name: str
    recipe: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mode: DeletionMode | None = None
    s_primes: tuple[Count, ...] = ()
    cut: bool = True

    @property
    def preset(self) -> str:
        return self.recipe or self.name

    @property
    def knows_mode(self) -> bool:
        """Whether there is a mode, and the recipe searches for it."""
        known = {option.name for option in fields(cast(Any, RECIPES.get(self.preset)))}
        return self.mode is not None and "mode" in known

    def make(self) -> Recipe:
        """The recipe.

        Raises:
            CodeUnlearnError: there is none of that name, or it has no such option.
        """
        return make_recipe(self.preset, **{**self.options, **({"mode": self.mode} if self.knows_mode else {})})


@dataclass(frozen=True)
class RecipesConfig:
    """Recipes side by side: sizes are chosen on the validation pool and reported on the test pool.

    Attributes:
        compared: the recipes; without any there is no study.
        sizes: numbers of codes at which a set is cut; the whole is tried too.
        losses: of the topic's words in the answers, per cent; for each the fewest codes that reach it are chosen.
        shown: recipes in the tables of single losses; all when absent.
        unrelated: sentences of the test pool without topic and neighbours.
        placebo: the recipe whose codes random ones stand in for, ``scores: placebo_draws`` times; none when absent.
        null_control: values of S' at which every recipe that counts is tried on controls against controls, and every other
            one beside them; no such test when absent.
    """

    compared: tuple[ComparedRecipe, ...] = ()
    sizes: tuple[Count, ...] = SIZES
    losses: tuple[PerCent, ...] = (25, 50, 75, 95)
    shown: tuple[str, ...] = ()
    unrelated: Count = 400
    placebo: str | None = None
    null_control: tuple[Count, ...] = ()


def check_recipes(recipes: RecipesConfig) -> None:
    """Raises:
    CodeUnlearnError: a recipe does not exist, has no such option, has a reserved name or stands there twice; or a name is
        none of theirs.
    """
    names = [one.name for one in recipes.compared]
    if taken := [name for name in names if name in RESERVED]:
        raise CodeUnlearnError(f"No recipe under `recipes: compared` can be called {taken[0]!r}; give it another name.")
    if len(set(names)) < len(names):
        raise CodeUnlearnError("Every recipe under `recipes: compared` needs a name of its own; two have the same.")
    for key, named in (("shown", recipes.shown), ("placebo", (recipes.placebo,) if recipes.placebo else ())):
        if missing := [name for name in named if name not in names]:
            raise CodeUnlearnError(
                f"recipes: {key} has {missing[0]!r}, which is none of those compared: {', '.join(names)}."
            )
    if names and not (recipes.sizes and recipes.losses):
        raise CodeUnlearnError("recipes: sizes and losses must have at least one value each.")
    for one in recipes.compared:
        one.make()
