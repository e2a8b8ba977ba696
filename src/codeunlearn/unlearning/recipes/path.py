"""The path of deletions: codes that tell the topic from its controls, deleted in the order of what they do.

Round by round, with the codes that are deleted so far out of the way:

1. Candidates: codes that the tokens of the topic's sentences would select now, more often than those of the controls
   (paired exact test, false discovery rate, smallest effect). What would take over the work of a deleted code is among
   them as soon as it does.
2. For each candidate, what deleting it as well would do: to the probability of the topic's words in the references of the
   topic's sentences, and to the references of unrelated sentences that select it.
3. The candidates with the best balance of the two are deleted. Where a topic is held by several codes at once, deleting any
   one of them does nothing: if no candidate is worth its price alone, those go that could take most, until it shows.

It ends when the topic's words have lost their probability, or several rounds brought nothing; what these deleted is taken
back. No gradient is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.code_lists import BoolArray
from codeunlearn.unlearning.evidence.counts import IntArray
from codeunlearn.unlearning.evidence.effects import Deletion, DeletionEffects
from codeunlearn.unlearning.evidence.statistics import FloatArray, paired_odds_ratio
from codeunlearn.unlearning.recipes.candidates import Candidates, Reading, find_candidates, stability
from codeunlearn.unlearning.recipes.path_options import PathOptions


class Material(NamedTuple):
    """What the path is found in.

    Attributes:
        reading: the codes.
        topic_effects: deletions tried on the topic's sentences.
        retained_effects: deletions tried on unrelated ones.
    """

    reading: Reading
    topic_effects: DeletionEffects
    retained_effects: DeletionEffects


@dataclass(frozen=True)
class Choice:
    """One code of the path, in the order of deletion.

    Attributes:
        row: row of the codebook.
        round: in which it was chosen, from 1.
        topic: sentences of the topic that hold the code, with all earlier rounds' codes deleted.
        control: the same of the controls of all draws.
        tokens: token ids that most often select it in the topic's sentences, with their numbers.
        p: p-value of the test.
        q: smallest false discovery rate at which it is a candidate.
        effect: difference of the shares of sentences that hold it.
        effect_low: lower end of the effect's 95 % interval.
        effect_high: upper end.
        topic_gain: share of the topic words' probability that deleting it takes on top of the earlier rounds.
        retain_cost: nats that an unrelated sentence loses by it, on average over all of them.
        topic_left: share of the topic words' probability before its round.
        stability: share of bootstrap samples of the sentences in which it passes the test again.
        odds_ratio: odds that a pair with the code on one side only has it on the topic's (`paired_odds_ratio`); None where
            there are no pairs.
        z: of the log odds, shrunk towards unrelated text.
        alignment: share of its tokens in the topic's sentences that are the topic's words or stand beside them.
    """

    row: int
    round: int
    topic: int
    control: int
    tokens: tuple[tuple[int, int], ...]
    p: float
    q: float
    effect: float
    effect_low: float
    effect_high: float
    topic_gain: float
    retain_cost: float
    topic_left: float
    stability: float
    odds_ratio: float | None
    z: float
    alignment: float | None


@dataclass(frozen=True)
class DeletionPath:
    """Codes in the order of deletion: every beginning of it is a forget set of its own.

    Attributes:
        choices: the codes.
        topic_left: share of the topic words' probability that is left when all are deleted.
        tested: codes that were tested in the first round.
    """

    choices: tuple[Choice, ...]
    topic_left: float
    tested: int


def find_path(
    material: Material,
    preset: PathOptions,
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> DeletionPath:
    """The codes to delete and their order.

    Args:
        progress: called after every round with the share of the topic words' probability that is left.

    Raises:
        CodeUnlearnError: no reference of the topic's sentences holds a word of the topic.
    """
    usable = material.topic_effects.usable()
    if not usable:
        raise CodeUnlearnError(
            "No translation of the topic's sentences holds a target word of the topic; give others: --target-words."
        )
    generator = np.random.default_rng(seed)
    probes = sorted(generator.permutation(usable)[: preset.topic_sentences].tolist())
    deleted = np.zeros(material.reading.topic.num_codes, bool)
    whole = [Deletion(sentence, None) for sentence in probes]
    at_first = np.exp(material.topic_effects.log_probabilities(whole, deleted))
    retained = _Costs(material, preset.retained_sentences, generator)
    choices, tested, progressed = list[Choice](), 0, _Progress(preset)
    for number in range(1, material.reading.topic.num_codes + 1):
        found = find_candidates(material.reading, deleted, preset, seed)
        tested = tested or found.tested
        now = np.exp(material.topic_effects.log_probabilities(whole, deleted))
        left = float(now.sum() / at_first.sum())
        progressed.note(left, choices)
        if progress is not None:
            progress(left)
        room = len(found.rows) if preset.max_codes is None else preset.max_codes - len(choices)
        if left <= preset.topic_left or not len(found.rows) or room < 1 or progressed.stopped:
            break
        before = dict(zip(probes, now, strict=True))
        found, gains, costs, best = _choose(material, found, deleted, before, float(at_first.sum()), retained, preset)
        if not best:
            break
        best = best[:room]
        stable = stability(material.reading, found, deleted, generator)
        firing = material.reading.topic.firing(deleted, material.reading.s, material.reading.mode)
        for i in best:
            places = firing.token[firing.row == found.rows[i]]
            choices.append(_choice(found, i, number, material, places, gains, costs, left, stable))
        deleted[found.rows[best]] = True
    return DeletionPath(tuple(choices[: progressed.codes]), progressed.left, tested)


class _Progress:
    """How far the path has come, and which beginning of it was best: topic and price weighed against each other."""

    def __init__(self, preset: PathOptions) -> None:
        self._preset, self._best, self._idle = preset, float("inf"), 0
        self.left, self.codes = 1.0, 0

    def note(self, left: float, choices: Sequence[Choice]) -> None:
        """Before a round: the share of the topic that is left, and all codes that are deleted."""
        balance = left + self._preset.retain_weight * sum(choice.retain_cost for choice in choices)
        self._idle = 0 if balance <= self._best - self._preset.min_progress else self._idle + 1
        if not self._idle:
            self._best, self.left, self.codes = balance, left, len(choices)

    @property
    def stopped(self) -> bool:
        return self._idle >= self._preset.patience


def _choose(
    material: Material,
    found: Candidates,
    deleted: BoolArray,
    before: dict[int, float],
    at_first: float,
    retained: _Costs,
    preset: PathOptions,
) -> tuple[Candidates, FloatArray, FloatArray, list[int]]:
    """Candidates that were tried on all sentences, their gains and costs, and the places of those to delete now."""

    def weigh(some: Candidates) -> tuple[FloatArray, FloatArray]:
        gains = _gains(material, some.rows, deleted, before) / at_first
        return gains, retained.of(some.rows, deleted)

    tried = found.take(_finalists(material, found.rows, deleted, before, preset))
    gains, costs = weigh(tried)
    best = _worth_it(gains - preset.retain_weight * costs, preset)
    if not best:
        if len(tried.rows) < len(found.rows):
            tried = found.take(np.arange(len(tried.rows)))  # the largest effects
            gains, costs = weigh(tried)
        # None takes anything alone, so those go that could take most for their price.
        left = sum(before.values()) / at_first
        best = _best(left * tried.effect - preset.retain_weight * costs, preset)
    return tried, gains, costs, best


def _worth_it(values: FloatArray, preset: PathOptions) -> list[int]:
    """Candidates to delete for what they take: where the best stands out, the others are tried again without it."""
    best = _best(values, preset)
    return [i for i in best if values[i] >= values[best[0]] / 3]


def _best(values: FloatArray, preset: PathOptions) -> list[int]:
    return [int(i) for i in np.argsort(-values)[: preset.codes_per_round] if values[i] >= preset.min_gain]


def _finalists(
    material: Material, rows: IntArray, deleted: BoolArray, now: dict[int, float], preset: PathOptions
) -> IntArray:
    """Places of the candidates that take most on a few of the sentences; only these are tried on all."""
    if len(rows) <= preset.finalists:
        return np.arange(len(rows))
    sentences = list(now)
    few = sentences[:: max(1, len(sentences) // preset.screening_sentences)]
    gains = _gains(material, rows, deleted, {sentence: now[sentence] for sentence in few})
    return np.sort(np.argsort(-gains, kind="stable")[: preset.finalists])


def _gains(material: Material, rows: IntArray, deleted: BoolArray, now: dict[int, float]) -> FloatArray:
    """Probability of the topic's words that each deletion takes, summed over the sentences, [M]."""
    effects = material.topic_effects
    tries = [one for one in _affected(effects, rows, deleted) if one.sentence in now]
    after = np.exp(effects.log_probabilities(tries, deleted))
    place = {row: i for i, row in enumerate(rows.tolist())}
    gains = np.zeros(len(rows))
    for one, probability in zip(tries, after, strict=True):
        assert one.row is not None
        gains[place[one.row]] += now[one.sentence] - probability
    return gains


