"""The frozen counts of a pass over a topic's sentences and their controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import Index

IntArray = NDArray[np.int64]
TopTokens = tuple[tuple[str, Index], ...]


class TokenCounts(NamedTuple):
    """How many tokens of D_T fire each code, by token id; one entry per (level, row, token), [M] each.

    Attributes:
        level: index into ``s_primes`` of the smallest S' at which these tokens fire the code.
        row: row of the codebook.
        token: token id.
        number: tokens.
    """

    level: IntArray
    row: IntArray
    token: IntArray
    number: IntArray


class PairedTable(NamedTuple):
    """Sentence pairs by where a code is present, [K] each; the others have it on neither side."""

    only_topic: IntArray
    only_control: IntArray
    both: IntArray


@dataclass(frozen=True, eq=False)
class CodeCounts:
    """Counts of K codes at P values of S'.

    Attributes:
        s_primes: [P] ascending.
        code_ids: [K] id of each row of the codebook that was read.
        sentences_topic: [P, K] topic sentences in which the code is among the top S' of at least one token.
        sentences_control: [P, K] the same for the control sentences of all draws.
        both: [P, K] pairs in which the code is present on both sides; zero when nothing was paired.
        tokens_topic: [P, K] tokens of D_T for which the code is among the top S'.
        tokens_control: [P, K] the same for the controls.
        n_topic: sentences of D_T.
        n_control: control sentences of all draws.
        n_pairs: pairs of a topic sentence and one of its controls; draws x ``n_topic``, or zero.
        n_topic_tokens: tokens of D_T, end marks included and padding not.
        n_control_tokens: tokens of all draws of the controls.
        fired: which tokens of D_T fire each code.
        token_names: text of the token ids in ``fired``.
    """

    s_primes: tuple[int, ...]
    code_ids: IntArray
    sentences_topic: IntArray
    sentences_control: IntArray
    both: IntArray
    tokens_topic: IntArray
    tokens_control: IntArray
    n_topic: int
    n_control: int
    n_pairs: int
    n_topic_tokens: int
    n_control_tokens: int
    fired: TokenCounts
    token_names: dict[int, str]

    @property
    def paired(self) -> bool:
        """Whether every sentence was counted as part of a pair, so that `paired_table` is defined."""
        return 0 < self.n_pairs == self.n_control

    @property
    def draws(self) -> int:
        """How many controls each topic sentence has; 1 when the groups are not paired."""
        return self.n_pairs // self.n_topic if self.paired else 1

    def level(self, s_prime: int) -> int:
        """Index of an S' in the arrays.

        Raises:
            CodeUnlearnError: that S' was not counted.
        """
        if s_prime not in self.s_primes:
            counted = ", ".join(map(str, self.s_primes))
            raise CodeUnlearnError(f"S' = {s_prime} was not counted; the counts hold S' = {counted}.")
        return self.s_primes.index(s_prime)

    def paired_table(self, s_prime: int) -> PairedTable:
        """Pairs by presence of each code, summed over draws.

        With one draw these are the counts of McNemar's table. With several, the pairs of one sentence depend
        on each other and a test must allow for it.

        Raises:
            CodeUnlearnError: the sentences were not counted in pairs.
        """
        if not self.paired:
            raise CodeUnlearnError("The sentences were not counted in pairs; count them again with paired=True.")
        at = self.level(s_prime)
        both = self.both[at]
        only_topic = self.draws * self.sentences_topic[at] - both
        only_control = self.sentences_control[at] - both
        return PairedTable(only_topic, only_control, both)

    def top_tokens(self, s_prime: int, limit: int = 5) -> dict[int, TopTokens]:
        """By code id, the tokens of D_T that most often have it among their top S', most frequent first."""
        at_or_below = self.fired.level <= self.level(s_prime)
        row, token, number = (column[at_or_below] for column in self.fired[1:])
        width = max(self.token_names, default=0) + 1
        keys, position = np.unique(row * width + token, return_inverse=True)
        totals = np.bincount(position, weights=number, minlength=len(keys)).astype(np.int64)
        order = np.lexsort((keys, -totals, keys // width))
        best: dict[int, list[tuple[str, int]]] = {}
        for key, total in zip(keys[order].tolist(), totals[order].tolist(), strict=True):
            of_code = best.setdefault(int(self.code_ids[key // width]), [])
            if len(of_code) < limit:
                of_code.append((self.token_names[key % width], total))
        return {code: tuple(of_code) for code, of_code in best.items()}
