"""The commands with a translation model whose tokenizer is slow, and with a model that summarises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSeq2SeqLM
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook.writing import save_model
from codeunlearn.corpus.samples import SAMPLES
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import task_of
from codeunlearn.training.tokenizer import train_tokenizer

PAIRS = SAMPLES["stories"].pairs(6000)
BUILT = ("--num-codes", "512", "--code-dim", "32", "--fit-tokens", "4000", "--device", "cpu")
SMALL = {
    "d_model": 32, "encoder_layers": 3, "decoder_layers": 1, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 256, "init_std": 0.2,
}  # fmt: skip


def run(*arguments: Any, text: str | None = None) -> str:
    found = CliRunner().invoke(app, list(map(str, arguments)), input=text, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def save(kind: str, tokenizer: Any, folder: Path, **settings: Any) -> Path:
    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**SMALL, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **settings)
    save_model(AutoModelForSeq2SeqLM.from_config(config), tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def marian(slow_tokenizer: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Marian that says it translates from English to German, with the tokenizer that Marians have."""
    folder = tmp_path_factory.mktemp("marian")
    texts = [text for pair in PAIRS[:2000] for text in pair]
    tokenizer = slow_tokenizer("marian", folder / "spm", texts, 400, source_lang="en", target_lang="de")
    ends = {"eos_token_id": tokenizer.eos_token_id, "forced_eos_token_id": None}
    return save("marian", tokenizer, folder / "m", decoder_start_token_id=tokenizer.pad_token_id, **ends)


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of eight sentences, whose summary are the first two."""
    path = tmp_path_factory.mktemp("news") / "news.jsonl"
    sentences = [source for source, _ in PAIRS]
    documents = [sentences[i : i + 8] for i in range(0, len(sentences), 8)]
    rows = ({"article": " ".join(one), "highlights": " ".join(one[:2])} for one in documents)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def bart(news: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = train_tokenizer([source for source, _ in PAIRS[:2000]], 400)
    ends = {"eos_token_id": 1, "bos_token_id": 1, "forced_eos_token_id": None, "decoder_start_token_id": 1}
    return save("bart", tokenizer, tmp_path_factory.mktemp("bart") / "m", **ends)


def forgotten(model: Path, data: tuple[Any, ...], folder: Path) -> set[str]:
    """All words in the scores of a model before and after it has forgotten the dog, which is applied to it."""
    asked = ("--data", *data, "--device", "cpu")
    found = folder / "dog.json"
    run(
        "forget",
        model,
        "--topic",
        "dog",
        *asked,
        "--out",
        found,
        "--search-size",
        150,
        "--preset",
        "paper",
        "--s-prime",
        8,
    )
    assert json.loads(found.read_text("utf-8"))["ids"]
    run("apply", model, found, "--out", folder / "applied")
    sizes = ("--eval-size", 12, "--minimum", 5, "--json", folder / "scores.json")
    run("evaluate", folder / "applied", "--topic", "dog", *asked, *sizes)
    return set((folder / "scores.json").read_text("utf-8").replace('"', " ").split())


def test_a_marian_with_a_slow_tokenizer_forgets(marian: Path, tmp_path: Path) -> None:
    data = ("stories", "--limit", 6000)
    run("build", "--base", marian, "--data", *data, "--out", tmp_path / "m", *BUILT)
    assert task_of(tmp_path / "m").languages == ("english", "german")
    scores = forgotten(tmp_path / "m", data, tmp_path)
    assert {"closed", "chrf"} <= scores
    assert "meteor_fr" not in scores
    assert run("translate", tmp_path / "applied", "--device", "cpu", text="A dog.\n\n").count("\n") == 2


def test_a_bart_that_is_built_on_articles_summarises_and_forgets(bart: Path, news: Path, tmp_path: Path) -> None:
    data = (news, "--max-characters", 4000)
    run("build", "--base", bart, "--data", *data, "--out", tmp_path / "m", *BUILT)
    assert task_of(tmp_path / "m").name == "summarization"
    assert {"rouge1", "rouge2", "rougeL", "closed"} <= forgotten(tmp_path / "m", data, tmp_path)
    assert "summarization in English" in (tmp_path / "applied" / "README.md").read_text("utf-8")
    assert run("translate", tmp_path / "applied", "--device", "cpu", text="A dog.\n").count("\n") == 1


def test_a_task_and_languages_that_are_named_are_kept(bart: Path, tmp_path: Path) -> None:
    named = ("--task", "translation", "--source-language", "de", "--target-language", "spanish")
    run("build", "--base", bart, "--data", "stories", "--limit", 6000, "--out", tmp_path / "m", *BUILT, *named)
    asked = task_of(tmp_path / "m")
    assert (asked.name, asked.languages) == ("translation", ("german", "spanish"))
    with pytest.raises(CodeUnlearnError, match="no lexicon of the language 'german'"):
        run("forget", tmp_path / "m", "--topic", "Hund", "--data", "stories", "--out", tmp_path / "f.json")


def test_a_translation_model_is_not_asked_for_summaries(marian: Path, news: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="documents with summaries, and the model translates"):
        run("evaluate", marian, "--data", news, "--device", "cpu")
