"""``pipeline("translation", model=folder)`` translates with a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast, pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from codeunlearn.codebook import load_model
from codeunlearn.tasks.translation_pipeline import TranslationPipeline, register_translation

SENTENCES = ["a dog", "the cat sees a dog", "a cat runs"]
BRIEF = {"max_new_tokens": 6}


@pytest.fixture
def folder(tiny_model: Any, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    tiny_model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    return tmp_path


def by_hand(folder: Path, tokenizer: PreTrainedTokenizerFast, sentence: str, **options: Any) -> list[str]:
    ids = load_model(folder).generate(**tokenizer(sentence, return_tensors="pt"), **BRIEF, **options)
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_it_says_what_generate_says(folder: Path, tiny_tokenizer: PreTrainedTokenizerFast, batch_size: int) -> None:
    translator = pipeline("translation", model=str(folder), device=-1, batch_size=batch_size)
    assert isinstance(translator, TranslationPipeline)
    texts = [row["translation_text"] for row in translator(SENTENCES, **BRIEF)]
    assert texts == [by_hand(folder, tiny_tokenizer, sentence)[0] for sentence in SENTENCES]
    assert any(texts)


def test_one_sentence_gives_a_list_of_one(folder: Path, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    translator = pipeline("translation", model=str(folder), device=-1, **BRIEF)
    assert translator("a dog") == [{"translation_text": by_hand(folder, tiny_tokenizer, "a dog")[0]}]


def test_arguments_go_to_generate(folder: Path, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    translator = pipeline("translation", model=str(folder), device=-1, **BRIEF)
    options = {"num_beams": 3, "num_return_sequences": 2}
    rows = translator(SENTENCES, batch_size=2, **options)
    expected = [by_hand(folder, tiny_tokenizer, sentence, **options) for sentence in SENTENCES]
    assert [[row["translation_text"] for row in sequences] for sequences in rows] == expected


def test_the_source_prefix_is_put_before_every_sentence(
    folder: Path, tiny_model: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    tiny_model.config.source_prefix = "the cat "
    tiny_model.save_pretrained(folder)
    translator = pipeline("translation", model=str(folder), device=-1, **BRIEF)
    seen: list[Any] = []
    translator.model.encoder.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    translator("sees a dog")
    assert seen[0].tolist() == [tiny_tokenizer("the cat sees a dog").input_ids]


def test_a_task_that_transformers_has_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"impl": object, "pt": (), "type": "text"}
    monkeypatch.setitem(PIPELINE_REGISTRY.supported_tasks, "translation", theirs)
    register_translation()
    assert PIPELINE_REGISTRY.supported_tasks["translation"] is theirs
