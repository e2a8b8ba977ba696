"""What scores compare, of systems that are plain functions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import Outputs, Score, on_answers, standard_metrics
from codeunlearn.evaluation.metrics.lexical import chrf
from codeunlearn.evaluation.scores import Comparison, Scores
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import AFTER, BEFORE, ZERO_SHOT, Role, System, system_of
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.tasks.base import Example, Rows, View
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import Answers, TokenCost

FORGET = [Example("I love you.", ("Je t'aime.",)), Example("She loves me.", ("Elle m'aime.",))]
RETAIN = [Example("It rains.", ("Il pleut.",))]
CONTROLS = ("I see you.", "She sees me.")
REFERENCES = {example.prompt: example.answer for example in FORGET + RETAIN}
ROLES: dict[str, Role] = {BEFORE: "before", AFTER: "after", ZERO_SHOT: "reference", "attacked": "attack"}


class Canned:
    """A task for models that are functions of prompts; every token has the probability that the model's table says."""

    name: ClassVar[str] = "canned"
    languages: ClassVar[tuple[str, str]] = ("english", "french")

    def rows(self, *_: Any) -> Rows:
        raise NotImplementedError

    def answer(self, view: View, prompts: Sequence[str], how: Any = None, progress: Any = None) -> Answers:
        return Answers(view.model(prompts), TokenCost(0, 0, 0, 0, 0), (), ())

    def forced(self, view: View, prompts: Sequence[str], answers: Sequence[str], **_: Any) -> list[ForcedTokens]:
        chances = [0.01 if prompt in CONTROLS else getattr(view.model, "chance", 0.8) for prompt in prompts]
        return [
            ForcedTokens(np.log([chance]), np.array([1]), [(0, len(answer))])
            for chance, answer in zip(chances, answers, strict=True)
        ]


def perfect(prompts: Sequence[str]) -> list[str]:
    return [REFERENCES[prompt] for prompt in prompts]


def without_love(prompts: Sequence[str]) -> list[str]:
    return [REFERENCES[prompt].replace("aime", "voit") for prompt in prompts]


def untrained(prompts: Sequence[str]) -> list[str]:
    return ["Oui."] * len(prompts)


def scored(models: dict[str, Callable[..., Any]], tests: Sequence[TestSet] = (), **options: Any) -> Scores:
    sets = tests or [TestSet("forget", FORGET, ("aime",), CONTROLS), TestSet("retain", RETAIN)]
    systems: list[System] = [system_of(name, ROLES[name], model, None) for name, model in models.items()]
    return score(Canned(), sets, systems, topic="love", **options)


def both() -> Scores:
    return scored({BEFORE: perfect, AFTER: without_love})


def test_recall_of_the_topic_falls_and_other_sentences_stay_as_they_were() -> None:
    scores = both()
    assert scores.value(BEFORE, "forget", "topic_word_recall") == 100
    assert scores.value(AFTER, "forget", "topic_word_recall") == 0
    assert scores.comparison(AFTER, "forget", "topic_word_recall").delta == -100  # pyright: ignore[reportOptionalMemberAccess]
    assert scores.comparison(AFTER, "retain", "chrf").delta == 0  # pyright: ignore[reportOptionalMemberAccess]


def drops(models: dict[str, Callable[..., Any]]) -> dict[str, Comparison]:
    found = scored(models, [TestSet("forget", FORGET, ("aime",))])
    return {row.metric: row for row in found.comparisons}


def test_the_normalised_drop_counts_from_empty_answers_without_a_zero_shot_model() -> None:
    drop = drops({BEFORE: perfect, AFTER: without_love})["chrf"]
    assert drop.normalised == pytest.approx(100 * (drop.after - drop.before) / drop.before)


def test_the_drop_is_nil_for_the_codebook_model_and_whole_for_the_zero_shot_model_whichever_way_is_better() -> None:
    unchanged = drops({BEFORE: perfect, AFTER: perfect, ZERO_SHOT: untrained})
    undone = drops({BEFORE: perfect, AFTER: untrained, ZERO_SHOT: untrained})
    for metric in ("chrf", "meteor_fr", "ter"):
        assert unchanged[metric].normalised == 0
        assert undone[metric].normalised == pytest.approx(-100)
        assert not undone[metric].denominator_within_noise


def test_signs_of_broken_text_and_recall_have_no_normalised_drop() -> None:
    found = drops({BEFORE: perfect, AFTER: without_love, ZERO_SHOT: untrained})
    for metric in ("degenerate_rate", "french_share", "length_ratio", "topic_word_recall"):
        assert found[metric].normalised is None
        assert not found[metric].denominator_within_noise


def test_a_codebook_model_no_better_than_the_zero_shot_model_is_flagged() -> None:
    found = drops({BEFORE: untrained, AFTER: untrained, ZERO_SHOT: untrained})
    assert found["chrf"].denominator_within_noise
    assert found["ter"].denominator_within_noise


def test_what_the_topic_loses_beyond_the_rest_is_the_difference_of_the_two_changes() -> None:
    scores = both()
    topic, rest = scores.comparison(AFTER, "forget", "chrf"), scores.comparison(AFTER, "retain", "chrf")
    assert topic is not None
    assert rest is not None
    assert topic.beyond_retain == topic.delta - rest.delta < 0
    assert topic.beyond_retain_low <= topic.beyond_retain <= topic.beyond_retain_high  # pyright: ignore[reportOperatorIssue]
    assert rest.beyond_retain is None


