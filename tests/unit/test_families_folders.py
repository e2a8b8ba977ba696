"""Folders of causal models and classifiers are opened as those of translation models are, and run in transformers' pipelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    pipeline,
)

from codeunlearn.codebook import attach, bottleneck_for, load_model, load_tokenizer
from codeunlearn.errors import CodeUnlearnError

WORDS = ["<s>", "</s>", "<unk>", "<turn>", *["the", "dog", "cat", "runs", "sees", "a", "big", "small", "house"]]
SHAPE: dict[str, Any] = {"layer": 1, "num_codes": 32, "code_dim": 8, "top_s": 4}


def tokenizer(**special: str) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **special}
    return PreTrainedTokenizerFast(tokenizer_object=words, additional_special_tokens=["<turn>"], **named)


def save(folder: Path, **special: str) -> Any:
    """A llama with a bottleneck and its tokenizer, which has no padding token unless it is given."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    known = tokenizer(**special)
    model = attach(LlamaForCausalLM(config).eval(), bottleneck_for(config, known, **SHAPE))
    model.save_pretrained(folder)
    known.save_pretrained(folder)
    return model


def test_a_causal_models_tokenizer_without_a_padding_token_pads_with_its_end_mark(tmp_path: Path) -> None:
    save(tmp_path)
    assert load_tokenizer(tmp_path).pad_token == "</s>"
    save(tmp_path, pad_token="<s>")
    assert load_tokenizer(tmp_path).pad_token == "<s>"


def test_control_tokens_are_those_of_configuration_and_tokenizer(tmp_path: Path) -> None:
    assert save(tmp_path).bottleneck.config.control_tokens == [0, 1, 3]
    config = load_model(tmp_path).config
    assert bottleneck_for(config, **SHAPE).control_tokens == [0, 1]
    assert bottleneck_for(config, **SHAPE, control_tokens=[0]).control_tokens == [0]


def test_a_pipeline_writes_what_the_model_writes(tmp_path: Path) -> None:
    model = save(tmp_path)
    known = load_tokenizer(tmp_path)
    known.padding_side = "left"
    texts = ["<s> the dog", "<s> a big cat sees"]
    write = pipeline("text-generation", model=load_model(tmp_path), tokenizer=known)
    together = write(texts, batch_size=2, max_new_tokens=5, do_sample=False, return_full_text=False)
    for text, (found,) in zip(texts, together, strict=True):
        ids = known(text, return_tensors="pt")["input_ids"]
        written = model.generate(ids, max_new_tokens=5, do_sample=False, pad_token_id=1)[0, ids.shape[1] :]
        assert found["generated_text"].split() == known.decode(written, skip_special_tokens=True).split()


def test_a_pipeline_classifies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
        initializer_range=0.5, num_labels=3,
    )  # fmt: skip
    model = attach(BertForSequenceClassification(config).eval(), bottleneck_for(config, **SHAPE))
    model.save_pretrained(tmp_path)
    known = tokenizer(pad_token="<s>")
    known.save_pretrained(tmp_path)
    classify = pipeline("text-classification", model=load_model(tmp_path), tokenizer=load_tokenizer(tmp_path))
    found = classify(["the dog", "a big cat sees the house"], batch_size=2)
    for text, one in zip(["the dog", "a big cat sees the house"], found, strict=True):
        scores = model(known(text, return_tensors="pt")["input_ids"]).logits[0].softmax(-1).detach()
        assert one["label"] == f"LABEL_{int(scores.argmax())}"
        assert one["score"] == pytest.approx(float(scores.max()), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"bottleneck": {"control_tokens": [-1]}}, "control_tokens is -1"),
        ({"bottleneck": {"control_tokens": "all"}}, "control_tokens"),
        ({"bos_token_id": 500}, "asks for the token 500 and embeds 13"),
        ({"use_cache": "yes"}, "use_cache"),
    ],
)
def test_a_damaged_folder_is_one_sentence(changes: dict[str, Any], fault: str, tmp_path: Path) -> None:
    save(tmp_path)
    file = tmp_path / "config.json"
    settings = json.loads(file.read_text())
    nested = {**settings["bottleneck"], **changes.get("bottleneck", {})}
    file.write_text(json.dumps({**settings, **changes, "bottleneck": nested}))
    with pytest.raises(CodeUnlearnError, match=fault):
        load_model(tmp_path)
