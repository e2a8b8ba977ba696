"""What a code's evidence says of pairs, of sentences with several controls, and of groups that are no pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists
from codeunlearn.unlearning.evidence.statistics import fisher, mcnemar, sign_flip
from codeunlearn.unlearning.recipes.candidates import Candidates, Reading, find_candidates, stability
from codeunlearn.unlearning.recipes.recommended import Recommended

CODES, SENTENCES = 12, 60
NOTHING = np.zeros(CODES, bool)
PRESET = Recommended(fdr=1.0, min_effect=0.05)


def lists(presence: BoolArray) -> CodeLists:
    """Sentences that hold just these codes, a token for each, and one more code that all of them hold."""
    padded = np.concatenate([presence, np.ones((len(presence), 1), bool)], axis=1)
    sentence, code = padded.nonzero()
    return CodeLists(code[:, None].astype(np.int32), sentence, np.zeros(len(code), np.int64), len(presence), CODES)


def material(topic: BoolArray, controls: list[BoolArray], *, paired: bool = True) -> Reading:
    return Reading(lists(topic), [lists(one) for one in controls], paired, lists(topic), 1, "refill")


@pytest.fixture
def present() -> tuple[BoolArray, BoolArray]:
    """Of eleven codes, in topic sentences and in their controls: most are on both sides, some more often with the topic."""
    generator = np.random.default_rng(0)
    context = generator.random((SENTENCES, CODES - 1)) < 0.3
    added = generator.random((SENTENCES, CODES - 1)) < np.linspace(0, 0.3, CODES - 1)
    lost = generator.random((SENTENCES, CODES - 1)) < 0.05
    return context | added, context & ~lost


def find(of: Reading) -> tuple[Candidates, Any]:
    found = find_candidates(of, NOTHING, PRESET, 0)
    return found, stability(of, found, NOTHING, np.random.default_rng(1))


def test_the_same_control_three_times_is_no_more_evidence_than_once(present: tuple[BoolArray, BoolArray]) -> None:
    topic, control = present
    (once, once_stable), (thrice, thrice_stable) = (find(material(topic, [control] * draws)) for draws in (1, 3))
    assert set(once.rows) == set(thrice.rows)
    assert once.tested == thrice.tested
    thrice = thrice.take(np.argsort(thrice.rows)[np.argsort(np.argsort(once.rows))])
    np.testing.assert_allclose(thrice.p, once.p, atol=0.02)
    for name in ("effect", "effect_low", "effect_high"):
        np.testing.assert_allclose(getattr(thrice, name), getattr(once, name))
    assert 0.2 < once_stable.min() < 0.8 < once_stable.max()
    # Drawn p-values lie about the exact ones, which the weakest code often meets to the digit.
    np.testing.assert_allclose(np.sort(thrice_stable), np.sort(once_stable), atol=0.2)


def test_stability_with_several_controls_is_that_of_sentences_drawn_again(present: tuple[BoolArray, BoolArray]) -> None:
    topic, control = present
    generator = np.random.default_rng(3)
    controls = [control ^ (generator.random(control.shape) < 0.1) for _ in range(4)]
    found, stable = find(material(topic, controls))
    differences = (topic - np.mean(controls, axis=0))[:, found.rows]
    level = found.p.max()
    passed = [
        sign_flip(differences[generator.integers(0, SENTENCES, SENTENCES)], permutations=499, seed=draw) <= level
        for draw in range(300)
    ]
    np.testing.assert_allclose(stable, np.mean(passed, axis=0), atol=0.1)
    assert stable.min() < 0.75 < 0.95 < stable.max()


def test_a_code_of_one_sentence_is_not_tested_however_many_controls_that_has() -> None:
    topic, control = np.zeros((2, SENTENCES, CODES - 1), bool)
    topic[0, 3] = True
    assert find_candidates(material(topic, [control] * 6), NOTHING, PRESET, 0).tested == 0


def test_groups_give_no_evidence_of_pairs(present: tuple[BoolArray, BoolArray]) -> None:
    """Their order means nothing, and their interval and stability are those of two independent groups."""
    topic, control = present
    generator = np.random.default_rng(4)
    found, stable = find(material(topic, [control], paired=False))
    again, stable_again = find(material(topic, [control[generator.permutation(SENTENCES)]], paired=False))
    assert found.only_topic is None
    assert found.only_control is None
    for name in ("rows", "p", "q", "effect", "effect_low", "effect_high"):
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name))
    assert found.tested == again.tested
    np.testing.assert_array_equal(stable, stable_again)
    drawn = generator.integers(0, SENTENCES, (2, 2000, SENTENCES))
    t, c = topic[:, found.rows][drawn[0]].sum(1), control[:, found.rows][drawn[1]].sum(1)
    np.testing.assert_allclose(stable, (fisher(t, SENTENCES, c, SENTENCES) <= found.p.max()).mean(0), atol=0.1)
    low, high = np.quantile((t - c) / SENTENCES, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(found.effect_low, low, atol=0.03)
    np.testing.assert_allclose(found.effect_high, high, atol=0.03)


def test_stability_of_pairs_is_that_of_sentences_drawn_again(present: tuple[BoolArray, BoolArray]) -> None:
    topic, control = present
    found, stable = find(material(topic, [control]))
    drawn = np.random.default_rng(5).integers(0, SENTENCES, (2000, SENTENCES))
    t, c = topic[:, found.rows][drawn], control[:, found.rows][drawn]
    passed = mcnemar((t & ~c).sum(1), (c & ~t).sum(1)) <= found.p.max()
    np.testing.assert_allclose(stable, passed.mean(0), atol=0.1)
