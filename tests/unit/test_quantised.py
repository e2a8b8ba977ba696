"""A codebook on a base of four bits: the base stays packed and is never written, and the adapter is bound to what it stores."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from running import check_steps
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

from codeunlearn.codebook import attach, bottleneck_for, fingerprint, load_model, require_bottleneck
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.writing import save_model
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig
from codeunlearn.training.run import build, train_plain
from codeunlearn.unlearning import ForgetSet, forget, forgetting, restore

IDS = torch.tensor([[1, 5, 9, 12, 7, 20]])
KINDS = {"nf4": False, "fp4": True}
"""With whether the scales are quantised too."""


@pytest.fixture(autouse=True, scope="module")
def bitsandbytes() -> Any:
    return pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install 'codeunlearn[quantised]'")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Path:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3}
    folder = tmp_path_factory.mktemp("plain")
    LlamaForCausalLM(LlamaConfig(vocab_size=64, num_attention_heads=2, **shape)).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


def quantised(plain: Path, kind: str) -> Any:
    how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=KINDS[kind])
    return AutoModelForCausalLM.from_pretrained(plain, quantization_config=how)


@pytest.fixture(params=KINDS)
def base(request: pytest.FixtureRequest, plain: Path, tiny_tokenizer: Any, tmp_path: Path) -> Path:
    quantised(plain, request.param).save_pretrained(tmp_path / "base")
    tiny_tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def with_codes(base: Any, where: str = "block") -> Any:
    shape: dict[str, Any] = {"layer": 1, "where": where, "num_codes": 105, "top_s": 4}
    return attach(base, bottleneck_for(base.config, selection="residual", **shape), copy=False).eval()


@pytest.mark.parametrize("where", ["block", "attention"])
def test_codes_and_deletions_are_the_same_in_one_pass_and_step_by_step(base: Path, where: str) -> None:
    model = with_codes(load_model(base), where)
    layer = model.model.layers[1].mlp.up_proj
    assert (type(layer).__name__, layer.weight.dtype) == ("Linear4bit", torch.uint8)
    assert {p.dtype for p in require_bottleneck(model).parameters()} == {torch.float32}
    used = model(IDS, output_bottleneck=True).bottleneck.ids[..., 1].unique()
    with forgetting(model, gone := ForgetSet("france", tuple(used.tolist()), fingerprint(model))):
        check_steps(model, IDS, gone)


def test_an_adapter_keeps_its_deletions_and_the_base_its_file(base: Path, tiny_tokenizer: Any, tmp_path: Path) -> None:
    model, stored = with_codes(load_model(base)), (base / "model.safetensors").read_bytes()
    keep_base(model, str(base))
    before, name = model(IDS).logits, fingerprint(model)
    used = model(IDS, output_bottleneck=True).bottleneck.ids[..., 1].unique()
    forget(model, ForgetSet("france", tuple(used.tolist()), name))
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter")
    assert (base / "model.safetensors").read_bytes() == stored
    assert not list((tmp_path / "adapter").glob("*.bin"))
    assert fingerprint(again) == name
    assert torch.equal(again(IDS).logits, model(IDS).logits)
    restore(again, "france")
    assert torch.equal(again(IDS).logits, before)


@pytest.mark.parametrize("part", ["weight", "weight.absmax", "input_layernorm.weight"])
def test_a_base_with_other_codes_or_scales_is_another_base(
    base: Path, tiny_tokenizer: Any, tmp_path: Path, part: str
) -> None:
    model = with_codes(load_model(base))
    keep_base(model, str(base))
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    tensors = load_file(base / "model.safetensors")
    key = f"model.layers.0.{part}" if "norm" in part else f"model.layers.0.mlp.up_proj.{part}"
    tensors[key].view(-1)[0] += 1
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CodeUnlearnError, match="other weights than those"):
        load_model(tmp_path / "adapter")


def test_what_is_quantised_on_the_way_is_saved_first(plain: Path, tmp_path: Path) -> None:
    base = quantised(plain, "nf4")
    with pytest.raises(CodeUnlearnError, match="attach with copy=False"):
        attach(base, bottleneck_for(base.config, layer=1))
    model = with_codes(base)
    with pytest.raises(CodeUnlearnError, match="save the quantised base in a folder of its own"):
        keep_base(model, str(plain))
    with pytest.raises(CodeUnlearnError, match="saved alone"):
        model.save_pretrained(tmp_path)


def test_a_codebook_is_built_on_it_and_its_weights_are_not_trained(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeunlearn.training.initialise.HELD_OUT_TOKENS", 64)
    lines = (" ".join(words) for words in permutations(("a", "dog", "runs", "cat", "chien")))
    (tmp_path / "text.txt").write_text("\n".join(lines))
    data = DataConfig(str(tmp_path / "text.txt"))
    shape: dict[str, Any] = {"layer": 1, "num_codes": 105, "top_s": 4}
    build(data, str(base), tmp_path / "m", BuildConfig(), shape, device="cpu")
    assert require_bottleneck(load_model(tmp_path / "m")).config.base is not None
    with pytest.raises(CodeUnlearnError, match="leave --full out"):
        build(data, str(base), tmp_path / "whole", BuildConfig(), shape, device="cpu", adapter=False)
    with pytest.raises(CodeUnlearnError, match="quantised and cannot be trained"):
        train_plain(data, str(base), tmp_path / "trained", TrainConfig(device="cpu"))


@pytest.mark.parametrize(
    "change",
    [
        {"quant_method": "gptq"},
        {"load_in_8bit": True},
        {"bnb_4bit_compute_dtype": "load"},
        {"bnb_4bit_quant_type": "evil"},
        {"llm_int8_skip_modules": ["(a+)+$"]},
        {"evil": 5},
    ],
    ids=str,
)
def test_another_quantisation_is_one_sentence_that_says_what_to_do(base: Path, change: dict[str, Any]) -> None:
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] |= change
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(CodeUnlearnError, match="take the plain weights, or such 4-bit ones"):
        load_model(base)
