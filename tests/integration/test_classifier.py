"""A class's words are forgotten in a classifier with the commands that forget a topic in other models."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.evaluation.scores import Scores

TOPICS = {
    "music": ["song", "piano", "guitar", "concert"],
    "animals": ["dog", "cat", "horse", "bird"],
    "school": ["teacher", "lesson", "exam", "pupil"],
}
WAYS = ["today", "again", "now", "slowly", "often", "there", "alone", "gladly"]
FRAMES = [
    "we talk of the {} {} and {}",
    "there was a {} here {} {}",
    "i think of her {} {} and {}",
    "the {} is {} and {} old",
]


def run(*arguments: str, said: str = "") -> str:
    found = CliRunner().invoke(app, list(arguments), input=said, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled text and a classifier with codes."""
    folder, draw, seen = tmp_path_factory.mktemp("classifier"), random.Random(0), dict[str, str]()
    while len(seen) < 700:
        label = draw.choice(list(TOPICS))
        seen[draw.choice(FRAMES).format(draw.choice(TOPICS[label]), *draw.choices(WAYS, k=2))] = label
    rows = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in seen.items())
    (folder / "topics.jsonl").write_text(rows, encoding="utf-8")
    data, shape = ["--data", str(folder / "topics.jsonl")], ["--num-codes", "256", "--top-s", "4", "--layer", "0"]
    run(
        "train", "--base", "bert-tiny", *data, *shape, "--plain-epochs", "4", "--epochs", "4", "--batch-tokens", "1024",
        "--out", str(folder / "model"),
    )  # fmt: skip
    return folder


def test_the_words_of_a_class_are_forgotten_and_other_classes_stay(place: Path) -> None:
    model, data, scores = str(place / "model"), ["--data", str(place / "topics.jsonl")], place / "scores.json"
    about = ["--topic", "animals", "--forms", ",".join(TOPICS["animals"]), *data, "--minimum", "5"]
    run("forget", model, *about, "--preset", "paired", "--s-prime", "16", "--out", str(place / "animals.json"))
    run("evaluate", model, *about, "--forget", str(place / "animals.json"), "--json", str(scores))
    found = Scores.load(scores)
    accuracy = {one: found.value(one, place, "accuracy") for one in ("codebook", "unlearned") for place in ("retain",)}
    assert found.value("codebook", "forget", "accuracy") > 90
    assert found.value("unlearned", "forget", "accuracy") < 60
    assert accuracy["unlearned"] > accuracy["codebook"] - 10


def test_a_classifier_without_a_class_is_saved_asked_and_restored(place: Path) -> None:
    model, without = str(place / "model"), str(place / "without")
    run("apply", model, str(place / "animals.json"), "--out", without)
    sentence = "we talk of the horse today and again\n"
    assert "animals" in run("classify", model, said=sentence)
    assert "animals" not in run("classify", without, said=sentence)
    assert "animals" in run("show", without)
    run("restore", without, "--out", str(place / "again"))
    assert run("classify", str(place / "again"), said=sentence) == run("classify", model, said=sentence)
