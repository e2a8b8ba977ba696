"""Scores of answers equal what OpenUnlearning's own code gave on the same logits (``tests/golden/open_unlearning.py``)."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import pytest
from open_unlearning import FACTS, FILE, FORGET, GOLD, MODEL, RETAIN, TEXTS, LogitTable, word_tokenizer

from codeunlearn.evaluation.metrics.base import METRICS, Outputs
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.experiments.questions import Question, ask
from codeunlearn.experiments.tofu import State
from codeunlearn.experiments.tofu_authors import Author, Row
from codeunlearn.experiments.tofu_config import TofuConfig
from codeunlearn.experiments.tofu_measures import Measures, truth_ratios
from codeunlearn.experiments.tofu_questions import TofuQuestions
from codeunlearn.tasks.base import TASKS, Example, View

GOLDEN: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
INPUTS, VALUES = GOLDEN["inputs"], GOLDEN["values"]
SETS: dict[str, list[dict[str, Any]]] = INPUTS["sets"]
EXAMPLES = {
    name: [Example(one["question"], (one["answer"],), tuple(one["wrong"])) for one in asked]
    for name, asked in SETS.items()
}
TASK: Any = TASKS.get("completion")
METRIC_NAMES = [
    "probability", "exact_memorization", "extraction_strength", "probability_w_options", "truth_ratio", "rougeL_recall",
]  # fmt: skip
EQUAL = 2e-6  # single precision
either_model = pytest.mark.parametrize("model", [MODEL, GOLD])


def view(model: str) -> View:
    return View(LogitTable(INPUTS["logits"][model]), word_tokenizer(INPUTS["words"]), *INPUTS["frame"])


@either_model
@pytest.mark.parametrize("name", list(SETS))
@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_a_score_is_open_unlearnings(model: str, name: str, metric: str) -> None:
    said = [one["said"] for one in SETS[name]]
    score = METRICS.get(metric)(Outputs(TestSet(name, EXAMPLES[name]), said, TASK, view(model)))
    assert score is not None
    expected = VALUES[model]["sets"][name][metric]
    assert score.value == pytest.approx(100 * expected["agg_value"], rel=EQUAL)
    if metric != "truth_ratio":  # of which OpenUnlearning keeps ratios, and here a prompt has its share of the value
        assert score.per_sentence == pytest.approx([100 * one for one in expected["value_by_index"]], rel=EQUAL)


@either_model
def test_of_a_text_that_goes_on_no_end_mark_counts(model: str) -> None:
    examples = [Example(prompt, (rest,)) for prompt, rest in INPUTS[TEXTS]]
    bare = View(view(model).model, view(model).tokenizer, "", "")
    score = METRICS.get("probability")(Outputs(TestSet("retain", examples), [], TASK, bare))
    assert score is not None
    assert score.per_sentence == pytest.approx([100 * one for one in VALUES[model][TEXTS]["value_by_index"]], rel=EQUAL)
    assert score.signature == "forced|end mark:no"


class GoldenQuestions(TofuQuestions):
    """One author for each set of authors, and the wrong answers as they stand in the file."""

    @cached_property
    def every(self) -> list[Question]:
        return [
            Question(one["question"], one["answer"], tuple(one["wrong"]), subject=name)
            for name, asked in SETS.items()
            for one in asked
        ]


@pytest.fixture(scope="module")
def measures() -> Measures:
    authors = {
        name: Author(name, name, tuple(Row(name, one["question"], one["answer"]) for one in SETS[name]))
        for name in (FORGET, RETAIN)
    }
    facts = {name: [Question("", "")] * len(SETS[name]) for name in FACTS}
    return Measures(
        GoldenQuestions([authors[FORGET]], [authors[RETAIN]], facts), TofuConfig(splits={FORGET: 1}), seed=0
    )


def state(model: str) -> State:
    said = dict(enumerate(one["said"] for asked in SETS.values() for one in asked))
    return State(ask(TASK, view(model), GoldenQuestions([], [], {}).every, ended=True), said)


@either_model
def test_measures_of_a_tofu_study_are_open_unlearnings(measures: Measures, model: str) -> None:
    found, expected = state(model), VALUES[model]["sets"][FORGET]
    places = measures.split(FORGET)
    assert measures.probability(found, places) == pytest.approx(expected["probability"]["agg_value"], rel=EQUAL)
    assert measures.truth_ratio(found, places) == pytest.approx(expected["truth_ratio"]["agg_value"], rel=EQUAL)
    ratios = truth_ratios([found.answered[place] for place in places])
    assert ratios == pytest.approx(expected["truth_ratio"]["value_by_index"], rel=EQUAL)
    assert measures.rouge(found, FORGET) == pytest.approx(expected["rougeL_recall"]["agg_value"])
    assert measures.utility(found) == pytest.approx(VALUES[model]["model_utility"], rel=EQUAL)


def test_forget_quality_is_open_unlearnings(measures: Measures) -> None:
    found = measures.forget_quality(state(MODEL), state(GOLD), measures.split(FORGET))
    assert found == pytest.approx(VALUES["forget_quality"])
    assert 0 < found < 1
