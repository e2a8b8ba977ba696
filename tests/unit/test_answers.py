"""Scores of answers are what their definitions give on log probabilities that are known."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codeunlearn.evaluation.bootstrap import resample
from codeunlearn.evaluation.metrics.answers import truth_ratios
from codeunlearn.evaluation.metrics.base import METRICS, Outputs, Score
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, TestSet
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.tasks.completion import Completion
from codeunlearn.tasks.forced import ForcedTokens

KNOWN = {
    ("q", "right"): ([-0.5, -1.5], [1, 3]),
    ("q", "wrong"): ([-1.0], [2]),
    ("q", "false"): ([-3.0, -2.0, -4.0], [2, 1, 9]),
    ("r", "yes"): ([-0.25], [1]),
    ("r", "no"): ([-2.25], [7]),
    ("s", "alone"): ([-2.0, -1.0, -3.0], [4, 1, 1]),
    ("t", "none"): ([], []),
}
"""Log probabilities and ranks of the tokens of every answer."""
EXAMPLES = [Example("q", ("right",), ("wrong", "false")), Example("r", ("yes",), ("no",)), Example("s", ("alone",))]


class Told(Completion):
    """Its model gives what is known."""

    def forced(self, view: Any, prompts: Sequence[str], answers: Sequence[str], **_: Any) -> list[ForcedTokens]:
        found = [KNOWN[pair] for pair in zip(prompts, answers, strict=True)]
        return [
            ForcedTokens(np.array(likely, dtype=np.float64), np.array(ranks, dtype=np.int64)) for likely, ranks in found
        ]


def outputs(
    examples: Sequence[Example] = EXAMPLES,
    answers: Sequence[str] = (),
    name: str = RETAIN,
    task: Any = None,
    view: Any = None,
) -> Outputs:
    return Outputs(TestSet(name, examples), answers, task or Told(), view)


def score(name: str, of: Outputs) -> Score:
    found = METRICS.get(name)(of)
    assert found is not None
    assert found.name == name
    return found


def test_cross_entropy_is_over_all_tokens_and_perplexity_its_exponential() -> None:
    found = score("cross_entropy", outputs())
    assert found.value == pytest.approx((2 + 0.25 + 6) / 6)
    assert found.per_sentence == pytest.approx([1, 0.25, 2])
    assert score("perplexity", outputs()).value == pytest.approx(np.exp(8.25 / 6))


def test_the_probability_of_an_answer_is_normalised_for_its_length() -> None:
    found = score("probability", outputs())
    assert found.per_sentence == pytest.approx([100 * np.exp(-1), 100 * np.exp(-0.25), 100 * np.exp(-2)])
    assert found.value == pytest.approx(100 * np.mean([np.exp(-1), np.exp(-0.25), np.exp(-2)]))
    assert score("exact_memorization", outputs()).per_sentence == pytest.approx([50, 100, 200 / 3])


def test_truth_ratio_and_choice_compare_with_the_wrong_answers_where_there_are_some() -> None:
    ratios = [np.exp(-2) / np.exp(-1), np.exp(-2.25) / np.exp(-0.25)]  # mean losses of the wrong: (1 + 3) / 2, 2.25
    assert truth_ratios(outputs()) == pytest.approx([*ratios, np.nan], nan_ok=True)
    elsewhere, on_topic = score("truth_ratio", outputs()), score("truth_ratio", outputs(name=FORGET))
    assert elsewhere.value == pytest.approx(100 * np.mean([1 - ratio for ratio in ratios]))
    assert on_topic.value == pytest.approx(100 * np.mean(ratios))
    assert elsewhere.signature != on_topic.signature
    assert elsewhere.count == on_topic.count == 2
    options = score("probability_w_options", outputs())
    first = np.exp(-1) / (np.exp(-1) + np.exp(-1) + np.exp(-3))
    assert options.per_sentence == pytest.approx([100 * first, 100 / (1 + np.exp(-2)), np.nan], nan_ok=True)
    choice = score("multiple_choice", outputs())
    assert choice.per_sentence == pytest.approx([0, 100, np.nan], nan_ok=True), "a tie is not known"
    assert choice.value == 50
    swapped = [Example("q", ("false",), ("right",))]
    assert score("truth_ratio", outputs(swapped, name=FORGET)).value == pytest.approx(100 * np.exp(-2))
    assert score("truth_ratio", outputs(swapped)).value == 0


def test_a_share_is_resampled_over_the_prompts_that_enter() -> None:
    sums = score("multiple_choice", outputs()).sums
    assert set(np.round(resample(sums, draws=200, seed=0).draws[np.isfinite(resample(sums, draws=200, seed=0).draws)], 4)) >= {
        0.0, 50.0, 100.0
    }  # fmt: skip


class Ended(Told):
    """Its replies end with a mark that is not probable."""

    def forced(self, view: Any, prompts: Sequence[str], answers: Sequence[str], **how: Any) -> list[ForcedTokens]:
        return [tokens._replace(end=-4.0) for tokens in super().forced(view, prompts, answers, **how)]


def test_an_end_mark_counts_in_probabilities_and_in_no_choice() -> None:
    ended, without = outputs(EXAMPLES[1:], task=Ended()), outputs(EXAMPLES[1:])
    found = score("probability", ended)
    assert found.per_sentence == pytest.approx([100 * np.exp(-4.25 / 2), 100 * np.exp(-10 / 4)])
    assert (found.signature, score("probability", without).signature) == ("forced|end mark:yes", "forced|end mark:no")
    assert truth_ratios(ended)[0] == pytest.approx(np.exp((-2.25 + 0.25) / 2))
    for name in ("cross_entropy", "multiple_choice", "exact_memorization", "extraction_strength"):
        one, other = score(name, ended), score(name, without)
        assert (one.value, one.signature) == (other.value, other.signature)


def test_an_answer_without_tokens_is_not_known() -> None:
    empty = outputs([Example("t", ("none",)), EXAMPLES[1]])
    assert score("exact_memorization", empty).per_sentence == pytest.approx([np.nan, 100], nan_ok=True)
    assert score("extraction_strength", empty).per_sentence == [0, 100]
    assert score("probability", empty).per_sentence == pytest.approx([0, 100 * np.exp(-0.25)])


def test_without_wrong_answers_nothing_is_said_of_them() -> None:
    alone = outputs([EXAMPLES[2]])
    assert all(METRICS.get(name)(alone) is None for name in ("truth_ratio", "probability_w_options", "multiple_choice"))


@pytest.mark.parametrize(
    ("said", "right", "expected"),
    [
        (
            "police killed the gunman",
            "police kill the gunman",
            100,
        ),  # S2 of Lin (2004), section 3: equal, for the stems are
        ("the gunman kill police", "police killed the gunman", 50),  # S3
        ("the gunman police killed", "police killed the gunman", 50),  # S4
        ("police ended the gunman", "police killed the gunman", 75),  # three of four in order
        ("", "police killed", 0),
        ("Paris, of course.", "PARIS", 100),
    ],
)
def test_rouge_l_recall_is_the_share_of_the_longest_common_subsequence(said: str, right: str, expected: float) -> None:
    found = score("rougeL_recall", outputs([Example("q", ("zebra", right))], [said]))
    assert found.value == pytest.approx(expected)


def test_an_answer_matches_up_to_case_and_punctuation() -> None:
    examples = [Example("q", ("Paris", "the capital")), Example("r", ("Paris",))]
    found = score("exact_match", outputs(examples, ["The capital.", "Paris is"]))
    assert found.per_sentence == [100, 0]
    assert found.is_rate


def test_accuracy_and_f1_of_a_classifier() -> None:
    config = SimpleNamespace(id2label={0: "animal", 1: "place", 2: "person", 3: "never"})
    view: Any = View(SimpleNamespace(config=config, can_generate=lambda: False), None)
    right, said = ["animal", "animal", "1", "person", "place"], ["animal", "place", "place", "animal", "place"]
    of = outputs([Example("t", (one,)) for one in right], said, task=TASKS.get("classification"), view=view)
    assert score("accuracy", of).value == 60
    f1 = [2 * 1 / (2 + 1 + 1), 2 * 2 / (4 + 1 + 0), 0]  # animal, place, person
    assert score("macro_f1", of).value == pytest.approx(100 * np.mean(f1))
    assert METRICS.get("cross_entropy")(of) is None
    assert METRICS.get("accuracy")(outputs()) is None
