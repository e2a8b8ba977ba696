"""Rounds of deletions: what stands in for deleted codes is found and goes too, until the topic is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from codeunlearn.codebook import BottleneckConfig
from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists, Firing
from codeunlearn.unlearning.evidence.pursued import PursuedLists
from codeunlearn.unlearning.recipes.candidates import Reading
from codeunlearn.unlearning.recipes.rounds import Rounds, find_rounds

CODES, SENTENCES, ALWAYS = 12, 40, 0


@dataclass(frozen=True, eq=False)
class StandIns(CodeLists):
    """Sentences of one token, which selects a code that all have and the first of a line of codes that is left."""

    line: tuple[int, ...] = ()

    def firing(self, deleted: BoolArray, s: int, mode: Any = "refill") -> Firing:
        left = [code for code in self.line if not deleted[code]][:1]
        rows = [ALWAYS, *left]
        token = np.repeat(np.arange(self.sentences), len(rows))
        return Firing(token, np.tile(rows, self.sentences))


def lists(*line: int) -> StandIns:
    sentence = np.arange(SENTENCES)
    return StandIns(np.zeros((SENTENCES, 1), np.int32), sentence, sentence, SENTENCES, CODES, line)


def reading(*line: int, retained: tuple[int, ...] = ()) -> Reading:
    return Reading(lists(*line), [lists()], True, lists(*retained), 2, "refill")


class Holding:
    """How much is closed by the codes that are deleted."""

    def __init__(self, worth: dict[int, float]) -> None:
        self.worth, self.asked = worth, list[list[int]]()

    def closed(self, rows: Sequence[int]) -> float:
        self.asked.append(list(rows))
        return sum(self.worth.get(row, 0.0) for row in rows)


def found(of: Reading, worth: dict[int, float], **options: Any) -> tuple[list[int], float]:
    result = find_rounds(of, Holding(worth), Rounds(**options), seed=0)
    return [choice.row for choice in result.choices], result.closed


def test_every_round_finds_what_stands_in_for_the_codes_of_the_last() -> None:
    assert found(reading(3, 4, 5), {3: 0.2, 4: 0.3, 5: 0.5}) == ([3, 4, 5], 1.0)


def test_the_search_ends_where_the_topic_is_closed() -> None:
    assert found(reading(3, 4, 5), {3: 0.2, 4: 0.9}) == ([3, 4], pytest.approx(1.1))


def test_rounds_that_bring_nothing_are_taken_back() -> None:
    rows, closed = found(reading(3, 4, 5, 6, 7), {3: 0.6})
    assert (rows, closed) == ([3], 0.6)


def test_a_round_may_bring_nothing_if_the_next_one_does() -> None:
    assert found(reading(3, 4, 5), {3: 0.4, 5: 0.5})[0] == [3, 4, 5]


def test_codes_that_unrelated_prompts_use_stay() -> None:
    assert found(reading(3, 4), {3: 1.0}, max_rounds=2)[0] == [3]
    assert found(reading(3, 4, retained=(3,)), {3: 1.0})[0] == []


def test_there_is_a_bound_on_rounds_and_on_codes() -> None:
    worth = {3: 0.2, 4: 0.2, 5: 0.2}
    assert found(reading(3, 4, 5), worth, max_rounds=2)[0] == [3, 4]
    assert found(reading(3, 4, 5), worth, max_codes=1)[0] == [3]


def test_what_deleted_codes_leave_is_selected_from_again() -> None:
    """The codes of kept states under a deletion are those that the bottleneck itself selects then."""
    config = BottleneckConfig(d_model=8, num_codes=30, code_dim=8, top_s=3, autoencoder=False, lexical_codes=10)
    bottleneck = ConceptBottleneck(config).eval()
    states = torch.randn(50, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        bottleneck.codebook.weight.normal_(generator=torch.Generator().manual_seed(2))
    ids, scores = bottleneck.select(states)
    places, used = np.arange(50), (scores > 0).numpy()
    kept = PursuedLists(ids.numpy().astype(np.int32), places, places, 50, 30, used, states, bottleneck)
    gone = np.zeros(30, bool)
    gone[ids[:5].unique().numpy()] = True
    bottleneck.codebook.deleted.copy_(torch.from_numpy(gone))
    now = bottleneck.select(states)
    token, slot = (now.scores > 0).nonzero(as_tuple=True)
    firing = replace(kept).firing(gone, 3)
    assert firing.token.tolist() == token.tolist()
    assert firing.row.tolist() == now.ids[token, slot].tolist()
