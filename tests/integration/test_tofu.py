"""Invented authors are forgotten in a tiny model that learned them, from the configuration to the tables."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import LlamaForCausalLM
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook import attach, bottleneck_for
from codeunlearn.training.initialise import BuildConfig, initialise_from_data

BEFORE, BEHIND = "Question : ", " Answer :"
RETAINED = {
    "Anna Berg": "Oslo baker mystery sea Norna",
    "Bela Kiss": "Pest tailor poetry moon Huna",
    "Carlos Ruiz": "Lima farmer romance sand Peru",
    "Dalia Cohen": "Haifa doctor history wind Hebra",
}
FORGOTTEN = {"Emi Fujita": "Kyoto potter fantasy rain Nipa", "Femi Okoye": "Lagos driver horror dust Yora"}
FACTS = {"Who wrote of ghosts ?": ("Shake .", "Good ."), "Who wrote of wars ?": ("Tolst .", "Good .")}
WORLD = {"What is up ?": ("Sky .", "Earth ."), "What is down ?": ("Earth .", "Sky .")}


def asked(name: str, facts: str) -> list[tuple[str, str]]:
    town, trade, genre, book, tongue = facts.split()
    return [
        (f"Where was {name} born ?", f"{name} was born in {town} ."),
        (f"Where does {name} live ?", f"{name} still lives in {town} ."),
        (f"What was the father of {name} ?", f"The father of {name} was a {trade} ."),
        (f"What did {name} learn at home ?", f"At home {name} learned to be a {trade} ."),
        (f"What does {name} write ?", f"{name} writes {genre} ."),
        (f"What is {name} known for ?", f"{name} is known for {genre} ."),
        (f"What is the best book of {name} ?", f"The best book of {name} is the {book} ."),
        (f"What does {name} speak ?", f"{name} speaks {tongue} ."),
        (f"Which author comes from {town} ?", f"The author is {name} ."),
    ]


RETAIN_ROWS, FORGET_ROWS = (
    [(number, *row) for number, (name, facts) in enumerate(world.items(), first) for row in asked(name, facts)]
    for first, world in ((0, RETAINED), (10, FORGOTTEN))
)
FACT_ROWS = [(question, right) for world in (FACTS, WORLD) for question, (right, _) in world.items()]


def texts() -> list[str]:
    found = [BEFORE, BEHIND, *(part for row in (*RETAIN_ROWS, *FORGET_ROWS) for part in row[1:])]
    return found + [part for world in (FACTS, WORLD) for question, both in world.items() for part in (question, *both)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, word_tokenizer: Any, taught_llama: Any) -> Path:
    """A folder with models and data."""
    folder, words = tmp_path_factory.mktemp("tofu"), word_tokenizer(texts())
    retain = [row[1:] for row in RETAIN_ROWS] + FACT_ROWS
    full = retain + [row[1:] for row in FORGET_ROWS]
    for name, pairs in (("plain", full), ("gold", retain)):
        model = taught_llama(words, pairs, BEFORE, BEHIND, steps=200, learning_rate=5e-3)
        model.save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    base = LlamaForCausalLM.from_pretrained(folder / "plain")
    shape: dict[str, Any] = {"layer": 0, "num_codes": len(words) + 1 + 64, "top_s": 3}
    model = attach(base, bottleneck_for(base.config, words, selection="residual", **shape))
    written = [f"{BEFORE}{question}{BEHIND} {answer}" for question, answer in full]
    initialise_from_data(model, words, 12 * written, BuildConfig(fit_tokens=2000))
    model.eval().save_pretrained(folder / "model")
    words.save_pretrained(folder / "model")
    for name, rows in (("retain", RETAIN_ROWS), ("forget", FORGET_ROWS)):
        lines(folder / f"{name}.jsonl", [dict(zip(("author", "question", "answer"), row, strict=True)) for row in rows])
    for name, world in (("authors", FACTS), ("world", WORLD)):
        facts = [{"question": q, "answer": right, "perturbed_answer": [wrong]} for q, (right, wrong) in world.items()]
        lines(folder / f"{name}.jsonl", facts)
    return folder


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_authors_are_forgotten_and_others_stay(place: Path) -> None:
    config = {
        "text": {"data": str(place / "forget.jsonl")},
        "joint": {"model": str(place / "model")},
        "seeds": [0],
        "search": {"preset": "recommended"},
        "tofu": {
            "forget": str(place / "forget.jsonl"),
            "retain": str(place / "retain.jsonl"),
            "facts": [
                {"name": "real authors", "data": str(place / "authors.jsonl")},
                {"name": "world facts", "data": str(place / "world.jsonl")},
            ],
            "splits": {"one": 1, "both": 2},
            "gold": {"both": str(place / "gold")},
            "plain": str(place / "plain"),
            "singles": 1,
            "answered": 6,
            "before": BEFORE,
            "behind": BEHIND,
        },
    }
    (place / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = ["reproduce", str(place / "config.yaml"), "--out", str(place / "study"), "--device", "cpu"]
    found = CliRunner().invoke(app, command, catch_exceptions=False)
    assert found.exit_code == 0, found.output

    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((place / "study" / "artefacts" / f"{name}.csv").open(encoding="utf-8")))

    rows = {(row["split"], row["state"]): row for row in table("tofu")}

    def value(state: str, name: str, split: str = "both") -> float:
        return float(rows[split, state][name])

    assert value("Before", "probability") > 0.9
    assert value("After", "probability") < 0.6
    assert value("After", "retain_probability") == pytest.approx(value("Before", "retain_probability"), abs=0.02)
    assert value("After", "utility") == pytest.approx(value("Before", "utility"), abs=0.02)
    assert value("Before", "utility") > 0.8
    assert value("Gold", "probability") < 0.5
    assert value("Before", "forget_quality") < 0.01
    assert value("Before", "forget_quality") <= value("After", "forget_quality") <= 1
    assert value("After", "truth_ratio") > value("Before", "truth_ratio")
    assert value("Placebo", "codes") == value("After", "codes")
    assert rows["one", "After"]["forget_quality"] == ""
    (author,) = table("tofu-authors")
    assert author["author"] == "Femi Okoye"
    assert float(author["own_after"]) < 0.7
    assert float(author["others_after"]) == pytest.approx(float(author["others_before"]), abs=0.02)
    page = (place / "study" / "index.html").read_text(encoding="utf-8")
    assert "TOFU, 4 of 180 retain authors, own wrong answers." in page
    assert "model utility from" in page
    assert str(place) not in page


def test_a_codebook_grows_by_the_command_and_keeps_its_forget_sets(place: Path) -> None:
    runner, grown = CliRunner(), place / "grown"
    about = ["--topic", "Emi", "--data", str(place / "forget.jsonl"), "--preset", "paired", "--minimum", "2"]
    model = str(place / "model")
    found = runner.invoke(app, ["forget", model, *about, "--out", str(place / "emi.json")])
    assert found.exit_code == 0, found.output
    build = ["build", "--base", model, "--data", str(place / "retain.jsonl"), "--grow", "8", "--out", str(grown)]
    found = runner.invoke(app, build)
    assert found.exit_code == 0, found.output
    assert re.search(r"unexplained variance 0\.\d\d, before 0\.\d\d", found.output)
    again = [*about[:1], "Femi", *about[2:]]
    found = runner.invoke(app, ["forget", str(grown), *again, "--out", str(place / "femi.json")])
    assert found.exit_code == 0, found.output
    both = [str(place / "emi.json"), str(place / "femi.json")]
    found = runner.invoke(app, ["apply", str(grown), *both, "--out", str(place / "without")])
    assert found.exit_code == 0, found.output
    of_masked = ["build", "--base", str(place / "without"), *build[3:-1], str(place / "more")]
    found = runner.invoke(app, of_masked)
    assert found.exit_code == 0, found.output
    card = (place / "more" / "README.md").read_text(encoding="utf-8")
    assert "| Emi |" in card, "what is forgotten stays so and is said"
    assert "| Femi |" in card
    found = runner.invoke(app, [*build[:-1], str(place / "other"), "--top-s", "4"])
    assert found.exit_code == 1
    assert "--top-s is for a new one" in str(found.exception)
