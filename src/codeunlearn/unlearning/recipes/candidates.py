"""Codes that a round of the recommended recipe may delete: those that tell the topic from its controls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import DeletionMode, require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists
from codeunlearn.unlearning.evidence.counting import S_PRIMES
from codeunlearn.unlearning.evidence.counts import IntArray
from codeunlearn.unlearning.evidence.effects import near_words
from codeunlearn.unlearning.evidence.reading import CodeReader
from codeunlearn.unlearning.evidence.statistics import (
    Correction,
    FloatArray,
    adjust,
    discordance,
    fisher,
    group_difference,
    log_odds,
    mcnemar,
    risk_difference,
    sign_flip,
    smallest_fisher,
    smallest_mcnemar,
)

BOOTSTRAP_SAMPLES = 200
DEPTH = max(S_PRIMES)
"""Ranks of codes that are read where one list says what stands in for deleted ones."""


class Reading(NamedTuple):
    """The codes of sentences of the train pool, among which candidates are found.

    Attributes:
        topic: codes of the topic's sentences.
        controls: codes of their controls, one per draw.
        paired: whether control i of a draw belongs to sentence i.
        retained: codes of unrelated sentences.
        s: codes per token.
        mode: what happens to a slot whose code is deleted.
        near_topic: [T] which tokens of the topic's sentences are its own words or stand beside them (`near_words`); None for
            a topic given as sentences.
    """

    topic: CodeLists
    controls: Sequence[CodeLists]
    paired: bool
    retained: CodeLists
    s: int
    mode: DeletionMode
    near_topic: BoolArray | None = None


class CandidateOptions(Protocol):
    """What `find_candidates` goes by; `PathOptions` says what each is."""

    @property
    def alpha(self) -> float: ...

    @property
    def fdr(self) -> float: ...

    @property
    def correction(self) -> Correction: ...

    @property
    def min_effect(self) -> float: ...

    @property
    def candidates(self) -> int: ...


def read_codes(
    model: Any, tokenizer: PreTrainedTokenizerBase, sets: TopicSets, *, depth: int, mode: DeletionMode | None = None
) -> Reading:
    """Reads the sentences once.

    Args:
        depth: ranks of codes per token, where a deletion leaves the ranks as they are.
        mode: the model's own way when absent.

    Raises:
        CodeUnlearnError: there are no unrelated sentences.
    """
    if not sets.search_retain:
        raise CodeUnlearnError(
            "The recommended recipe needs unrelated sentences; build the sets with search_retain_size."
        )
    bottleneck = require_bottleneck(model)
    reader = CodeReader(model, tokenizer, depth if bottleneck.codebook.ranked else bottleneck.config.top_s)
    sources = [pair.prompt for pair in sets.search]
    return Reading(
        reader.read(sources),
        [reader.read(controls) for controls in sets.controls],
        sets.paired,
        reader.read([pair.prompt for pair in sets.search_retain]),
        bottleneck.config.top_s,
        mode or bottleneck.codebook.mode,
        near_words(reader.spans(sources), sources, sets.topic.words) if sets.topic.forms else None,
    )


class Candidates(NamedTuple):
    """M codes, those with the largest effect first; [M] each but ``tested``.

    Attributes:
        rows: rows of the codebook.
        topic: sentences of the topic that hold the code.
        control: the same of the controls of all draws.
        only_topic: pairs with the code on the topic's side only; None where sentences and controls are no pairs.
        only_control: pairs with it on the control's side only; None likewise.
        p: p-values.
        q: smallest false discovery rates at which they are candidates.
        effect: differences of the shares of sentences that hold them.
        effect_low: lower ends of the effects' 95 % intervals.
        effect_high: upper ends.
        z: z-scores of the log odds against the controls, shrunk towards unrelated text (`log_odds`).
        tested: number of codes that were tested.
    """

    rows: IntArray
    topic: IntArray
    control: IntArray
    only_topic: IntArray | None
    only_control: IntArray | None
    p: FloatArray
    q: FloatArray
    effect: FloatArray
    effect_low: FloatArray
    effect_high: FloatArray
    z: FloatArray
    tested: int

    def take(self, places: IntArray) -> Candidates:
        """These of them, in this order."""
        columns = (None if column is None else column[places] for column in self[:-1])
        return self._make([*columns, self.tested])


def find_candidates(reading: Reading, deleted: BoolArray, preset: CandidateOptions, seed: int) -> Candidates:
    """Codes that are significantly more frequent with the topic, those with the largest effect first.

    Args:
        deleted: [K] rows that are deleted already.
    """
    presence = _Presence(reading, deleted)
    evidence = presence.pairs() if reading.paired else None
    n, n_control = reading.topic.sentences, presence.n_control
    topic, control = presence.topic, presence.control
    smallest = smallest_fisher(topic + control, n, n_control) if evidence is None else evidence.smallest_p
    rows = np.flatnonzero(smallest <= preset.alpha)
    _, z = log_odds(topic, control / presence.draws, (presence.retained + 0.5) * n / reading.retained.sentences)
    topic, control, z = topic[rows], control[rows], z[rows]
    only_topic = only_control = None
    if evidence is None:
        p = fisher(topic, n, control, n_control)
        _, low, high = group_difference(topic, n, control, n_control)
    else:
        only_topic, only_control = evidence.only_topic[rows], evidence.only_control[rows]
        if presence.draws == 1:
            p = mcnemar(only_topic, only_control)
            _, low, high = risk_difference(only_topic, only_control, n)
        else:
            differences = presence.differences(rows)
            p = sign_flip(differences, seed=seed)
            _, low, high = risk_difference(*discordance(differences), n)
    q = adjust(p, preset.correction)
    effect = topic / n - control / n_control
    found = Candidates(rows, topic, control, only_topic, only_control, p, q, effect, low, high, z, len(rows))
    chosen = np.flatnonzero((q <= preset.fdr) & (effect >= preset.min_effect))
    return found.take(chosen[np.argsort(-effect[chosen], kind="stable")][: preset.candidates])


class _Pairs(NamedTuple):
    """[K] pairs of all draws with a code on one side only, and the smallest p-value of the test."""

    only_topic: IntArray
    only_control: IntArray
    smallest_p: FloatArray


class _Presence:
    """Which codes the sentences and their controls hold, with these rows deleted.

    Attributes:
        topic: [K] sentences of the topic.
        control: [K] controls of all draws.
        retained: [K] unrelated sentences.
        n_control: controls of all draws together.
    """

    def __init__(self, reading: Reading, deleted: BoolArray) -> None:
        s, mode = reading.s, reading.mode
        self._size, self._sentences = reading.topic.num_codes, reading.topic.sentences
        self._present, *self._controls = (
            lists.presence(lists.firing(deleted, s, mode)) for lists in (reading.topic, *reading.controls)
        )
        self.draws = len(self._controls)
        self.n_control = sum(lists.sentences for lists in reading.controls)
        self.topic, self.control = self._count(self._present), self._over_draws(self._controls)
        self.retained = self._count(reading.retained.presence(reading.retained.firing(deleted, s, mode)))

    def pairs(self) -> _Pairs:
        lost = [np.setdiff1d(self._present, keys, assume_unique=True) for keys in self._controls]
        gained = [np.setdiff1d(keys, self._present, assume_unique=True) for keys in self._controls]
        # Sentences, not pairs: however many controls a sentence has, it flips as a whole.
        discordant = self._count(np.unique(np.concatenate([*lost, *gained])))
        return _Pairs(self._over_draws(lost), self._over_draws(gained), smallest_mcnemar(discordant))

    def differences(self, rows: IntArray) -> FloatArray:
        """[N, M] presence with the topic minus its mean over the sentence's controls."""
        column = np.full(self._size, -1)
        column[rows] = np.arange(len(rows))
        found = np.zeros((self._sentences, len(rows)))
        weights = [1.0, *[-1.0 / self.draws] * self.draws]
        for keys, weight in zip((self._present, *self._controls), weights, strict=True):
            known = keys[column[keys % self._size] >= 0]
            found[known // self._size, column[known % self._size]] += weight
        return found

    def _count(self, keys: IntArray) -> IntArray:
        return np.bincount(keys % self._size, minlength=self._size)

    def _over_draws(self, keys: Iterable[IntArray]) -> IntArray:
        return sum(map(self._count, keys), np.zeros(self._size, np.int64))


def stability(reading: Reading, found: Candidates, deleted: BoolArray, generator: np.random.Generator) -> FloatArray:
    """Share of bootstrap samples of the sentences in which each candidate's test reaches the level of the weakest one, [M].

    Args:
        deleted: [K] the rows that were deleted when the candidates were found.
    """
    level = max(found.p.max(), 1e-300)
    n, size = reading.topic.sentences, (BOOTSTRAP_SAMPLES, len(found.rows))
    if found.only_topic is None or found.only_control is None:
        n_control = sum(lists.sentences for lists in reading.controls)
        topic = generator.binomial(n, found.topic / n, size)
        control = generator.binomial(n_control, found.control / n_control, size)
        return (fisher(topic, n, control, n_control) <= level).mean(0)
    if len(reading.controls) > 1:
        differences = _Presence(reading, deleted).differences(found.rows)
        drawn = differences[generator.integers(0, n, (BOOTSTRAP_SAMPLES, n))]
        flat = drawn.transpose(1, 0, 2).reshape(n, -1)
        p = sign_flip(flat, seed=int(generator.integers(2**32)))
        return (p.reshape(size) <= level).mean(0)
    b, c = found.only_topic, found.only_control
    shares = np.stack([b, c, n - b - c], axis=1) / n
    drawn = generator.multinomial(n, np.repeat(shares[None], BOOTSTRAP_SAMPLES, axis=0))
    return (mcnemar(drawn[..., 0], drawn[..., 1]) <= level).mean(0)
