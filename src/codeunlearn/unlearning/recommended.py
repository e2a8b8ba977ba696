"""The recommended recipe: codes that tell the topic from its controls, deleted in the order of what they do.

Round by round, with the codes that are deleted so far out of the way:

1. Candidates: codes that the tokens of the topic's sentences would select now, more often than those of the controls
   (paired exact test, false discovery rate, smallest effect). What would take over the work of a deleted code is among
   them as soon as it does.
2. For each candidate, what deleting it as well would do: to the probability of the topic's words in the references of the
   topic's sentences, and to the references of unrelated sentences that select it.
3. The candidates with the best balance of the two are deleted.

It ends when the topic's words have lost their probability, or no candidate is worth its price. No gradient is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from codeunlearn.codebook import DeletionMode
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.code_lists import BoolArray, CodeLists
from codeunlearn.unlearning.counts import IntArray
from codeunlearn.unlearning.deletion_effects import Deletion, DeletionEffects
from codeunlearn.unlearning.statistics import (
    Correction,
    FloatArray,
    adjust,
    fisher,
    mcnemar,
    risk_difference,
    sign_flip,
    smallest_p,
)


@dataclass(frozen=True)
class RecommendedPreset:
    """Options of the recipe.

    Attributes:
        alpha: a code whose smallest possible p-value exceeds this is not tested.
        fdr: false discovery rate among the candidates of a round.
        correction: ``bh`` or ``by``, see `adjust`.
        min_effect: smallest difference of the shares of sentences that hold a candidate.
        retain_weight: what the loss of one nat per unrelated sentence weighs against the whole topic.
        topic_left: done when the topic's words have kept this share of their probability.
        min_gain: a candidate that takes less than this share of it, after its price, is not worth deleting.
        max_codes: most codes to delete; None for no bound.
        candidates: most candidates that are tried in a round, those with the largest effect.
        codes_per_round: most codes that are deleted before the others are tried again.
        topic_sentences: topic sentences on which deletions are tried.
        retained_sentences: unrelated sentences on which each candidate is tried.
        mode: what happens to the slot of a deleted code; the model's own way unless given.
    """

    name: ClassVar[str] = "recommended"
    alpha: float = 0.05
    fdr: float = 0.05
    correction: Correction = "bh"
    min_effect: float = 0.01
    retain_weight: float = 1.0
    topic_left: float = 0.02
    min_gain: float = 0.0005
    max_codes: int | None = None
    candidates: int = 40
    codes_per_round: int = 6
    topic_sentences: int = 96
    retained_sentences: int = 16
    mode: DeletionMode | None = None

    def __post_init__(self) -> None:
        for name in ("alpha", "fdr"):
            if not 0 < getattr(self, name) <= 1:
                raise CodeUnlearnError(f"{name} must be above 0 and at most 1; got {getattr(self, name)}.")
        for name in ("candidates", "codes_per_round", "topic_sentences", "retained_sentences", "max_codes"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise CodeUnlearnError(f"{name} must be at least 1, not {number}.")


class Material(NamedTuple):
    """What the recipe reads: sentences of the train pool, their codes and their references.

    Attributes:
        topic: codes of the topic's sentences.
        controls: codes of their controls, one per draw.
        paired: whether control i of a draw belongs to sentence i.
        topic_effects: deletions tried on the topic's sentences.
        retained: codes of unrelated sentences.
        retained_effects: deletions tried on these.
    """

    topic: CodeLists
    controls: Sequence[CodeLists]
    paired: bool
    topic_effects: DeletionEffects
    retained: CodeLists
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
        only_topic: pairs with the code on the topic's side only.
        only_control: pairs with it on the control's side only.
        p: p-value of the test.
        q: smallest false discovery rate at which it is a candidate.
        effect: difference of the shares of sentences that hold it.
        effect_low: lower end of the effect's 95 % interval.
        effect_high: upper end.
        topic_gain: share of the topic words' probability that deleting it takes on top of the earlier rounds.
        retain_cost: nats that an unrelated sentence loses by it, on average over all of them.
        topic_left: share of the topic words' probability before its round.
        stability: share of bootstrap samples of the sentences in which it passes the test again.
    """

    row: int
    round: int
    topic: int
    control: int
    tokens: tuple[tuple[int, int], ...]
    only_topic: int
    only_control: int
    p: float
    q: float
    effect: float
    effect_low: float
    effect_high: float
    topic_gain: float
    retain_cost: float
    topic_left: float
    stability: float


@dataclass(frozen=True)
class Path:
    """Codes in the order of deletion: every beginning of it is a forget set of its own.

    Attributes:
        choices: the codes.
        topic_left: share of the topic words' probability that is left when all are deleted.
        tested: codes that were tested in the first round.
    """

    choices: tuple[Choice, ...]
    topic_left: float
    tested: int


class _Candidates(NamedTuple):
    rows: IntArray
    topic: IntArray
    control: IntArray
    only_topic: IntArray
    only_control: IntArray
    p: FloatArray
    q: FloatArray
    tested: int


BOOTSTRAP_SAMPLES = 200