class _Costs:
    """Nats that an unrelated sentence loses by deleting a code, on average over all of them; never below 0.

    A code is tried once, in the round in which it is first a candidate: other topics' text hardly notices what has been
    deleted meanwhile.
    """

    def __init__(self, material: Material, most: int, generator: np.random.Generator) -> None:
        self._effects, self._most, self._generator = material.retained_effects, most, generator
        self._known: dict[int, float] = {}

    def of(self, rows: IntArray, deleted: BoolArray) -> FloatArray:
        """[M] for these rows, with these others deleted."""
        new = [row for row in rows.tolist() if row not in self._known]
        self._known |= dict(zip(new, self._measure(new, deleted), strict=True))
        return np.array([self._known[row] for row in rows.tolist()])

    def _measure(self, rows: Sequence[int], deleted: BoolArray) -> list[float]:
        by_row: dict[int, list[Deletion]] = {row: [] for row in rows}
        for one in _affected(self._effects, np.array(rows), deleted):
            assert one.row is not None
            by_row[one.row].append(one)
        tries = [[found[i] for i in self._generator.permutation(len(found))[: self._most]] for found in by_row.values()]
        flat = [one for some in tries for one in some]
        whole = sorted({one.sentence for one in flat})
        before = self._effects.log_probabilities([Deletion(sentence, None) for sentence in whole], deleted)
        known = dict(zip(whole, before, strict=True))
        lost = iter(
            known[one.sentence] - after
            for one, after in zip(flat, self._effects.log_probabilities(flat, deleted), strict=True)
        )
        means = [sum(next(lost) for _ in some) / max(1, len(some)) for some in tries]
        shares = [len(found) / self._effects.lists.sentences for found in by_row.values()]
        return [max(0.0, mean) * share for mean, share in zip(means, shares, strict=True)]


