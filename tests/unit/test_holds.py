"""A deletion that a model claims holds, whatever is loaded into the model, wrapped around it or opened in its place."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM

from codeunlearn.codebook import find_bottleneck, load_model, model_identity, skip_bottleneck
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, forget, forgetting, restore

IDS = (3, 5)


def love(model: Any) -> ForgetSet:
    return ForgetSet("love", IDS, model_identity(model), num_codes=model.bottleneck.codebook.num_codes)


def masked(model: Any) -> tuple[int, ...]:
    return tuple(model.bottleneck.codebook.deleted.nonzero().flatten().tolist())


def test_weights_from_before_a_deletion_undelete_nothing(tiny_model: Any) -> None:
    before = deepcopy(tiny_model.state_dict())
    forget(tiny_model, love(tiny_model))
    tiny_model.load_state_dict(before)
    assert masked(tiny_model) == IDS
    restore(tiny_model, "love")
    tiny_model.load_state_dict(before)
    assert masked(tiny_model) == ()


def test_nor_do_they_inside_a_block(tiny_model: Any) -> None:
    before = deepcopy(tiny_model.state_dict())
    with forgetting(tiny_model, love(tiny_model)):
        tiny_model.load_state_dict(before)
        assert masked(tiny_model) == IDS
    assert masked(tiny_model) == ()


def test_an_adapter_with_a_bottleneck_of_its_own_is_refused(tiny_model: Any) -> None:
    adapted = get_peft_model(tiny_model, LoraConfig(target_modules=["q"], modules_to_save=["bottleneck"]))
    with pytest.raises(CodeUnlearnError, match="holds 2 bottlenecks, as with PEFT's modules_to_save"):
        find_bottleneck(adapted)


def test_an_adapter_from_before_a_deletion_undeletes_nothing(tiny_model: Any, tmp_path: Path, tiny_batch: Any) -> None:
    config = LoraConfig(target_modules=["q"], modules_to_save=["bottleneck"])
    get_peft_model(deepcopy(tiny_model), config).save_pretrained(tmp_path)
    forget(tiny_model, love(tiny_model))
    with torch.no_grad():
        expected = tiny_model(**tiny_batch).logits
        loaded = PeftModel.from_pretrained(tiny_model, str(tmp_path))
        torch.testing.assert_close(loaded(**tiny_batch).logits, expected)


def test_blocks_that_skip_the_bottleneck_end_in_any_number_of_threads(tiny_model: Any) -> None:
    def skips() -> None:
        for _ in range(3000):
            with skip_bottleneck(tiny_model):
                pass

    threads = [threading.Thread(target=skips) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not tiny_model.bottleneck.bypasses


@pytest.mark.parametrize(
    ("key", "spoil"),
    [("deleted", lambda t: t.float()), ("code_ids", lambda t: t + 0.4), ("code_ids", lambda t: t.float())],
    ids=["float mask", "fractional ids", "float ids"],
)
def test_the_auto_classes_open_what_load_model_opens_and_no_more(
    tiny_model: Any, tmp_path: Path, key: str, spoil: Any
) -> None:
    tiny_model.save_pretrained(tmp_path)
    tensors: dict[str, Tensor] = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if name.endswith(f"codebook.{key}"))
    save_file({**tensors, name: spoil(tensors[name])}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CodeUnlearnError, match=key):
        AutoModelForSeq2SeqLM.from_pretrained(tmp_path)


def test_the_auto_classes_open_no_pickle(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises((CodeUnlearnError, OSError)):
        AutoModelForSeq2SeqLM.from_pretrained(tmp_path)


def test_a_ledger_that_claims_nothing_is_refused(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["bottleneck"]["ledger"] = [{"topic": "love", "ids": []}]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CodeUnlearnError, match="ledger"):
        load_model(tmp_path)


def test_a_set_cannot_lose_its_digest(tiny_model: Any, tmp_path: Path) -> None:
    love(tiny_model).save(tmp_path / "love.json")
    content = json.loads((tmp_path / "love.json").read_text())
    forged = {**content, "topic": "weather", "ids": [1, 2, 3]}
    del forged["digest"], forged["format_version"]
    (tmp_path / "love.json").write_text(json.dumps(forged))
    with pytest.raises(CodeUnlearnError, match="was changed after it was made"):
        ForgetSet.load(tmp_path / "love.json")


def test_records_of_several_threads_are_each_of_their_own_batch(tiny_model: Any, tiny_batch: dict[str, Tensor]) -> None:
    lengths: list[tuple[int, int]] = []

    def records(length: int) -> None:
        part = {name: tensor[:, :length] if name != "labels" else tensor for name, tensor in tiny_batch.items()}
        for _ in range(20):
            with torch.no_grad():
                lengths.append((length, tiny_model(**part, output_bottleneck=True).bottleneck.ids.shape[1]))

    threads = [threading.Thread(target=records, args=(length,)) for length in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths) == 40
    assert all(asked == found for asked, found in lengths)
