"""A saved model opens as it was, deletions included, or fails with one clear sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from codeunlearn.codebook import (
    CodeUnlearnT5ForConditionalGeneration,
    find_bottleneck,
    fingerprint,
    load_model,
    load_tokenizer,
    loading,
    model_identity,
)
from codeunlearn.errors import CodeUnlearnError

Batch = dict[str, Tensor]


def logits(model: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad():
        return model(**batch).logits


@pytest.fixture
def saved(tiny_model: Any, tmp_path: Path) -> Path:
    """The folder of a saved `tiny_model` with two deleted codes."""
    tiny_model.bottleneck.codebook.deleted[[3, 5]] = True
    tiny_model.bottleneck.config.ledger.append({"topic": "love", "ids": [3, 5]})
    tiny_model.save_pretrained(tmp_path)
    return tmp_path


def edit_weights(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def edit_config(folder: Path, **changes: Any) -> None:
    """Changes keys of the bottleneck's part of ``config.json``."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["bottleneck"].update(changes)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("kind", ["t5", "t5-v1.1", "mt5"])
def test_a_saved_model_opens_with_equal_logits(
    kind: str, tiny: Callable[..., Any], tiny_batch: Batch, tmp_path: Path
) -> None:
    model = tiny(kind, deletion_mode="drop")
    model.bottleneck.codebook.deleted[:20] = True
    model.save_pretrained(tmp_path)
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert type(again) is type(model)
    assert torch.equal(logits(again, tiny_batch), logits(model, tiny_batch))


def test_deletions_mode_and_ledger_survive_saving(saved: Path) -> None:
    edit_config(saved, deletion_mode="anchor")
    bottleneck = load_model(saved).bottleneck
    assert bottleneck.codebook.deleted.nonzero().flatten().tolist() == [3, 5]
    assert bottleneck.codebook.mode == "anchor"
    assert bottleneck.config.ledger == [{"topic": "love", "ids": [3, 5]}]


def test_removed_rows_are_not_in_the_file(saved: Path, tiny_batch: Batch) -> None:
    model = load_model(saved)
    before, row = logits(model, tiny_batch), model.bottleneck.codebook.weight[3].clone()
    model.bottleneck.codebook.remove_deleted_rows()
    model.config.bottleneck.num_codes = 62
    model.save_pretrained(saved)
    weight = load_file(saved / "model.safetensors")["encoder.block.1.layer.0.bottleneck.codebook.weight"]
    assert weight.shape == (62, 12)
    assert not (weight == row).all(dim=1).any()
    again = load_model(saved)
    assert torch.equal(logits(again, tiny_batch), before)
    assert again.bottleneck.codebook.code_ids.tolist() == [i for i in range(64) if i not in (3, 5)]


def test_weights_are_saved_as_safetensors_only(saved: Path) -> None:
    assert not [p for p in saved.iterdir() if p.suffix in (".bin", ".pt", ".pkl")]
    assert (saved / "model.safetensors").exists()


def test_a_loaded_model_is_ready_to_use(saved: Path) -> None:
    assert not load_model(str(saved)).training


def test_a_plain_model_opens_too(tiny_base: Any, tiny_batch: Batch, tmp_path: Path) -> None:
    tiny_base.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert find_bottleneck(model) is None
    assert torch.equal(logits(model, tiny_batch), logits(tiny_base, tiny_batch))


def test_without_codeunlearn_a_saved_model_does_not_open(saved: Path) -> None:
    """It never runs without its bottleneck: transformers alone does not know the model type."""
    code = (
        "import sys; from transformers import AutoModelForSeq2SeqLM\n"
        f"try: AutoModelForSeq2SeqLM.from_pretrained({str(saved)!r})\n"
        "except ValueError as error: assert 'codeunlearn-t5' in str(error), error\n"
        "else: sys.exit('the model opened')\n"
        "assert 'codeunlearn' not in sys.modules\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr


def test_a_missing_tensor_is_one_clear_error(saved: Path) -> None:
    edit_weights(saved, lambda tensors: tensors.pop("encoder.block.1.layer.0.bottleneck.codebook.weight"))
    with pytest.raises(CodeUnlearnError, match=r"lacks 1 of .* tensors \(the first is encoder.*codebook\.weight\)"):
        load_model(saved)


@pytest.mark.parametrize("buffer", ["deleted", "code_ids"])
def test_a_missing_deletion_mask_is_an_error_not_a_fresh_one(saved: Path, buffer: str) -> None:
    edit_weights(saved, lambda tensors: tensors.pop(f"encoder.block.1.layer.0.bottleneck.codebook.{buffer}"))
    with pytest.raises(CodeUnlearnError, match=f"codebook.{buffer}"):
        load_model(saved)


def test_a_misshapen_tensor_is_one_clear_error(saved: Path) -> None:
    edit_config(saved, code_dim=10)
    with pytest.raises(
        CodeUnlearnError, match=r"with shape \(64, 12\), but its config.json asks for \(64, 10\)|do not"
    ):
        load_model(saved)


def test_plain_weights_do_not_open_as_a_model_with_a_bottleneck(tiny_base: Any, tmp_path: Path) -> None:
    tiny_base.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    part = {"d_model": 16, "num_codes": 8, "code_dim": 4, "top_s": 2, "site": "encoder.block.0.layer.0"}
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "codeunlearn-t5", "bottleneck": part}))
    with pytest.raises(CodeUnlearnError, match="attach a bottleneck to a plain model with `codeunlearn build`"):
        load_model(tmp_path)


