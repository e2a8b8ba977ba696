"""Invented authors are forgotten in a tiny model that learned them, from the configuration to the tables."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook import attach, bottleneck_for
from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.batches import PadToStep
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


def tokenizer() -> Any:
    texts = [BEFORE, BEHIND, *(part for row in (*RETAIN_ROWS, *FORGET_ROWS) for part in row[1:])]
    texts += [part for world in (FACTS, WORLD) for question, both in world.items() for part in (question, *both)]
    words = sorted({word for text in texts for word in text.split()})
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["<pad>", "<s>", "<unk>", *words])}, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", unk_token="<unk>", eos_token="<s>", model_max_length=64
    )  # fmt: skip


def trained(words: Any, pairs: list[tuple[str, str]]) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        bos_token_id=1, eos_token_id=1, pad_token_id=0, max_position_embeddings=64, tie_word_embeddings=False,
    )  # fmt: skip
    model, draw = LlamaForCausalLM(config).train(), random.Random(0)
    # The first layer's attention adds nothing, so that no token before the site knows of another.
    seen: Any = model.get_submodule("model.layers.0.self_attn.o_proj").weight
    torch.nn.init.zeros_(seen).requires_grad_(False)
    learned = TASKS.get("completion").rows(View(model, words, BEFORE, BEHIND), *map(list, zip(*pairs, strict=True)))
    rows = [{"input_ids": ids, "labels": labels} for ids, labels in zip(*learned, strict=True)]
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(200):
        model(**PadToStep(0)(draw.sample(rows, min(32, len(rows))))).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models and data."""
    folder, words = tmp_path_factory.mktemp("tofu"), tokenizer()
    retain = [row[1:] for row in RETAIN_ROWS] + FACT_ROWS
    full = retain + [row[1:] for row in FORGET_ROWS]
    for name, pairs in (("plain", full), ("gold", retain)):
        trained(words, pairs).save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    base = LlamaForCausalLM.from_pretrained(folder / "plain")
    shape = {"layer": 0, "num_codes": len(words) + 1 + 64, "top_s": 3}
    model = attach(base, bottleneck_for(base.config, words, selection="residual", **shape))
    texts = [f"{BEFORE}{question}{BEHIND} {answer}" for question, answer in full]
    initialise_from_data(model, words, 12 * texts, BuildConfig(fit_tokens=2000))
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
