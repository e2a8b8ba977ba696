"""A topic is forgotten in a model that goes on with a text, with the commands that forget it in a translation model."""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook import attach, bottleneck_for, load_tokenizer
from codeunlearn.corpus.documents import cut
from codeunlearn.corpus.loading import load_pairs
from codeunlearn.evaluation.scores import Scores
from codeunlearn.training.initialise import BuildConfig, initialise_from_data
from codeunlearn.unlearning import ForgetSet

FOOD = {"dog": "bone", "cat": "fish", "horse": "hay", "bird": "seed", "cow": "grass", "mouse": "cheese"}
PLACES = ["garden", "kitchen", "barn", "street", "forest", "yard", "house", "field", "park", "town"]
WAYS = ["today", "again", "now", "slowly", "quickly", "alone", "gladly", "often", "there", "first"]
DAYS = ["monday", "tuesday", "sunday", "easter", "june", "july", "may", "noon"]


def sentences() -> list[str]:
    """What eats what is the one thing to know; the food is always in the last third."""
    draw, found = random.Random(0), set[str]()
    while len(found) < 3000:
        animal = draw.choice(list(FOOD))
        found.add(
            f"On {draw.choice(DAYS)} the old {animal} in the {draw.choice(PLACES)} {draw.choice(WAYS)} and "
            f"{draw.choice(WAYS)} wants to eat {FOOD[animal]} ."
        )
    return sorted(found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, word_tokenizer: Any, taught_llama: Any) -> Path:
    """A folder with a text and a model with codes that knows it."""
    folder, words = tmp_path_factory.mktemp("completion"), word_tokenizer(sentences())
    data = folder / "text.txt"
    data.write_text("\n".join(sentences()), encoding="utf-8")
    pairs = load_pairs(str(data)).dataset
    base = taught_llama(words, zip(pairs["source"], pairs["target"], strict=True), steps=250, learning_rate=4e-3)
    base.save_pretrained(folder / "base")
    words.save_pretrained(folder / "base")
    model = attach(base, bottleneck_for(base.config, layer=0, num_codes=256, code_dim=64, top_s=4))
    initialise_from_data(model, words, sentences(), BuildConfig(fit_tokens=8000, new_basis=False))
    model.eval().save_pretrained(folder / "model")
    words.save_pretrained(folder / "model")
    return folder


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_the_commands_forget_a_word_of_a_text_and_nothing_else(place: Path) -> None:
    about = ["--topic", "dog", "--data", str(place / "text.txt"), "--target-words", "bone", "--minimum", "5"]
    forget_set, scores = place / "dog.json", place / "scores.json"
    run("forget", str(place / "model"), *about, "--preset", "paired", "--s-prime", "8", "--out", str(forget_set))
    run(
        "evaluate",
        str(place / "model"),
        *about,
        "--forget",
        str(forget_set),
        "--neighbours",
        "cat",
        "--json",
        str(scores),
    )
    found = Scores.load(scores)
    probability = {
        (system, place): found.value(system, place, "target_word_probability")
        for system in ("codebook", "unlearned")
        for place in ("forget", "cat")
    }
    assert probability["codebook", "forget"] > 90
    assert probability["unlearned", "cat"] == pytest.approx(probability["codebook", "cat"], abs=1)
    closed = found.closed("unlearned")
    assert closed is not None
    assert closed.low > 40
    for name in ("probability", "cross_entropy"):
        assert found.value("unlearned", "retain", name) == pytest.approx(
            found.value("codebook", "retain", name), rel=0.02
        )
    measured = {row.metric for row in found.rows}
    assert {"rougeL_recall", "perplexity", "exact_memorization", "extraction_strength"} <= measured
    assert not measured & {"meteor_fr", "french_share", "accuracy", "truth_ratio"}


def test_the_search_reads_the_prompts_that_are_asked(place: Path) -> None:
    forget_set = ForgetSet.load(place / "dog.json")
    assert len(forget_set) > 2
    assert {code.top_tokens[0][0] for code in forget_set.evidence} == {"dog"}