def find_path(
    material: Material,
    preset: RecommendedPreset,
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Path:
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
    deleted = np.zeros(material.topic.num_codes, bool)
    whole = [Deletion(sentence, None) for sentence in probes]
    at_first = np.exp(material.topic_effects.log_probabilities(whole, deleted))
    retained = _Costs(material, preset.retained_sentences, generator)
    left, choices, tested = 1.0, list[Choice](), 0
    for number in range(1, material.topic.num_codes + 1):
        found = _candidates(material, deleted, preset, seed)
        tested = tested or found.tested
        now = np.exp(material.topic_effects.log_probabilities(whole, deleted))
        left = float(now.sum() / at_first.sum())
        if progress is not None:
            progress(left)
        room = len(found.rows) if preset.max_codes is None else preset.max_codes - len(choices)
        if left <= preset.topic_left or not len(found.rows) or room < 1:
            break
        gains = _gains(material, found.rows, deleted, dict(zip(probes, now, strict=True))) / at_first.sum()
        costs = retained.of(found.rows, deleted)
        values = gains - preset.retain_weight * costs
        best = _worth_it(values, preset)[:room]
        if not best:
            break
        stable = _stability(found, material.topic.sentences, generator)
        firing = material.topic.firing(
            deleted, material.topic_effects.bottleneck.config.top_s, material.topic_effects.mode
        )
        for i in best:
            tokens = material.topic.token_ids[firing.token[firing.row == found.rows[i]]]
            choices.append(_choice(found, i, number, material, tokens, gains, costs, left, stable))
        deleted[found.rows[best]] = True
    return Path(tuple(choices), left, tested)


def _worth_it(values: FloatArray, preset: RecommendedPreset) -> list[int]:
    """Candidates to delete now: where the best stands out, the others are tried again without it."""
    best = [int(i) for i in np.argsort(-values)[: preset.codes_per_round] if values[i] >= preset.min_gain]
    return [i for i in best if values[i] >= values[best[0]] / 3]


def _candidates(material: Material, deleted: BoolArray, preset: RecommendedPreset, seed: int) -> _Candidates:
    """Codes that are significantly more frequent with the topic, those with the largest effect first."""
    s = material.topic_effects.bottleneck.config.top_s
    mode = material.topic_effects.mode
    present, *controls = (
        lists.presence(lists.firing(deleted, s, mode)) for lists in (material.topic, *material.controls)
    )
    size, draws = material.topic.num_codes, len(controls)

    def count(keys: IntArray) -> IntArray:
        return np.bincount(keys % size, minlength=size)

    def over_draws(counted: Iterable[IntArray]) -> IntArray:
        return sum(counted, np.zeros(size, np.int64))

    only_topic = over_draws(count(np.setdiff1d(present, keys, assume_unique=True)) for keys in controls)
    only_control = over_draws(count(np.setdiff1d(keys, present, assume_unique=True)) for keys in controls)
    rows = np.flatnonzero(smallest_p(only_topic, only_control) <= preset.alpha)
    topic, control, only_topic, only_control = (
        counted[rows] for counted in (count(present), over_draws(map(count, controls)), only_topic, only_control)
    )
    n = material.topic.sentences
    if not material.paired:
        p = fisher(topic, n, control, n * draws)
    elif draws == 1:
        p = mcnemar(only_topic, only_control)
    else:
        p = sign_flip(_differences(material, present, controls, rows), seed=seed)
    q = adjust(p, preset.correction)
    effect = topic / n - control / (n * draws)
    chosen = np.flatnonzero((q <= preset.fdr) & (effect >= preset.min_effect))
    chosen = chosen[np.argsort(-effect[chosen], kind="stable")][: preset.candidates]
    return _Candidates(
        rows[chosen],
        topic[chosen],
        control[chosen],
        only_topic[chosen],
        only_control[chosen],
        p[chosen],
        q[chosen],
        len(rows),
    )


def _differences(material: Material, present: IntArray, controls: Sequence[IntArray], rows: IntArray) -> FloatArray:
    """[N, M] presence with the topic minus its mean over the sentence's controls."""
    size = material.topic.num_codes
    column = np.full(size, -1)
    column[rows] = np.arange(len(rows))
    found = np.zeros((material.topic.sentences, len(rows)))
    for keys, weight in ((present, 1.0), *((control, -1.0 / len(controls)) for control in controls)):
        known = keys[column[keys % size] >= 0]
        found[known // size, column[known % size]] += weight
    return found


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


def _stability(found: _Candidates, pairs: int, generator: np.random.Generator) -> FloatArray:
    """Share of bootstrap samples in which each candidate's McNemar test reaches the level that made the weakest one pass."""
    level = max(found.p.max(), 1e-300)
    b, c = found.only_topic, found.only_control
    shares = np.stack([b, c, np.maximum(pairs - b - c, 0)], axis=1)
    shares = shares / shares.sum(1, keepdims=True)
    drawn = generator.multinomial(pairs, np.repeat(shares[None], BOOTSTRAP_SAMPLES, axis=0))
    return (mcnemar(drawn[..., 0], drawn[..., 1]) <= level).mean(0)


def _choice(
    found: _Candidates,
    i: int,
    number: int,
    material: Material,
    tokens: IntArray,
    gains: FloatArray,
    costs: FloatArray,
    left: float,
    stable: FloatArray,
) -> Choice:
    pairs = material.topic.sentences * len(material.controls)
    effect, low, high = risk_difference(found.only_topic[i : i + 1], found.only_control[i : i + 1], pairs)
    return Choice(
        row=int(found.rows[i]),
        round=number,
        topic=int(found.topic[i]),
        control=int(found.control[i]),
        tokens=tuple(Counter(tokens.tolist()).most_common(5)),
        only_topic=int(found.only_topic[i]),
        only_control=int(found.only_control[i]),
        p=float(found.p[i]),
        q=float(found.q[i]),
        effect=float(effect[0]),
        effect_low=float(low[0]),
        effect_high=float(high[0]),
        topic_gain=float(gains[i]),
        retain_cost=float(costs[i]),
        topic_left=left,
        stability=float(stable[i]),
    )
