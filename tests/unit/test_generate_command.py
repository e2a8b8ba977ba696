"""``codeunlearn generate`` and ``classify`` give one line for one line, each with its own kind of model."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from codeunlearn.cli import classify, generate
from codeunlearn.codebook import chat_frame, load_model, load_tokenizer
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.generating import DecodingConfig

LINES = ["a dog", "", "the cat\tsees", "</s> a"]


class Standard:
    """A standard stream as Python has it: text around bytes."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = BytesIO(content)


def tokenizer() -> Any:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = {piece: i for i, piece in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    made = Tokenizer(models.BPE(pieces, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", cls_token="<s>", model_max_length=64,
        chat_template="<s>{{ messages[0]['content'] }}: ",
    )  # fmt: skip


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(2)
    folder, words = tmp_path_factory.mktemp("causal"), tokenizer()
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.5, tie_word_embeddings=False,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(2)
    folder, words = tmp_path_factory.mktemp("classifier"), tokenizer()
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, pad_token_id=0,
        initializer_range=0.5, id2label={0: "animal", 1: "place"}, label2id={"animal": 0, "place": 1},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def said(monkeypatch: pytest.MonkeyPatch, command: Any, model: str, **options: Any) -> list[str]:
    out = Standard()
    monkeypatch.setattr(sys, "stdin", Standard("".join(f"{line}\n" for line in LINES).encode()))
    monkeypatch.setattr(sys, "stdout", out)
    command.run(model, device="cpu", **options)
    return out.buffer.getvalue().decode().split("\n")[:-1]


@pytest.mark.parametrize("chat", [False, True])
def test_a_line_is_answered_by_a_line(monkeypatch: pytest.MonkeyPatch, causal: str, chat: bool) -> None:
    found = said(monkeypatch, generate, causal, chat=chat, max_new_tokens=5)
    model, words = load_model(causal), load_tokenizer(causal)
    view = View(model, words, *chat_frame(words)) if chat else View(model, words)
    wanted = TASKS.get("completion").answer(
        view, ["a dog", "", "the cat sees", "</s> a"], DecodingConfig(max_new_tokens=5)
    )
    assert [line.split() for line in found] == [" ".join(text.split("\n")).split() for text in wanted.texts]
    assert len(set(found)) == 4


def test_every_line_has_its_class(monkeypatch: pytest.MonkeyPatch, classifier: str) -> None:
    found = said(monkeypatch, classify, classifier)
    assert len(found) == 4
    assert set(found) <= {"animal", "place"}


def test_a_model_of_another_kind_is_refused_with_its_own_command(
    monkeypatch: pytest.MonkeyPatch, causal: str, classifier: str, tiny_base: Any, tmp_path: Path
) -> None:
    tiny_base.save_pretrained(tmp_path)
    for command, model, other in (
        (generate, classifier, "classify"), (generate, str(tmp_path), "translate"), (classify, causal, "generate"),
    ):  # fmt: skip
        with pytest.raises(CodeUnlearnError, match=f"use: codeunlearn {other} "):
            said(monkeypatch, command, model)
