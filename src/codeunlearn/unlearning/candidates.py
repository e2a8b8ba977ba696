"""Codes that a round of the recommended recipe may delete: those that tell the topic from its controls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from codeunlearn.unlearning.code_lists import BoolArray, CodeLists
from codeunlearn.unlearning.counts import IntArray
from codeunlearn.unlearning.deletion_effects import DeletionEffects
from codeunlearn.unlearning.selection import RecommendedPreset
from codeunlearn.unlearning.statistics import FloatArray, adjust, fisher, log_odds, mcnemar, sign_flip, smallest_p

BOOTSTRAP_SAMPLES = 200


class Material(NamedTuple):
    """What the recipe reads: sentences of the train pool, their codes and their references.

    Attributes:
        topic: codes of the topic's sentences.
        controls: codes of their controls, one per draw.
        paired: whether control i of a draw belongs to sentence i.
        topic_effects: deletions tried on the topic's sentences.
        retained: codes of unrelated sentences.
        retained_effects: deletions tried on these.
        near_topic: [T] which tokens of the topic's sentences are its own words or stand beside them (`near_words`); None for
            a topic given as sentences.
    """

    topic: CodeLists
    controls: Sequence[CodeLists]
    paired: bool
    topic_effects: DeletionEffects
    retained: CodeLists
    retained_effects: DeletionEffects
    near_topic: BoolArray | None = None


class Candidates(NamedTuple):
    """M codes, those with the largest effect first; [M] each but ``tested``.

    Attributes:
        rows: rows of the codebook.
        topic: sentences of the topic that hold the code.
        control: the same of the controls of all draws.
        only_topic: pairs with the code on the topic's side only.
        only_control: pairs with it on the control's side only.
        p: p-values.
        q: smallest false discovery rates at which they are candidates.
        effect: differences of the shares of sentences that hold them.
        z: z-scores of the log odds against the controls, shrunk towards unrelated text (`log_odds`).
        tested: number of codes that were tested.
    """

    rows: IntArray
    topic: IntArray
    control: IntArray
    only_topic: IntArray
    only_control: IntArray
    p: FloatArray
    q: FloatArray
    effect: FloatArray
    z: FloatArray
    tested: int

    def take(self, places: IntArray) -> Candidates:
        """These of them, in this order."""
        columns = (column[places] for column in self[:-1])
        return self._make([*columns, self.tested])


def find_candidates(material: Material, deleted: BoolArray, preset: RecommendedPreset, seed: int) -> Candidates:
    """Codes that are significantly more frequent with the topic, those with the largest effect first.

    Args:
        deleted: [K] rows that are deleted already.
    """
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
    topic, control = count(present), over_draws(map(count, controls))
    n = material.topic.sentences
    retained = count(material.retained.presence(material.retained.firing(deleted, s, mode)))
    _, z = log_odds(topic, control / draws, (retained + 0.5) * n / material.retained.sentences)
    topic, control, only_topic, only_control = (counted[rows] for counted in (topic, control, only_topic, only_control))
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
    return Candidates(
        rows[chosen],
        topic[chosen],
        control[chosen],
        only_topic[chosen],
        only_control[chosen],
        p[chosen],
        q[chosen],
        effect[chosen],
        z[rows[chosen]],
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


def stability(found: Candidates, pairs: int, generator: np.random.Generator) -> FloatArray:
    """Share of bootstrap samples in which each candidate's McNemar test reaches the level that made the weakest one pass."""
    level = max(found.p.max(), 1e-300)
    b, c = found.only_topic, found.only_control
    shares = np.stack([b, c, np.maximum(pairs - b - c, 0)], axis=1)
    shares = shares / shares.sum(1, keepdims=True)
    drawn = generator.multinomial(pairs, np.repeat(shares[None], BOOTSTRAP_SAMPLES, axis=0))
    return (mcnemar(drawn[..., 0], drawn[..., 1]) <= level).mean(0)
