"""Summaries are a task of encoder-decoder models: known by the data and the base, asked with a bound, scored by ROUGE."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import GenerationConfig

from codeunlearn.codebook import Frame, load_model
from codeunlearn.codebook.writing import save_model
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import METRICS, Outputs
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.tasks.base import TASKS, Example, View, task_of
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.tasks.summarization import LONGEST, Summarization
from codeunlearn.training.asked import Asked, set_asked

NOTHING = Asked(Frame(), None, "pairs", None, None)


def write(path: Path, *rows: dict[str, Any]) -> DataConfig:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return DataConfig(str(path))


@pytest.mark.parametrize("names", [("document", "summary"), ("article", "highlights"), ("Dialogue", "summary")])
def test_documents_and_summaries_are_known_by_their_columns(names: tuple[str, str], tmp_path: Path) -> None:
    rows = [dict(zip((*names, "id"), (f"A dog {i}. It runs.", f"A dog {i}.", f"x-{i}"), strict=True)) for i in range(4)]
    loaded = load_pairs(write(tmp_path / "d.jsonl", *rows))
    assert loaded.kind == "summaries"
    assert loaded.report.columns == names
    assert loaded.dataset["target"][0] == "A dog 0."


def test_documents_longer_than_a_sentence_may_be_are_read_when_asked_for(tmp_path: Path) -> None:
    data = write(tmp_path / "d.jsonl", {"document": "A dog runs. " * 200, "summary": "A dog."})
    with pytest.raises(
        CodeUnlearnError, match=r"1 longer than 1500 characters\)\); take longer texts with --max-characters"
    ):
        load_pairs(data)
    assert load_pairs(replace(data, max_characters=3000)).report.kept == 1


def test_the_task_is_that_of_the_user_or_the_base_or_the_data(tiny_base: Any, tiny_tokenizer: Any) -> None:
    def asked(before: str | None, **said: Any) -> str:
        tiny_base.config.asked_task = before
        set_asked(tiny_base, tiny_tokenizer, NOTHING._replace(**said))
        return task_of(tiny_base).name

    assert asked(None) == "translation"
    assert asked(None, data="summaries") == "summarization"
    assert asked("translation", data="summaries") == "translation"
    assert asked("summarization") == "summarization"
    assert asked("summarization", task="translation") == "translation"


@pytest.mark.parametrize("said", [{"task": "summarization"}, {"target_language": "german"}])
def test_a_model_without_a_choice_is_told_no_task(said: dict[str, Any], tiny_base: Any, tiny_tokenizer: Any) -> None:
    tiny_base.config.is_encoder_decoder = False
    with pytest.raises(
        CodeUnlearnError, match="Only a model with an encoder and a decoder is told a task and languages"
    ):
        set_asked(tiny_base, tiny_tokenizer, NOTHING._replace(**said))


def test_a_t5_that_summarises_has_the_prefix_of_its_pretraining(tiny_base: Any, tiny_tokenizer: Any) -> None:
    tiny_base.config.task_specific_params = {
        "summarization": {"prefix": "summarize: "},
        "translation": {"prefix": "t: "},
    }
    assert set_asked(tiny_base, tiny_tokenizer, NOTHING._replace(task="summarization")) == Frame("summarize: ", "")


def test_a_base_that_only_summarises_says_so_and_may_ask_for_some_length(
    tiny_base: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    tiny_base.generation_config = GenerationConfig(
        decoder_start_token_id=0, eos_token_id=1, pad_token_id=0, min_length=7
    )
    save_model(tiny_base, tiny_tokenizer, tmp_path)
    with pytest.raises(CodeUnlearnError, match="sets min_length to 7"):
        load_model(tmp_path)
    tiny_base.config.task_specific_params = {"summarization": {"max_length": 142}}
    save_model(tiny_base, tiny_tokenizer, tmp_path)
    assert task_of(tmp_path) == task_of(load_model(tmp_path)) == Summarization()


def test_a_summary_is_short_however_long_its_document(tiny_base: Any, tiny_tokenizer: Any) -> None:
    view, document = View(tiny_base, tiny_tokenizer), " ".join(["a dog runs"] * 100)
    task = TASKS.get("summarization")
    tiny_base.generation_config.eos_token_id = 40  # which the model does not say
    assert task.answer(view, [document]).cost.output_tokens <= LONGEST
    assert task.answer(view, [document], DecodingConfig(max_new_tokens=5)).cost.output_tokens <= 5


def test_rouge_is_of_summaries(tiny_base: Any, tiny_tokenizer: Any) -> None:
    examples = [Example("d", ("the dog runs home",)), Example("d", ("a cat",))]
    outputs = Outputs(
        TestSet("forget", examples, ()), ["the dogs run", "nothing"], TASKS.get("summarization"), View(tiny_base, tiny_tokenizer)
    )  # fmt: skip
    found = {name: METRICS.get(name)(outputs) for name in ("rouge1", "rouge2", "rougeL")}
    assert {name: round(score.value, 2) for name, score in found.items() if score} == {
        "rouge1": 42.86, "rouge2": 40.0, "rougeL": 42.86,
    }  # fmt: skip
    assert METRICS.get("rouge1")(replace(outputs, task=TASKS.get("translation"))) is None
