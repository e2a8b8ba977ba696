"""In which order sentences are read: half at random, half for the sake of rare words."""

from __future__ import annotations

import random
from collections import Counter

from codeunlearn.training.covering import ENOUGH, covering

COMMON, RARE = range(10), range(10, 60)


def rows() -> list[list[int]]:
    """4,000 sentences of six common pieces; every tenth holds a rare one in place of the last."""
    draw = random.Random(0)
    found = [draw.choices(COMMON, k=6) for _ in range(4000)]
    for number in range(400):
        found[10 * number][-1] = RARE[number % len(RARE)]
    draw.shuffle(found)
    return found


def test_rare_pieces_are_read_as_often_as_is_enough_where_random_sentences_hardly_hold_them() -> None:
    given = rows()
    chosen = covering(given, 4800)[:800]
    read, at_random = (
        Counter(piece for row in some for piece in row) for some in ((given[i] for i in chosen), given[:800])
    )
    assert min(at_random[piece] for piece in RARE) < ENOUGH - 4
    assert min(read[piece] for piece in RARE) >= ENOUGH


def test_half_of_the_tokens_are_random_and_what_is_not_wanted_follows() -> None:
    chosen = covering(rows(), 4800)
    assert chosen[:400] == list(range(400))
    assert chosen[800:] == sorted(chosen[800:])
    assert sorted(chosen) == list(range(4000)), "none is read twice and none is left out"


def test_a_text_that_is_too_short_is_read_whole() -> None:
    assert sorted(covering(rows(), 10**6)) == list(range(4000))
    assert covering([], 100) == []
