"""What a topic's evaluation compares, with translators that are plain functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import AnswerMetric as Metric
from codeunlearn.evaluation.metrics.base import Score
from codeunlearn.evaluation.metrics.lexical import chrf
from codeunlearn.evaluation.protocol import (
    AFTER,
    BEFORE,
    METRICS,
    ZERO_SHOT,
    DeltaRow,
    TopicEvaluation,
    Translator,
    evaluate_sets,
)
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.tasks.base import Example

FORGET = [Example("I love you.", ("Je t'aime.",)), Example("She loves me.", ("Elle m'aime.",))]
RETAIN = [Example("It rains.", ("Il pleut.",))]
REFERENCES = {pair.prompt: pair.answer for pair in FORGET + RETAIN}


def perfect(sentences: Sequence[str]) -> list[str]:
    return [REFERENCES[sentence] for sentence in sentences]


def without_love(sentences: Sequence[str]) -> list[str]:
    return [REFERENCES[sentence].replace("aime", "voit") for sentence in sentences]


def evaluation() -> TopicEvaluation:
    sets = [TestSet("forget", FORGET, ("aime",)), TestSet("retain", RETAIN)]
    return evaluate_sets("love", sets, {BEFORE: perfect, AFTER: without_love})


def test_recall_of_the_topic_falls_and_other_sentences_stay_as_they_were() -> None:
    scored = evaluation()
    assert scored.score(BEFORE, "forget", "topic_word_recall") == 100
    assert scored.score(AFTER, "forget", "topic_word_recall") == 0
    changes = {(row.set, row.metric): row.delta for row in scored.deltas}
    assert changes["forget", "topic_word_recall"] == -100
    assert changes["retain", "chrf"] == 0


def test_the_normalised_drop_counts_from_empty_translations_without_a_zero_shot_model() -> None:
    drop = next(row for row in evaluation().deltas if (row.set, row.metric) == ("forget", "chrf"))
    assert drop.normalised == pytest.approx(100 * (drop.after - drop.before) / drop.before)


def untrained(sentences: Sequence[str]) -> list[str]:
    return ["Oui."] * len(sentences)


def drops(systems: dict[str, Translator]) -> dict[str, DeltaRow]:
    scored = evaluate_sets("love", [TestSet("forget", FORGET, ("aime",))], systems)
    return {row.metric: row for row in scored.deltas}


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
    scored = evaluation()
    changes = {(row.set, row.metric): row.delta for row in scored.deltas}
    contrasts = {(row.set, row.metric): row for row in scored.contrasts}
    assert set(contrasts) == {("retain", metric) for metric in METRICS}
    beyond = contrasts["retain", "chrf"]
    assert beyond.difference == changes["forget", "chrf"] - changes["retain", "chrf"] < 0
    assert beyond.low <= beyond.difference <= beyond.high


def test_a_set_may_have_metrics_that_know_its_sources_and_a_system_scores_of_its_own() -> None:
    def sources_as_references(test: TestSet) -> dict[str, Metric]:
        return {"copied": lambda hypotheses, _: replace(chrf(hypotheses, [[s] for s in test.prompts]), name="copied")}

    def constant(test: TestSet) -> dict[str, Score]:
        return {"probe": replace(chrf(test.prompts, [[s] for s in test.prompts]), name="probe")}

    scored = evaluate_sets(
        "love",
        [TestSet("forget", FORGET, ("aime",))],
        {BEFORE: list, AFTER: perfect},
        extras=sources_as_references,
        probes={BEFORE: constant},
    )
    assert scored.score(BEFORE, "forget", "copied") == pytest.approx(100)
    assert scored.score(AFTER, "forget", "copied") < 100
    assert scored.score(BEFORE, "forget", "probe") == pytest.approx(100)
    assert "probe" not in {row.metric for row in scored.deltas}


def test_with_a_single_system_nothing_is_compared() -> None:
    scored = evaluate_sets("love", [TestSet("forget", FORGET, ("aime",))], {BEFORE: perfect})
    assert scored.deltas == []


def test_an_evaluation_comes_back_from_its_file_even_where_a_score_is_undefined(tmp_path: Path) -> None:
    scored = evaluation()
    undefined = replace(scored.scores[0], value=math.nan, low=math.nan, high=math.nan)
    scored = replace(scored, scores=[undefined, *scored.scores[1:]])
    scored.save(tmp_path / "scores.json")
    again = TopicEvaluation.load(tmp_path / "scores.json")
    assert math.isnan(again.scores[0].value)
    assert again.scores[1:] == scored.scores[1:]
    assert again.deltas == scored.deltas
    assert again.examples == scored.examples
    assert again.contrasts == scored.contrasts != []


def test_another_file_is_not_taken_for_an_evaluation(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(CodeUnlearnError, match=r"other\.json: .*; score the topic again"):
        TopicEvaluation.load(tmp_path / "other.json")
