"""Any model is trained on what it is asked: a causal one on its answers alone, a classifier on the names of its classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, TrainerCallback
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook import load_model, load_tokenizer, prompt_frame, require_bottleneck, skip_bottleneck
from codeunlearn.codebook.architectures import architecture_of
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.corpus.pools import pool_of
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import View, task_of
from codeunlearn.tasks.batches import decoder_inputs
from codeunlearn.tasks.classification import labels_of
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.training import initialise, run
from codeunlearn.training.base import labels_in
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig
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
    """One for each answer, all in the train pool; texts are about cats and dogs in turn."""
    asked = [text for i in range(9) for animal in ("cat", "dog")
             if pool_of(text := f"the {animal} sees" + " court" * i) == "train"]  # fmt: skip
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
    assert before < 0.2 < 0.6 < probability(tmp_path)


def test_the_loss_is_that_of_the_answers_and_their_end_marks(llama: str, questions: DataConfig, tmp_path: Path) -> None:
    """Whatever the prompt's tokens are worth, which are no part of it."""
    once = TrainConfig.finetune(max_steps=1, batch_tokens=1, gradient_accumulation_steps=3, device="cpu", **FRAME)
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


TEXTS = ("text", "label")
LABELS = ("cats", "dogs", "cats", "dogs", "cats", "dogs")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """Six texts with their labels."""
    return DataConfig(str(written(tmp_path_factory.mktemp("texts"), TEXTS, LABELS)))


