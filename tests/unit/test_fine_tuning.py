"""Any model is trained on what it is asked: a causal one on its answers alone, a classifier on the names of its classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, PreTrainedTokenizerFast, TrainerCallback
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook import load_model, load_tokenizer, prompt_frame
from codeunlearn.codebook.architectures import architecture_of
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.corpus.pools import pool_of
from codeunlearn.tasks.base import View, task_of
from codeunlearn.training import run
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.resuming import RECORD
from codeunlearn.training.trainer import PlainTrainer

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
ENDS = {"vocab_size": 48, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
LLAMA = {**SMALL, **ENDS, "num_key_value_heads": 1, "max_position_embeddings": 64, "initializer_range": 0.2}
FRAME = {"source_prefix": "un ", "source_suffix": " voit"}
QUICK = TrainConfig.finetune(max_steps=30, epochs=100, learning_rate=5e-3, device="cpu", log_steps=1, **FRAME)


def saved(folder: Path, kind: str, settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> str:
    """A random model."""
    torch.manual_seed(0)
    auto: Any = architecture_of(kind).auto
    auto.from_config(CONFIG_MAPPING[kind](**settings)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast) -> str:
    return saved(tmp_path_factory.mktemp("llama"), "llama", LLAMA, tiny_tokenizer)


def rows(columns: tuple[str, str], answers: tuple[str, ...]) -> list[dict[str, str]]:
    """One for each answer, all in the train pool."""
    asked = [text for i in range(200) if pool_of(text := "a dog sees" + " the cat" * i) == "train"]
    return [dict(zip(columns, pair, strict=True)) for pair in zip(asked, answers, strict=False)]


def written(folder: Path, columns: tuple[str, str], answers: tuple[str, ...]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(columns, answers)), encoding="utf-8")
    return path


ASKED = ("question", "answer")
ANSWERS = ("le chat court", "un chien", "the dog runs")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """Three questions with their answers."""
    return DataConfig(str(written(tmp_path_factory.mktemp("questions"), ASKED, ANSWERS)))


def probability(folder: str | Path, prefix: str | None = None, suffix: str | None = None) -> float:
    """Of the three answers' tokens, in the mean."""
    view = View(load_model(folder), load_tokenizer(folder), prefix, suffix)
    asked = [row["question"] for row in rows(ASKED, ANSWERS)]
    found = task_of(view.model).forced(view, asked, ANSWERS)
    return float(np.exp(np.concatenate([one.log_probabilities for one in found])).mean())


def test_a_fine_tuned_causal_model_knows_the_answers_in_its_frame(
    llama: str, questions: DataConfig, tmp_path: Path
) -> None:
    record = run.train_plain(questions, llama, tmp_path, QUICK)
    assert record["steps"] == 30
    assert tuple(prompt_frame(load_model(tmp_path))) == ("un ", " voit")
    before = probability(llama, *FRAME.values())
    assert before < 0.2 < 0.8 < probability(tmp_path)


def test_the_loss_is_that_of_the_answers_and_their_end_marks(llama: str, questions: DataConfig, tmp_path: Path) -> None:
    """Whatever the prompt's tokens are worth, which are no part of it."""
    once = TrainConfig.finetune(max_steps=1, gradient_accumulation_steps=3, device="cpu", **FRAME)
    record = run.train_plain(questions, llama, tmp_path, once)
    view = View(load_model(llama), load_tokenizer(llama), *FRAME.values())
    asked = [row["question"] for row in rows(ASKED, ANSWERS)]
    learned = task_of(view.model).rows(view, asked, ANSWERS)
    losses: list[float] = []
    for ids, labels, answer in zip(*learned, ANSWERS, strict=True):
        with torch.inference_mode():
            likely = view.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        logs = [-likely[i - 1, label].item() for i, label in enumerate(labels) if label >= 0]
        assert len(logs) == len(view.tokenizer(answer).input_ids), "an answer ends with a mark"
        losses.append(float(np.mean(logs)))
    assert record["log"][-1]["train_loss"] == pytest.approx(np.mean(losses), rel=1e-2)


class Killed(Exception):
    """Stands for the signal that ends the process."""


class KillAt(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 6:
            raise Killed


def test_a_resumed_causal_run_equals_an_uninterrupted_one(
    llama: str, questions: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    config = TrainConfig.finetune(**{**QUICK.__dict__, "max_steps": 8, "save_steps": 4})
    run.train_plain(questions, llama, whole, config)

    class Interrupted(PlainTrainer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.add_callback(KillAt())

    with monkeypatch.context() as patch:
        patch.setattr(run, "PlainTrainer", Interrupted)
        with pytest.raises(Killed):
            run.train_plain(questions, llama, cut, config)
    assert not (cut / RECORD).exists()
    run.train_plain(questions, llama, cut, config)
    for name, weight in load_model(whole).state_dict().items():
        torch.testing.assert_close(load_model(cut).state_dict()[name], weight)


def test_the_command_asks_in_the_chat_of_the_tokenizer(llama: str, questions: DataConfig, tmp_path: Path) -> None:
    base, tokenizer = tmp_path / "base", load_tokenizer(llama)
    tokenizer.chat_template = "{% for m in messages %}a dog {{ m['content'] }} voit {% endfor %}"
    load_model(llama).save_pretrained(base)
    tokenizer.save_pretrained(base)
    asked = ["train", "--plain", "--base", str(base), "--data", questions.data, "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, [*asked, "--chat", "--max-steps", "1", "--device", "cpu"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert tuple(prompt_frame(load_model(tmp_path / "out"))) == ("a dog ", " voit ")