def test_a_site_that_the_model_lacks_is_one_clear_error(saved: Path) -> None:
    edit_config(saved, site="encoder.block.9.layer.0")
    with pytest.raises(CodeUnlearnError, match=r"no site 'encoder.block.9.layer.0'; it has encoder.block.0.layer.0, "):
        load_model(saved)


def test_s_above_k_in_a_file_is_one_clear_error(saved: Path) -> None:
    edit_config(saved, top_s=65)
    with pytest.raises(CodeUnlearnError, match="S = 65 codes per token cannot come from K = 64"):
        load_model(saved)


def test_unknown_keys_of_a_newer_version_warn_and_load(saved: Path, tiny_batch: Batch) -> None:
    before = logits(load_model(saved), tiny_batch)
    edit_config(saved, aggregate="sum")
    with pytest.warns(UserWarning, match="aggregate"):
        model = load_model(saved)
    assert torch.equal(logits(model, tiny_batch), before)


@pytest.mark.parametrize("name", ["runs/there/is-none", "./none", "/none/at/all", "none"])
def test_no_such_folder_is_one_clear_error(name: str) -> None:
    with pytest.raises(CodeUnlearnError, match=f"There is no model folder {name}; give the folder"):
        load_model(name)


def test_a_folder_without_a_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="cannot be opened"):
        load_model(tmp_path)


def test_a_file_cut_short_is_one_clear_error(saved: Path) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CodeUnlearnError, match="cannot be opened"):
        load_model(saved)


def test_the_tokenizer_opens_beside_the_model(saved: Path, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(CodeUnlearnError, match="holds no tokenizer"):
        load_tokenizer(saved)
    tiny_tokenizer.save_pretrained(saved)
    sentence = "a dog sees the cat"
    assert load_tokenizer(saved)(sentence).input_ids == tiny_tokenizer(sentence).input_ids


def test_deletions_do_not_change_the_fingerprint(tiny_model: Any) -> None:
    before = fingerprint(tiny_model)
    tiny_model.bottleneck.codebook.deleted[:] = True
    assert fingerprint(tiny_model) == before


def test_every_weight_changes_the_fingerprint(tiny_model: Any) -> None:
    seen = {fingerprint(tiny_model)}
    parameters = list(tiny_model.parameters())
    for parameter in parameters:
        with torch.no_grad():
            parameter.view(-1)[0] += 1
        seen.add(fingerprint(tiny_model))
    assert len(seen) == len(parameters) + 1


def test_the_fingerprint_is_the_same_however_a_file_is_opened(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.bfloat16().save_pretrained(tmp_path)
    kinds = {fingerprint(load_model(tmp_path, dtype)) for dtype in (torch.float32, torch.bfloat16)}
    assert kinds == {fingerprint(tiny_model)}


def test_the_fingerprint_survives_saving(saved: Path, tiny_model: Any) -> None:
    again = CodeUnlearnT5ForConditionalGeneration.from_pretrained(saved)
    assert fingerprint(again) == fingerprint(tiny_model)


def test_a_model_is_known_by_its_own_fingerprint(tiny_model: Any) -> None:
    assert model_identity(tiny_model) == fingerprint(tiny_model)


def test_a_folder_that_is_exchanged_while_it_is_read_is_read_again(
    tiny_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files could be those of two models."""
    folder, newer = tmp_path / "model", tmp_path / "newer"
    tiny_model.save_pretrained(folder)
    tiny_model.bottleneck.codebook.deleted[[3, 5]] = True
    tiny_model.bottleneck.config.ledger.append({"topic": "love", "ids": [3, 5]})
    tiny_model.save_pretrained(newer)

    def between(*_: Any) -> None:
        if newer.exists():
            folder.rename(tmp_path / "older")
            newer.rename(folder)

    monkeypatch.setattr(loading, "require_whole", between)
    loaded = load_model(folder)
    assert loaded.bottleneck.codebook.deleted.nonzero().flatten().tolist() == [3, 5]
    assert [entry["topic"] for entry in loaded.bottleneck.config.ledger] == ["love"]
