"""The steps of today's searches, until recipes give their own: S' values, or beginnings of the recommended order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.unlearning import ForgetSet, KnownCodes, search_recommended, search_topic_sets

RECOMMENDED = "recommended"


@dataclass(frozen=True)
class Step:
    """A forget set on the way from few deleted codes to many."""

    size: int
    label: str
    forget_set: ForgetSet


def steps_of(
    recipe: str,
    model: Any,
    tokenizer: Any,
    sets: TopicSets,
    sizes: Sequence[int],
    seed: int,
    known: KnownCodes | None = None,
) -> tuple[str, list[Step]]:
    """What the steps are, and the steps: of these sizes, or for no sizes the powers of two."""
    if recipe == RECOMMENDED:
        found = search_recommended(model, tokenizer, sets, seed=seed, known=known)
        return "codes", beginnings(found.forget_set, sizes)
    by_size = search_topic_sets(model, tokenizer, sets, preset=recipe, s_primes=tuple(sizes), seed=seed, known=known)
    return "S'", [Step(size, f"S'={size}", one.forget_set) for size, one in by_size.items()]


def beginnings(forget_set: ForgetSet, sizes: Sequence[int] = ()) -> list[Step]:
    """The first codes alone, of these sizes, and all codes; powers of two without sizes."""
    whole = len(forget_set)
    sizes = sizes or [2**power for power in range(whole.bit_length())]
    kept = sorted({min(size, whole) for size in (*sizes, whole) if min(size, whole)})
    cut = (replace(forget_set, ids=forget_set.ids[:size], evidence=forget_set.evidence[:size]) for size in kept)
    return [Step(len(one), f"{len(one)} codes", one) for one in cut]