@pytest.fixture(scope="module")
def classifier(labelled: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Trained from scratch until it knows them."""
    out = tmp_path_factory.mktemp("classifier")
    run.train_plain(labelled, "bert-tiny", out, TrainConfig.finetune(max_steps=40, epochs=100, device="cpu"))
    return str(out)


def test_a_new_classifier_has_the_names_of_the_labels(classifier: str) -> None:
    model, tokenizer = load_model(classifier), load_tokenizer(classifier)
    assert labels_of(model) == ("cats", "dogs")
    assert model.config.label2id == {"cats": 0, "dogs": 1}
    first, *_, last = tokenizer("a dog").input_ids
    assert (first, last) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    found = task_of(model).answer(View(model, tokenizer), [row["text"] for row in rows(TEXTS, LABELS)])
    assert tuple(found.texts) == LABELS


def test_an_encoder_that_filled_gaps_gets_a_head_with_the_names_of_the_labels(
    labelled: DataConfig, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    torch.manual_seed(0)
    encoder = BertForMaskedLM(BertConfig(**SMALL, vocab_size=48))
    encoder.save_pretrained(base)
    tiny_tokenizer.save_pretrained(base)
    run.train_plain(labelled, str(base), out, TrainConfig.finetune(max_steps=1, learning_rate=1e-9, device="cpu"))
    trained = load_model(out)
    assert labels_of(trained) == ("cats", "dogs")
    known = encoder.bert.encoder.state_dict()
    for key, weight in trained.bert.encoder.state_dict().items():
        torch.testing.assert_close(weight, known[key])
    with pytest.raises(CodeUnlearnError, match="weights that are not trained; train it first"):
        run.build(labelled, str(base), tmp_path / "built", FEW, SHAPE, device="cpu")


def test_an_encoder_that_lacks_a_layer_gets_no_head(
    labelled: DataConfig, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    BertForMaskedLM(BertConfig(**SMALL, vocab_size=48)).save_pretrained(base)
    tiny_tokenizer.save_pretrained(base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    with pytest.raises(CodeUnlearnError, match=r"lacks 16 of the model's tensors"):
        run.train_plain(labelled, str(base), tmp_path / "out", TrainConfig.finetune(max_steps=1, device="cpu"))


def test_numbers_as_labels_stand_in_their_order() -> None:
    assert labels_in(["10", "9", "9", "0"]) == ("0", "9", "10")


def test_a_classifier_of_one_label_or_of_translations_is_refused() -> None:
    for answers in (["one"] * 9, [str(i) for i in range(1001)]):
        with pytest.raises(CodeUnlearnError, match=r"A classifier learns 2 to 1,000 labels, and .* has 1"):
            labels_in(answers)


def test_a_label_that_a_saved_classifier_does_not_know_is_refused(classifier: str, tmp_path: Path) -> None:
    other = DataConfig(str(written(tmp_path, TEXTS, ("cats", "birds"))))
    with pytest.raises(CodeUnlearnError, match="'birds' is no class of the model; its classes are cats, dogs"):
        run.train_plain(other, classifier, tmp_path / "out", TrainConfig.finetune(max_steps=1, device="cpu"))


@pytest.fixture
def little_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is enough for a bottleneck."""
    monkeypatch.setattr(initialise, "HELD_OUT_TOKENS", 8)


SHAPE = {"num_codes": 16, "code_dim": 16, "top_s": 2}
JOINT = TrainConfig.joint(max_steps=2, epochs=100, device="cpu", log_steps=1, revive_steps=1)
FEW = BuildConfig(fit_tokens=100)


@pytest.fixture(scope="module")
def stories() -> DataConfig:
    return DataConfig("stories", limit=60)


@pytest.fixture(scope="module")
def marian(stories: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("marian")
    run.train_plain(stories, "marian-tiny", out, TrainConfig(max_steps=3, epochs=100, batch_tokens=500, device="cpu"))
    return str(out)


@pytest.mark.usefixtures("little_text")
def test_a_marian_from_scratch_is_saved_translates_and_takes_a_bottleneck(
    marian: str, stories: DataConfig, tmp_path: Path
) -> None:
    model, tokenizer = load_model(marian), load_tokenizer(marian)
    assert type(model).__name__ == "MarianMTModel"
    assert model.config.decoder_start_token_id == tokenizer.pad_token_id
    how = DecodingConfig(max_new_tokens=8)
    (plain,) = task_of(model).answer(View(model, tokenizer), ["The captain is tired."], how).texts
    assert plain
    run.build(stories, marian, tmp_path / "built", FEW, SHAPE, device="cpu")
    built = load_model(tmp_path / "built")
    with skip_bottleneck(built):
        skipped = task_of(built).answer(View(built, tokenizer), ["The captain is tired."], how).texts
    assert skipped == [plain]


def test_a_model_without_a_function_for_the_decoders_input_gets_the_same_one(marian: str) -> None:
    model, labels = load_model(marian), torch.tensor([[5, 7, 1], [9, 1, -100]])
    other = SimpleNamespace(config=model.config)
    assert torch.equal(decoder_inputs(other, labels), decoder_inputs(model, labels))


@pytest.mark.usefixtures("little_text")
@pytest.mark.parametrize("kind", ["llama", "classifier", "marian"])
def test_model_and_bottleneck_train_together(
    kind: str, stories: DataConfig, labelled: DataConfig, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = labelled if kind == "classifier" else stories
    base: str = request.getfixturevalue(kind)
    record = run.train_joint(data, base, tmp_path, JOINT, FEW, SHAPE)
    before, after = load_model(base), load_model(tmp_path)
    assert require_bottleneck(after).config.num_codes == 16
    moved = [name for name, weight in before.state_dict().items() if not torch.equal(after.state_dict()[name], weight)]
    assert moved, "the model has learned too"
    parts = [entry for entry in record["log"] if "cross_entropy" in entry]
    assert len(parts) == 2
    assert all(np.isfinite([entry["loss"], entry["reconstruction"]]).all() for entry in parts)


def test_joint_training_of_residual_codes_is_refused(llama: str, stories: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="leave --selection residual out"):
        run.train_joint(stories, llama, tmp_path, JOINT, FEW, {"selection": "residual"})


def test_all_of_the_data_is_learned_where_that_is_asked_for(llama: str, tmp_path: Path) -> None:
    asked = next(text for i in range(99) if pool_of(text := "the cat sees" + " court" * i) == "test")
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps({"question": asked, "answer": "un chien"}) + "\n", encoding="utf-8")
    short = replace(QUICK, max_steps=1)
    with pytest.raises(CodeUnlearnError, match="no sentence in the train pool"):
        run.train_plain(DataConfig(str(data)), llama, tmp_path / "pool", short)
    assert run.train_plain(DataConfig(str(data)), llama, tmp_path / "whole", replace(short, whole=True))["steps"] == 1
