"""Equations 9 to 11, the chi-squared test, and what the preset `paper` makes of them."""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import (
    CodeCounts,
    CodeLists,
    EnrichmentTable,
    Paired,
    Paper,
    chi_squared,
    count_lists,
    enrichment,
    make_recipe,
)

NUM_CODES, S_PRIMES, SENTENCES, LENGTH = 400, (3, 5), 300, 6
PLANTED = (7, 70, 300)


def random_lists(seed: int, planted: tuple[int, ...] = (), share: float = 0.0) -> CodeLists:
    """Sentences whose tokens fire random codes; a share of them has the planted codes at one token."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.rand(SENTENCES, LENGTH, NUM_CODES, generator=generator).topk(S_PRIMES[-1]).indices
    affected = torch.rand(SENTENCES, generator=generator) < share
    for slot, code in enumerate(planted):
        clashing = (ids[affected, 2] == code).any(-1)
        ids[affected.nonzero().squeeze(1)[~clashing], 2, slot] = code
    sentence = np.repeat(np.arange(SENTENCES), LENGTH)
    return CodeLists(
        ids.flatten(0, 1).to(torch.int32).numpy(), sentence, np.full(len(sentence), 5), SENTENCES, NUM_CODES
    )


def counts_of(topic: CodeLists, *controls: CodeLists) -> CodeCounts:
    code_ids = np.arange(NUM_CODES) + 1000
    return count_lists(topic, controls, S_PRIMES, code_ids=code_ids, name_token=lambda token: f"<{token}>")


@pytest.fixture(scope="module")
def planted_counts() -> CodeCounts:
    return counts_of(random_lists(0, PLANTED, share=0.3), random_lists(1))


def row_of(table: EnrichmentTable, code: int) -> int:
    return table.ids.tolist().index(code)


def scipy_test(table: EnrichmentTable, row: int, yates: bool = False) -> tuple[float, float]:
    a, c = int(table.topic[row]), int(table.control[row])
    result = chi2_contingency([[a, table.n_topic - a], [c, table.n_control - c]], correction=yates)
    return float(result.statistic), float(result.pvalue)


@pytest.mark.parametrize("yates", [False, True])
def test_closed_form_chi_squared_equals_scipys(yates: bool) -> None:
    rng = np.random.default_rng(0)
    n_topic, n_control = 500, 730
    topic, control = rng.integers(0, n_topic + 1, 200), rng.integers(0, n_control + 1, 200)
    topic[:50], control[:50] = rng.integers(0, 6, 50), rng.integers(1, 6, 50)
    statistic, p = chi_squared(topic, n_topic, control, n_control, yates=yates)
    for i, (a, c) in enumerate(zip(topic, control, strict=True)):
        expected = chi2_contingency([[a, n_topic - a], [c, n_control - c]], correction=yates)
        assert statistic[i] == pytest.approx(expected.statistic, rel=1e-9, abs=1e-12)
        assert p[i] == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_code_that_is_everywhere_or_nowhere_is_no_evidence() -> None:
    statistic, p = chi_squared(np.array([0, 500]), 500, np.array([0, 400]), 400)
    assert statistic.tolist() == [0, 0]
    assert p.tolist() == [1, 1]


def test_four_accidental_sentences_count_as_enriched_without_yates_only() -> None:
    """The weakness of the paper's test that field notes name: 4 of 500 against 0 of 500 passes at 0.05."""
    _, p = chi_squared(np.array([4]), 500, np.array([0]), 500)
    _, corrected = chi_squared(np.array([4]), 500, np.array([0]), 500, yates=True)
    assert p[0] == pytest.approx(0.045, abs=0.001)
    assert corrected[0] == pytest.approx(0.13, abs=0.01)


def test_frequencies_and_ratio_are_equations_9_to_11(planted_counts: CodeCounts) -> None:
    table = enrichment(planted_counts, 5, epsilon=0.01)
    assert (table.n_topic, table.n_control) == (SENTENCES, SENTENCES)
    for code in (1007, 1008):
        row = row_of(table, code)
        topic = planted_counts.sentences_topic[1, code - 1000] / SENTENCES
        control = planted_counts.sentences_control[1, code - 1000] / SENTENCES
        assert (table.f_topic[row], table.f_control[row]) == (topic, control)
        assert table.r[row] == pytest.approx(log2((topic + 0.01) / (control + 0.01)))


def test_several_draws_divide_the_control_frequency_by_all_control_sentences() -> None:
    topic, control = random_lists(0), random_lists(1)
    one = enrichment(counts_of(topic, control), 5)
    three = enrichment(counts_of(topic, control, control, control), 5)
    np.testing.assert_array_equal(three.control, 3 * one.control)
    np.testing.assert_allclose(three.f_control, one.f_control)
    np.testing.assert_allclose(three.r, one.r)


def test_repeating_a_control_adds_no_evidence() -> None:
    topic, control = random_lists(0), random_lists(1)
    one = enrichment(counts_of(topic, control), 5)
    three = enrichment(counts_of(topic, control, control, control), 5)
    np.testing.assert_allclose(three.chi2, one.chi2)
    np.testing.assert_allclose(three.p, one.p)


