"""Placebo deletions: random codes, as many as a topic has and used as often, to see what deleting any codes does.

A drop after deleting a topic's codes may come from deleting that many often-used codes, whichever they are. The paper has
no such control; here it stands beside every result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import System, unlearned
from codeunlearn.methods.base import METHODS
from codeunlearn.methods.codes import Codes
from codeunlearn.tasks.base import Task, View
from codeunlearn.unlearning import CodeReader, ForgetSet

PRESET = "placebo"
CANDIDATES = 20
"""Each code is replaced by one drawn from so many of the codes whose use is nearest to its own."""


def code_usage(
    model: Any, tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str], batch_tokens: int | None = None
) -> NDArray[np.int64]:
    """[K] tokens of these sentences that select each row of the codebook, as if nothing were deleted."""
    bottleneck = require_bottleneck(model)
    lists = CodeReader(model, tokenizer, bottleneck.config.top_s, batch_tokens).read(sentences)
    return np.bincount(lists.ids.ravel(), minlength=lists.num_codes)


def placebos(
    chosen: ForgetSet, usage: NDArray[np.int64], code_ids: NDArray[np.int64], *, draws: int = 20, seed: int = 0
) -> list[ForgetSet]:
    """Random stand-ins for a forget set; no code of the set is in any of them, and no code twice in one.

    There is none where no code is chosen, or too few are left to stand in for the chosen ones.

    Args:
        chosen: the set to match in number and, code by code, in use.
        usage: [K] how often each row of the codebook is used (`code_usage`).
        code_ids: [K] id of each row.
        draws: how many.
        seed: decides the draws.
    """
    rows = np.flatnonzero(np.isin(code_ids, chosen.ids))
    if not 0 < 2 * len(rows) <= len(code_ids):
        return []
    rows = rows[np.argsort(-usage[rows], kind="stable")]  # the most used first, for which fewest can stand in
    generator = np.random.default_rng(seed)
    return [_placebo(chosen, rows, usage, code_ids, generator) for _ in range(draws)]


def _placebo(
    chosen: ForgetSet,
    rows: NDArray[np.int64],
    usage: NDArray[np.int64],
    code_ids: NDArray[np.int64],
    generator: np.random.Generator,
) -> ForgetSet:
    logs = np.log1p(usage)
    free = np.ones(len(code_ids), bool)
    free[rows] = False
    drawn: list[int] = []
    for row in rows:
        left = np.flatnonzero(free)
        distance = np.abs(logs[left] - logs[row])
        order = np.lexsort((generator.random(len(left)), distance))  # equals in random order
        code = int(left[generator.choice(order[:CANDIDATES])])
        free[code] = False
        drawn.append(int(code_ids[code]))
    return stand_in(chosen, drawn)


def stand_in(chosen: ForgetSet, ids: Sequence[int]) -> ForgetSet:
    """A forget set of random codes in the place of the chosen ones."""
    return replace(chosen, ids=tuple(ids), evidence=(), preset=PRESET, expected_false_positives=None)


class Drawn(NamedTuple):
    """Placebos, and how many tokens select each code by its id."""

    sets: list[ForgetSet]
    usage: dict[int, int]


def draw_placebos(view: View, chosen: ForgetSet, sentences: Sequence[str], *, draws: int, seed: int) -> Drawn:
    """As `placebos`, with the use of codes counted on these sentences."""
    usage = code_usage(view.model, view.tokenizer, sentences)
    code_ids = require_bottleneck(view.model).codebook.code_ids.cpu().numpy()
    sets = placebos(chosen, usage, code_ids, draws=draws, seed=seed)
    return Drawn(sets, dict(zip(code_ids.tolist(), usage.tolist(), strict=True)))


@METHODS.register("placebo")
@dataclass(frozen=True)
class Placebo:
    """Another method's deletion with random codes in the place of the topic's.

    Attributes:
        of: the method whose codes are stood in for.
        usage_size: sentences without the topic on which the use of codes is counted.
    """

    name: ClassVar[str] = PRESET
    of: Codes = field(default_factory=Codes)
    usage_size: int = 2000

    def forget(self, base: System, sets: TopicSets, task: Task, *, seed: int = 0) -> System:
        """One draw, as a system of role ``control``.

        Raises:
            CodeUnlearnError: no code is chosen, or too many to be stood in for, or there are no sentences on which use can be
                counted.
        """
        sentences = [example.prompt for example in (*sets.search_retain, *sets.search)][: self.usage_size]
        chosen = self.of.forget_set(base, sets, seed=seed)
        with base.open() as view:
            drawn = draw_placebos(view, chosen, sentences, draws=1, seed=seed).sets
        if not drawn:
            raise CodeUnlearnError(
                f"{chosen.topic!r} takes {len(chosen):,} of {chosen.num_codes:,} codes, for which no random ones can "
                "stand in; leave the placebo out."
            )
        return unlearned(base, *drawn, name=PRESET, role="control", mode=self.of.mode)