def _affected(effects: DeletionEffects, rows: IntArray, deleted: BoolArray) -> list[Deletion]:
    """Every sentence with every one of these rows that a token of it selects."""
    lists = effects.lists
    keys = lists.presence(lists.firing(deleted, effects.bottleneck.config.top_s, effects.mode))
    keys = keys[np.isin(keys % lists.num_codes, rows)]
    return [
        Deletion(*pair)
        for pair in zip((keys // lists.num_codes).tolist(), (keys % lists.num_codes).tolist(), strict=True)
    ]


def _choice(
    found: Candidates,
    i: int,
    number: int,
    material: Material,
    places: IntArray,
    gains: FloatArray,
    costs: FloatArray,
    left: float,
    stable: FloatArray,
) -> Choice:
    odds = None
    if found.only_topic is not None and found.only_control is not None:
        odds = float(paired_odds_ratio(found.only_topic[i : i + 1], found.only_control[i : i + 1])[0])
    return Choice(
        row=int(found.rows[i]),
        round=number,
        topic=int(found.topic[i]),
        control=int(found.control[i]),
        tokens=tuple(Counter(material.reading.topic.token_ids[places].tolist()).most_common(5)),
        p=float(found.p[i]),
        q=float(found.q[i]),
        effect=float(found.effect[i]),
        effect_low=float(found.effect_low[i]),
        effect_high=float(found.effect_high[i]),
        topic_gain=float(gains[i]),
        retain_cost=float(costs[i]),
        topic_left=left,
        stability=float(stable[i]),
        odds_ratio=odds,
        z=float(found.z[i]),
        alignment=None if material.reading.near_topic is None else float(material.reading.near_topic[places].mean()),
    )
