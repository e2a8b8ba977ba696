"""The tests of codes agree with scipy's, keep their level on null data, and know small numbers from large ones."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning.evidence.statistics import (
    adjust,
    discordance,
    fisher,
    g_test,
    group_difference,
    log_odds,
    mcnemar,
    paired_odds_ratio,
    risk_difference,
    sign_flip,
    smallest_fisher,
    smallest_g,
    smallest_mcnemar,
)

stats: Any = scipy_stats
B, C = np.array([15, 20, 25, 4, 40, 0]), np.array([0, 5, 10, 0, 0, 0])


def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs() -> None:
    expected = [stats.binomtest(b, b + c, 0.5, "greater").pvalue if b + c else 1.0 for b, c in zip(B, C, strict=True)]
    np.testing.assert_allclose(mcnemar(B, C), expected, rtol=1e-10)


def test_the_mid_p_value_lies_half_a_table_below() -> None:
    np.testing.assert_allclose(mcnemar(B, C, mid_p=True), mcnemar(B, C) - 0.5 * stats.binom.pmf(B, B + C, 0.5))


def test_the_paired_test_finds_what_the_context_shares_and_refuses_accidents() -> None:
    """A busy code that the topic adds to 15 of 500 sentences, and a rare one in 4: chi-squared judges both the other way."""
    busy, rare = mcnemar(np.array([15, 4]), np.array([0, 0]))
    assert busy < 1e-4
    assert rare > 0.05


@pytest.mark.parametrize("mid_p", [False, True])
def test_no_pairs_give_less_than_the_smallest_p_and_some_give_it(mid_p: bool) -> None:
    n = np.arange(12)
    tables = [min(mcnemar(np.array([b]), np.array([k - b]), mid_p=mid_p)[0] for b in range(k + 1)) for k in n]
    np.testing.assert_allclose(smallest_mcnemar(n, mid_p=mid_p), tables)


@pytest.mark.parametrize(("test", "smallest"), [(fisher, smallest_fisher), (g_test, smallest_g)])
@pytest.mark.parametrize(("n_topic", "n_control"), [(20, 20), (6, 30), (30, 6)])
def test_no_groups_give_less_than_the_smallest_p_and_some_give_it(
    test: Any, smallest: Any, n_topic: int, n_control: int
) -> None:
    """Over all tables with so many units that hold the code."""
    present = np.arange(n_topic + n_control + 1)
    for k in present:
        topic = np.arange(max(0, k - n_control), min(k, n_topic) + 1)
        found = test(topic, n_topic, k - topic, n_control)
        assert smallest(present[k : k + 1], n_topic, n_control)[0] == pytest.approx(found.min(), rel=1e-9)


def test_sign_flips_agree_with_all_permutations() -> None:
    generator = np.random.default_rng(0)
    differences = generator.choice([-0.5, 0.0, 0.5, 1.0], size=(8, 3))
    sums = np.array([np.array(signs) @ differences for signs in product((-1, 1), repeat=8)])
    exact = (sums >= differences.sum(0) - 1e-9).mean(0)
    np.testing.assert_allclose(sign_flip(differences, permutations=20_000, seed=1), exact, atol=0.015)


def test_with_one_draw_sign_flips_agree_with_mcnemar() -> None:
    only_topic, only_control = 14, 5
    differences = np.concatenate([np.ones(only_topic), -np.ones(only_control), np.zeros(30)])[:, None]
    expected = mcnemar(np.array([only_topic]), np.array([only_control]))
    np.testing.assert_allclose(sign_flip(differences, permutations=50_000), expected, atol=0.004)


@pytest.mark.parametrize(("topic", "control"), [(12, 3), (3, 12), (0, 5), (40, 38)])
def test_fisher_is_scipys(topic: int, control: int) -> None:
    expected = stats.fisher_exact([[topic, 50 - topic], [control, 60 - control]], alternative="greater").pvalue
    assert fisher(np.array([topic]), 50, np.array([control]), 60)[0] == pytest.approx(expected)


def test_the_g_test_is_scipys_in_the_direction_asked_for() -> None:
    table = [[12, 38], [3, 57]]
    both = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert g_test(np.array([12]), 50, np.array([3]), 60)[0] == pytest.approx(both / 2)
    assert g_test(np.array([3]), 60, np.array([12]), 50)[0] == pytest.approx(1 - both / 2)


def test_corrections_on_a_hand_computed_case() -> None:
    p = np.array([0.01, 0.02, 0.03, 0.5])
    np.testing.assert_allclose(adjust(p), [0.04, 0.04, 0.04, 0.5])
    np.testing.assert_allclose(
        adjust(p, "by"), np.minimum(1, np.array([0.04, 0.04, 0.04, 0.5]) * (1 + 1 / 2 + 1 / 3 + 1 / 4))
    )
    with pytest.raises(CodeUnlearnError, match="bh or by"):
        adjust(p, "holm")  # pyright: ignore[reportArgumentType]


def test_false_discoveries_are_rare_on_null_data() -> None:
    generator = np.random.default_rng(3)
    chosen = 0
    for _ in range(20):
        only_topic = generator.binomial(20, 0.5, 500)
        chosen += int((adjust(mcnemar(only_topic, 20 - only_topic)) <= 0.05).sum())
    assert chosen <= 3


def test_the_interval_of_a_difference_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(4)
    drawn = generator.multinomial(80, [0.12, 0.04, 0.84], size=2000)
    effect, low, high = risk_difference(drawn[:, 0], drawn[:, 1], 80)
    assert effect.mean() == pytest.approx(0.08, abs=0.005)
    assert 0.93 < ((low <= 0.08) & (high >= 0.08)).mean() < 0.985


def test_sentences_with_one_control_are_as_discordant_as_mcnemars_table_says() -> None:
    differences = np.concatenate([np.ones(14), -np.ones(5), np.zeros(30)])[:, None]
    np.testing.assert_array_equal(np.concatenate(discordance(differences)), [14, 5])


def test_the_interval_of_sentences_with_dependent_controls_holds_the_truth() -> None:
    """Five controls of a sentence that mostly agree; counted as five pairs they would give an interval half as wide."""
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        topic = generator.random(80) < 0.3
        own = generator.random((80, 1)) < 0.2
        controls = np.where(generator.random((80, 5)) < 0.9, own, generator.random((80, 5)) < 0.2)
        _, low, high = risk_difference(*discordance((topic - controls.mean(1))[:, None]), 80)
        held += int(low[0] <= 0.1 <= high[0])
    assert 930 < held < 985


def test_the_interval_of_unpaired_groups_holds_the_truth() -> None:
    generator = np.random.default_rng(6)
    topic, control = generator.binomial(40, 0.12, 2000), generator.binomial(60, 0.04, 2000)
    effect, low, high = group_difference(topic, 40, control, 60)
    assert effect.mean() == pytest.approx(0.08, abs=0.005)
    assert 0.93 < ((low <= 0.08) & (high >= 0.08)).mean() < 0.985


def test_odds_of_small_numbers_are_drawn_towards_one() -> None:
    small, large = paired_odds_ratio(np.array([2, 200]), np.array([1, 100]))
    assert small < large < 2


def test_a_prior_shrinks_rare_codes() -> None:
    topic, control = np.array([4, 200, 296]), np.array([0, 50, 450])
    delta, z = log_odds(topic, control, np.array([5.0, 60.0, 300.0]))
    assert z[1] > z[0] > 0 > z[2]
    bare, _ = log_odds(topic, control, np.array([0.1, 0.1, 0.1]))
    assert delta[0] < bare[0] / 3


def test_log_odds_are_the_formula_of_the_paper() -> None:
    """Monroe, Colaresi and Quinn 2008, eqs. 15, 16 and 22, by hand for the first of two codes."""
    delta, z = log_odds(np.array([30, 70]), np.array([10, 90]), np.array([20.0, 80.0]))
    expected = np.log((30 + 20) / (100 + 100 - 30 - 20)) - np.log((10 + 20) / (100 + 100 - 10 - 20))
    assert delta[0] == pytest.approx(expected)
    assert z[0] == pytest.approx(expected / np.sqrt(1 / 50 + 1 / 30))