def test_by_token_the_samples_are_tokens(planted_counts: CodeCounts) -> None:
    table = enrichment(planted_counts, 3, unit="token")
    assert table.n_topic == SENTENCES * LENGTH
    assert table.topic.sum() == SENTENCES * LENGTH * 3


def test_the_table_holds_the_codes_that_fired_and_only_those() -> None:
    topic, control = (
        CodeLists(np.array([[code], [7]], np.int32), np.zeros(2, np.int64), np.ones(2, np.int64), 1, 10)
        for code in (2, 4)
    )
    table = enrichment(count_lists(topic, [control], (1,)), 1)
    assert table.ids.tolist() == [2, 4, 7]
    assert table.topic.tolist() == [1, 0, 1]
    assert table.control.tolist() == [0, 1, 1]
    assert table.only_topic is not None
    assert table.only_control is not None
    assert table.only_topic.tolist() == [1, 0, 0]
    assert table.only_control.tolist() == [0, 1, 0]
    assert table.top_tokens == ((("1", 1),), (), (("1", 1),))


def test_paper_preset_picks_exactly_the_codes_scipy_would(planted_counts: CodeCounts) -> None:
    preset = Paper()
    for s_prime in S_PRIMES:
        table = preset.table(planted_counts, s_prime)
        expected = {
            int(code)
            for row, code in enumerate(table.ids)
            if table.f_topic[row] > table.f_control[row] and scipy_test(table, row)[1] <= 0.05
        }
        chosen = set(table.ids[preset.select(table)].tolist())
        assert chosen == expected
        assert {1000 + code for code in PLANTED} <= chosen


def test_planted_codes_are_the_strongest_evidence(planted_counts: CodeCounts) -> None:
    table = enrichment(planted_counts, 3)
    strongest = table.ids[np.argsort(table.p)[: len(PLANTED)]]
    assert set(strongest.tolist()) == {1000 + code for code in PLANTED}
    assert (table.r[np.argsort(table.p)[: len(PLANTED)]] > 1).all()


def test_swapping_topic_and_control_finds_nothing_in_common() -> None:
    topic, control = random_lists(0, PLANTED, share=0.3), random_lists(1)
    preset = Paper()
    forward, backward = (preset.table(counts_of(*pair), 5) for pair in ((topic, control), (control, topic)))
    np.testing.assert_allclose(forward.r, -backward.r, atol=1e-12)
    np.testing.assert_allclose(forward.p, backward.p)
    assert not (preset.select(forward) & preset.select(backward)).any()


def test_control_against_the_same_control_finds_nothing() -> None:
    preset = Paper(alpha=1.0)
    table = preset.table(counts_of(random_lists(1), random_lists(1)), 5)
    assert not preset.select(table).any()


def test_control_against_another_control_finds_about_as_many_codes_as_announced() -> None:
    preset = Paper()
    found, announced = 0, 0.0
    for seed in range(10):
        table = preset.table(counts_of(random_lists(2 * seed), random_lists(2 * seed + 1)), 5)
        found += int(preset.select(table).sum())
        announced += preset.expected_false_positives(table)
    assert announced == pytest.approx(0.025 * 10 * NUM_CODES)
    assert found == pytest.approx(announced, rel=0.4)


@pytest.mark.parametrize("test", ["mcnemar", "mid-p", "fisher", "g"])
def test_the_paired_preset_finds_planted_codes_and_hardly_anything_between_controls(
    planted_counts: CodeCounts, test: Any
) -> None:
    preset = Paired(test=test)
    table = preset.table(planted_counts, 3)
    assert {1000 + code for code in PLANTED} <= set(table.ids[preset.select(table)].tolist())
    tables = [preset.table(counts_of(random_lists(2 * i), random_lists(2 * i + 1)), 5) for i in range(10)]
    assert sum(int(preset.select(table).sum()) for table in tables) <= 1


def test_epsilon_changes_the_ratio_and_never_the_selection(planted_counts: CodeCounts) -> None:
    tables = [Paper(epsilon=epsilon).table(planted_counts, 5) for epsilon in (1e-9, 1e-2)]
    assert not np.allclose(tables[0].r, tables[1].r)
    np.testing.assert_array_equal(*(Paper().select(table) for table in tables))


def test_options_that_make_no_sense_are_refused(planted_counts: CodeCounts) -> None:
    with pytest.raises(CodeUnlearnError, match="S' = 3, 5"):
        enrichment(planted_counts, 72)
    with pytest.raises(CodeUnlearnError, match="sentence or token"):
        enrichment(planted_counts, 5, unit="word")  # pyright: ignore[reportArgumentType]
    with pytest.raises(CodeUnlearnError, match="above zero"):
        enrichment(planted_counts, 5, epsilon=0)
    with pytest.raises(CodeUnlearnError, match="significance"):
        Paper(alpha=0)
    with pytest.raises(CodeUnlearnError, match=r"choose one of .*paper"):
        make_recipe("papper")
