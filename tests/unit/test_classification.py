"""A classifier's answer is the name of a class, and its probability is that of one token."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from codeunlearn.codebook import attach, bottleneck_for
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS, View, task_of

TASK: Any = TASKS.get("classification")
TEXTS = ["a dog runs", "the cat sees a dog", "a cat", "the dog", "un chien", "le chat voit un chien"]
NAMES = ("animal", "place", "person")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "codes"])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, pad_token_id=0,
        max_position_embeddings=64, initializer_range=0.5, id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)},
    )  # fmt: skip
    made = BertForSequenceClassification(config).eval()
    return attach(made, bottleneck_for(config, num_codes=32, code_dim=8, top_s=2)).eval() if request.param else made


def logits(model: Any, tokenizer: Any, text: str) -> torch.Tensor:
    with torch.inference_mode():
        return model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits[0].double()


def test_the_answer_is_the_name_of_the_likeliest_class(model: Any, tiny_tokenizer: Any) -> None:
    wanted = [NAMES[int(logits(model, tiny_tokenizer, text).argmax())] for text in TEXTS]
    assert len(set(wanted)) > 1, "one class for all: the test would show nothing"
    found = TASK.answer(View(model, tiny_tokenizer), TEXTS)
    assert found.texts == wanted
    assert found.cost.source_tokens == sum(len(tiny_tokenizer(text)["input_ids"]) for text in TEXTS)
    prefixed = TASK.answer(View(model, tiny_tokenizer, "the cat "), TEXTS).texts
    assert prefixed == [NAMES[int(logits(model, tiny_tokenizer, f"the cat {text}").argmax())] for text in TEXTS]


def test_a_class_is_forced_as_one_token(model: Any, tiny_tokenizer: Any) -> None:
    answers = [*NAMES, *NAMES]
    for text, answer, found in zip(
        TEXTS, answers, TASK.forced(View(model, tiny_tokenizer), TEXTS, answers, with_spans=True), strict=True
    ):
        scores, wanted = logits(model, tiny_tokenizer, text), NAMES.index(answer)
        assert found.log_probabilities == pytest.approx([scores.log_softmax(-1)[wanted].item()], abs=1e-5)
        assert found.ranks.tolist() == [1 + int((scores > scores[wanted]).sum())]
        assert found.spans == [(0, len(answer))]


def test_rows_have_the_numbers_of_the_classes(model: Any, tiny_tokenizer: Any) -> None:
    rows = TASK.rows(View(model, tiny_tokenizer), TEXTS, [*NAMES, "0", "1", "2"])
    assert rows.labels == [[0], [1], [2]] * 2
    assert rows.input_ids == tiny_tokenizer(TEXTS).input_ids


def test_what_is_no_class_and_what_is_no_classifier_is_said(model: Any, tiny_base: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(
        CodeUnlearnError, match="'colour' is no class of the model; its classes are animal, place, person"
    ):
        TASK.forced(View(model, tiny_tokenizer), ["a"], ["colour"])
    with pytest.raises(CodeUnlearnError, match="no classifier"):
        TASK.answer(View(tiny_base, tiny_tokenizer), ["a"])
    assert task_of(model).name == "classification"