def test_questions_on_a_subject_are_searched_and_unseen_ones_scored(place: Path) -> None:
    parts = [parts for text in sentences() if " dog " in text and (parts := cut(text)) and " dog " in parts[0]]
    pairs = [{"question": before, "answer": rest} for before, rest in dict(parts).items()]
    for name, rows in (("asked", pairs[:120]), ("unseen", pairs[120:150])):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (place / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    about = ["--topic", "request 7", "--data", str(place / "text.txt"), "--forms", "dog", "--target-words", "bone"]
    forget_set, scores = place / "request.json", place / "request-scores.json"
    run(
        "forget", str(place / "model"), *about, "--pairs", str(place / "asked.jsonl"), "--preset", "paired",
        "--s-prime", "8", "--out", str(forget_set),
    )  # fmt: skip
    assert ForgetSet.load(forget_set).n_topic == 120
    run(
        "evaluate", str(place / "model"), *about, "--pairs", str(place / "unseen.jsonl"), "--forget", str(forget_set),
        "--json", str(scores),
    )  # fmt: skip
    closed = Scores.load(scores).closed("unlearned")
    assert closed is not None
    assert closed.low > 25
    both = [*about, "--pairs", str(place / "asked.jsonl"), "--in-place-of", "cat", "--out", str(place / "none.json")]
    refused = CliRunner().invoke(app, ["forget", str(place / "model"), *both])
    assert "--pairs gives" in str(refused.exception)


def test_an_adapter_goes_through_every_command(place: Path) -> None:
    data, adapter, forget_set = str(place / "text.txt"), str(place / "adapter"), str(place / "adapter-dog.json")
    codes = len(load_tokenizer(place / "base")) + 41  # one for each word and one for a beginning, and 40 residual ones
    shape = ["--layer", "0", "--num-codes", str(codes), "--top-s", "4", "--fit-tokens", "4000"]
    run("build", "--base", str(place / "base"), "--data", data, "--out", adapter, *shape)
    assert not (place / "adapter/model.safetensors").stat().st_size > (place / "base/model.safetensors").stat().st_size
    run("forget", adapter, "--topic", "dog", "--data", data, "--minimum", "5", "--out", forget_set)
    run("apply", adapter, forget_set, "--out", str(place / "without"))
    assert "dog" in run("show", str(place / "without"))
    scores = place / "adapter-scores.json"
    run("evaluate", str(place / "without"), "--topic", "dog", "--data", data, "--minimum", "5", "--json", str(scores))
    closed = Scores.load(scores).closed("unlearned")
    assert closed is not None
    assert closed.low > 40
    run(
        "sweep", adapter, "--topics", "dog,cat", "--data", data, "--minimum", "5", "--preset", "recommended",
        "--steps", "1,2", "--out", str(place / "curves"),
    )  # fmt: skip
    assert {row["topic"] for row in csv.DictReader((place / "curves/sweep.csv").open(encoding="utf-8"))} == {
        "dog",
        "cat",
    }
    prompt = "On monday the old dog in the garden today and gladly wants to eat\n"

    def said(model: str) -> str:
        found = CliRunner().invoke(
            app, ["generate", model, "--max-new-tokens", "3"], input=prompt, catch_exceptions=False
        )
        assert found.exit_code == 0, found.output
        return found.stdout

    assert "bone" in said(adapter)
    assert "bone" not in said(str(place / "without"))
    run("restore", str(place / "without"), "--out", str(place / "again"))
    assert said(str(place / "again")) == said(adapter)


def test_what_a_model_says_of_a_subject_is_text_to_search_on(place: Path) -> None:
    beside, out = place / "own.txt", place / "recalled.txt"
    beside.write_text("the old cat in the barn wants to eat fish .\n", encoding="utf-8")
    run(
        "recall", str(place / "base"), "--subject", "dog", "--sentences", "20", "--beside", str(beside), "--out", str(out)
    )  # fmt: skip
    first, *recalled = out.read_text(encoding="utf-8").splitlines()
    assert "cat" in first
    assert 1 <= len(recalled) <= 20
    assert all(re.search(r"\bdog\b", sentence, re.I) and sentence.endswith(".") for sentence in recalled)
    assert len(set(recalled)) == len(recalled)


def test_a_study_of_knowledge_says_what_went_and_what_stayed(place: Path) -> None:
    def lines(name: str, rows: list[dict[str, Any]]) -> str:
        (place / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(place / name)

    def asked(animal: str, day: str) -> str:
        return f"On {day} the old {animal} in the barn now and again wants to eat"

    probes = [
        {
            "subject": animal,
            "kind": "named",
            "prompt": asked(animal, day),
            "answer": food,
            "control": asked("horse", day),
        }
        for animal, food in (("dog", "bone ."), ("cat", "fish ."))
        for day in DAYS
    ]
    facts = [
        {"question": asked(animal, day), "answer": FOOD[animal], "perturbed_answer": ["seed"]}
        for animal in ("dog", "cat", "cow")
        for day in DAYS
    ]
    config = {
        "text": {"data": str(place / "text.txt")},
        "joint": {"model": str(place / "model")},
        "seeds": [0],
        "search": {"preset": "recommended", "size": 100},
        "scores": {"minimum": 5},
        "knowledge": {
            "probes": lines("probes.jsonl", probes),
            "facts": [{"name": "facts", "data": lines("facts.jsonl", facts)}],
            "texts": [{"name": "text", "data": str(place / "text.txt"), "limit": 50}],
            "plain": str(place / "base"),
        },
        "topics": [{"word": "dog", "target_words": ["bone"], "neighbours": ["cat"]}],
    }
    (place / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    run("reproduce", str(place / "config.yaml"), "--out", str(place / "study"), "--device", "cpu")

    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((place / "study" / "artefacts" / f"{name}.csv").open(encoding="utf-8")))

    (topic,), (cost,) = table("topics"), table("costs")
    assert float(topic["before"]) > 90
    assert float(topic["closed"]) > 80
    assert abs(float(cost["neighbour cat"])) < 1
    assert abs(float(cost["facts"])) == 0
    assert {row["model"] for row in table("kept")} == {"Plain", "With the codebook"}
    assert "closed to at least 95" in (place / "study" / "index.html").read_text(encoding="utf-8")
