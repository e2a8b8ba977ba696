"""In which order the sentences of a text are read, where its rare words count as much as its common ones.

Half of the tokens come from random sentences. The other half come from sentences that hold pieces of the vocabulary of which few
have been read so far: most first, by lazy greedy choice (Minoux 1978). All others follow, for whoever needs more.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

ENOUGH = 8
"""A piece that was read so often needs no further sentence."""


def covering(rows: Sequence[Sequence[int]], tokens: int) -> list[int]:
    """The place of every sentence, in the order in which they are read.

    Args:
        rows: ids of the pieces of each sentence, in random order.
        tokens: about how many are read.
    """
    chosen, count = _first(rows, tokens // 2)
    left = tokens - count.total()
    waiting = [(-_gain(row, count), place) for place, row in enumerate(rows[len(chosen) :], len(chosen)) if row]
    heapq.heapify(waiting)
    while waiting and left > 0:
        _, place = heapq.heappop(waiting)
        gain = _gain(rows[place], count)
        if waiting and gain < -waiting[0][0]:
            heapq.heappush(waiting, (-gain, place))
            continue
        chosen.append(place)
        count.update(rows[place])
        left -= len(rows[place])
    return [*chosen, *sorted(set(range(len(rows))) - set(chosen))]


def _first(rows: Sequence[Sequence[int]], tokens: int) -> tuple[list[int], Counter[int]]:
    chosen, count, found = list[int](), Counter[int](), 0
    for place, row in enumerate(rows):
        if found >= tokens:
            break
        chosen.append(place)
        count.update(row)
        found += len(row)
    return chosen, count


def _gain(row: Sequence[int], count: Counter[int]) -> float:
    """Share of a sentence's tokens that are pieces of which too few have been read, each once."""
    return sum(count[piece] < ENOUGH for piece in set(row)) / len(row)
