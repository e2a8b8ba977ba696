"""What a topic's evaluation compares, with translators that are plain functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codeunlearn.corpus.topic_sets import Pair
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.protocol import AFTER, BEFORE, TestSet, TopicEvaluation, evaluate_sets

FORGET = [Pair("I love you.", "Je t'aime.", ("Je t'aime.",)), Pair("She loves me.", "Elle m'aime.", ("Elle m'aime.",))]
RETAIN = [Pair("It rains.", "Il pleut.", ("Il pleut.",))]
REFERENCES = {pair.source: pair.target for pair in FORGET + RETAIN}


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


def test_another_file_is_not_taken_for_an_evaluation(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(CodeUnlearnError, match="not an evaluation"):
        TopicEvaluation.load(tmp_path / "other.json")
