"""What a command is told about a topic is used, or refused in one sentence; never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.cli.options import TopicWords
from codeunlearn.cli.topic_options import read_topic, refuse_without_topic, topic_sets
from codeunlearn.errors import CodeUnlearnError


def test_a_topic_is_given_in_one_way(tmp_path: Path) -> None:
    request = tmp_path / "request.txt"
    request.write_text("Anna lives in Rouen.\n", encoding="utf-8")
    assert read_topic("love").forms[0] == "love"
    assert read_topic("x", TopicWords("amity,bond")).forms == ("amity", "bond")
    assert read_topic("x", TopicWords(sentences=request)).kind == "sentences"
    for forms in ("amity", "", ","):
        with pytest.raises(CodeUnlearnError, match="by --forms or by --sentences, not both"):
            read_topic("x", TopicWords(forms, request))


def test_an_empty_list_is_no_list() -> None:
    with pytest.raises(CodeUnlearnError, match="'x' has no forms"):
        read_topic("x", TopicWords(","))
    for listed in ("", ",", " , "):
        with pytest.raises(CodeUnlearnError, match="--target-words names no word"):
            topic_sets({}, read_topic("love"), target=listed)


def test_options_about_a_topic_need_one() -> None:
    refuse_without_topic(TopicWords(), None)
    for given in ("love", ""):
        with pytest.raises(CodeUnlearnError, match="--target-words describes a topic, and there is none"):
            refuse_without_topic(TopicWords(target_words=given), None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "M", "--data", "absent.tsv", "--neighbours", "like"],
        ["evaluate", "M", "--data", "absent.tsv", "--forms", "love"],
        ["evaluate", "M", "--data", "absent.tsv", "--sentences", "absent.txt"],
        ["evaluate", "M", "--data", "absent.tsv", "--target-words", "amour"],
        ["sweep", "M", "--data", "absent.tsv", "--out", "absent", "--topics", "love", "--target-words", "like=aimer"],
        [
            "forget",
            "M",
            "--data",
            "absent.tsv",
            "--out",
            "absent",
            "--topic",
            "love",
            "--forms",
            "a",
            "--sentences",
            "b",
        ],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_an_option_that_would_be_ignored_is_refused_before_any_work(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, CodeUnlearnError)
    assert "leave" in str(result.exception)
