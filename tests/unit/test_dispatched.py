"""A model spread over devices by accelerate: the bottleneck is where its layer runs, also where weights wait on disk."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from running import check_steps
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from codeunlearn.codebook import attach, bottleneck_for, fingerprint, load_model, require_bottleneck
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, forgetting

IDS = torch.tensor([[1, 5, 9, 12, 7, 20]])
WHERE = {f"model.layers.{i}": place for i, place in enumerate(("cpu", "disk", "disk"))}
SPREAD = {"model.embed_tokens": "cpu", "model.rotary_emb": "cpu", "model.norm": "cpu", "lm_head": "cpu", **WHERE}
PRESENT = SPREAD | {"model.layers.1": "cpu"}
"""The layer with the bottleneck stays in memory."""
LAYERS_AS_ONE = {name: place for name, place in SPREAD.items() if "layers" not in name} | {"model.layers": "disk"}


def plain() -> Any:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, num_attention_heads=2, **shape)).eval()


def shape(where: str = "block") -> Any:
    return bottleneck_for(plain().config, layer=1, where=where, selection="residual", num_codes=105, top_s=4)


def dispatched(model: Any, device_map: dict[str, str], folder: Path) -> Any:
    own = mkdtemp(dir=folder)
    return dispatch_model(deepcopy(model), device_map, main_device="cpu", offload_dir=own, force_hooks=True)


@pytest.mark.parametrize("where", ["block", "attention"])
@pytest.mark.parametrize("device_map", [{"": "cpu"}, SPREAD, LAYERS_AS_ONE], ids=["one", "spread", "layers as one"])
def test_a_bottleneck_put_into_a_dispatched_model_is_that_of_the_model(
    device_map: dict[str, str], where: str, tmp_path: Path
) -> None:
    whole = attach(plain(), shape(where))
    spread = attach(dispatched(plain(), device_map, tmp_path), shape(where), copy=False)
    require_bottleneck(spread).load_state_dict(require_bottleneck(whole).state_dict())
    assert require_bottleneck(spread).device.type == "cpu"
    assert torch.equal(spread(IDS).logits, whole(IDS).logits)
    assert fingerprint(spread) == fingerprint(whole)
    gone = ForgetSet(
        "france",
        tuple(spread(IDS, output_bottleneck=True).bottleneck.ids[..., 1].unique().tolist()),
        fingerprint(whole),
    )
    with forgetting(spread, gone):
        check_steps(spread, IDS, gone)


def test_a_spread_model_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="attach with copy=False"):
        attach(dispatched(plain(), SPREAD, tmp_path), shape())


def test_an_offloaded_codebook_is_refused_before_it_answers(tmp_path: Path, tiny_tokenizer: Any) -> None:
    model = attach(plain(), shape())
    assert torch.equal(dispatched(model, PRESENT, tmp_path)(IDS).logits, model(IDS).logits)
    with pytest.raises(CodeUnlearnError, match=r"offloaded with its layer \(model.layers.1\)"):
        dispatched(model, SPREAD, tmp_path)(IDS)
    save_model(model, tiny_tokenizer, tmp_path / "whole")
    assert torch.equal(load_model(tmp_path / "whole", device_map=PRESENT)(IDS).logits, model(IDS).logits)
    with pytest.raises(CodeUnlearnError, match="offloaded with its layer"):
        load_model(tmp_path / "whole", device_map=SPREAD)


@pytest.mark.parametrize("device_map", ["auto", SPREAD], ids=["auto", "spread"])
def test_an_adapter_opens_over_devices(device_map: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    plain().save_pretrained(tmp_path / "base")
    model = attach(load_model(tmp_path / "base"), shape())
    keep_base(model, str(tmp_path / "base"))
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter", device_map=device_map)
    assert torch.equal(again(IDS).logits, model(IDS).logits)
    assert fingerprint(again) == fingerprint(model)
    save_model(again, tiny_tokenizer, tmp_path / "copy")
    assert torch.equal(load_model(tmp_path / "copy")(IDS).logits, model(IDS).logits)


def test_weights_on_disk_are_looked_at_too(tmp_path: Path) -> None:
    base = plain()
    base.model.layers[2].mlp.up_proj.weight.data[0, 0] = torch.nan
    base.save_pretrained(tmp_path)
    with pytest.raises(CodeUnlearnError, match=r"layers\.2\.mlp\.up_proj\.weight in .* not numbers"):
        load_model(tmp_path, device_map=SPREAD)
    assert AutoModelForCausalLM.from_pretrained(tmp_path, device_map=SPREAD) is not None