def test_closed_is_the_share_of_the_way_to_the_control_prompt() -> None:
    without_love.chance = 0.2  # pyright: ignore[reportFunctionMemberAccess]
    closed = both().closed(AFTER)
    assert closed is not None
    assert closed.value == pytest.approx(100 * (80 - 20) / (80 - 1))
    assert both().value(BEFORE, "forget", "control_word_probability") == pytest.approx(1)


def test_closed_is_not_defined_where_the_model_knew_nothing_before() -> None:
    untrained.chance = 0.01  # pyright: ignore[reportFunctionMemberAccess]
    closed = scored({BEFORE: untrained, AFTER: untrained}).closed(AFTER)
    assert closed is not None
    assert math.isnan(closed.value)
    assert closed.signature.startswith("not defined")


def test_without_control_prompts_closed_is_not_measured() -> None:
    scores = scored({BEFORE: perfect, AFTER: without_love}, [TestSet("forget", FORGET, ("aime",))])
    assert scores.closed(AFTER) is None


def test_an_attack_is_compared_with_the_model_before() -> None:
    scores = scored({BEFORE: perfect, AFTER: without_love, "attacked": perfect})
    assert scores.of_role("attack") == ["attacked"]
    attacked = scores.closed("attacked")
    assert attacked is not None
    assert attacked.value == pytest.approx(0)


def test_a_metric_may_know_the_prompts_and_need_not_apply() -> None:
    def copied(outputs: Outputs) -> Score | None:
        if outputs.test.name == "retain":
            return None
        return replace(chrf(outputs.answers, [[prompt] for prompt in outputs.prompts]), name="copied")

    scores = scored({BEFORE: list, AFTER: perfect}, metrics={"copied": copied})
    assert scores.value(BEFORE, "forget", "copied") == pytest.approx(100)
    assert scores.value(AFTER, "forget", "copied") < 100
    assert scores.row(BEFORE, "retain", "copied") is None


def test_metrics_of_a_language_are_left_out_of_tasks_in_another() -> None:
    class Back(Canned):
        languages: ClassVar[tuple[str, str]] = ("french", "english")

    outputs = Outputs(TestSet("forget", FORGET), perfect([e.prompt for e in FORGET]), Back(), View(None, None))
    assert on_answers(chrf, "french")(outputs) is None
    assert on_answers(chrf, "english")(outputs) is not None


def test_answers_that_are_known_are_not_asked_for() -> None:
    def silent(_: Sequence[str]) -> list[str]:
        raise AssertionError

    known = {BEFORE: perfect([e.prompt for e in (*FORGET, *RETAIN)])}
    assert scored({BEFORE: silent}, answers=known).value(BEFORE, "forget", "chrf") == pytest.approx(100)


def test_scores_sentence_by_sentence_average_to_the_score(tmp_path: Path) -> None:
    scored({BEFORE: perfect, AFTER: without_love}, by_sentence=tmp_path)
    summary = json.loads((tmp_path / "SUMMARY.json").read_text())
    log = json.loads((tmp_path / "unlearned.json").read_text())["forget_topic_word_recall"]
    values = [value["topic_word_recall"] for value in log["value_by_index"].values()]
    assert np.mean(values) == log["agg_value"] == summary["unlearned"]["forget_topic_word_recall"] == 0


def test_with_a_single_system_nothing_is_compared() -> None:
    assert scored({BEFORE: perfect}).comparisons == []


def test_every_standard_metric_is_scored() -> None:
    found = {row.metric for row in scored({BEFORE: perfect}).rows if row.set == "forget"}
    of_others = {
        *("cross_entropy", "perplexity", "probability", "exact_memorization", "rougeL_recall", "exact_match"),
        *(
            "truth_ratio",
            "probability_w_options",
            "multiple_choice",
            "accuracy",
            "macro_f1",
            "rouge1",
            "rouge2",
            "rougeL",
        ),
    }
    assert found == {*standard_metrics(), "control_word_probability"} - of_others


def test_scores_come_back_from_their_file_even_where_one_is_undefined(tmp_path: Path) -> None:
    scores = both()
    undefined = replace(scores.rows[0], value=math.nan, low=math.nan, high=math.nan)
    scores = replace(scores, rows=[undefined, *scores.rows[1:]])
    scores.save(tmp_path / "scores.json")
    assert str(Scores.load(tmp_path / "scores.json")) == str(scores)


def test_another_file_is_not_taken_for_scores(tmp_path: Path) -> None:
    for content in ("[]", "{}", '{"scores": 5}'):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(CodeUnlearnError, match=r"other\.json.*; score the topic again"):
            Scores.load(tmp_path / "other.json")


def test_two_systems_of_one_name_are_refused() -> None:
    systems = [system_of(BEFORE, "before", perfect, None), *(system_of("codes", "after", perfect, None) for _ in "ab")]
    with pytest.raises(CodeUnlearnError, match="Two systems are called 'codes'; name each method and attack once"):
        score(Canned(), [TestSet("retain", RETAIN)], systems)
