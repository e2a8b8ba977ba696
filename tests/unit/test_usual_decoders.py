"""Causal language models of families without an entry: their layout is found, and what cannot be forgotten in is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from codeunlearn.codebook import attach, bottleneck_for, load_model, modeling, skip_bottleneck
from codeunlearn.codebook.architectures import find_architecture
from codeunlearn.errors import CodeUnlearnError

SIZES: dict[str, Any] = {
    "vocab_size": 48, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 16, "intermediate_size": 24,
    "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
}  # fmt: skip
FOUND: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 2},
    "glm4": {},
    "exaone4": {"sliding_window": 4, "sliding_window_pattern": 2},
    "helium": {},
    "starcoder2": {},
    "stablelm": {},
    "arcee": {},
}
REFUSED: dict[str, dict[str, Any]] = {
    "cohere": {},  # attention and feed-forward network side by side
    "phi": {},
    "granite": {"residual_multiplier": 0.5},  # attention is scaled before it is added
}
IDS = torch.tensor([[1, 7, 9, 4], [1, 5, 30, 31]])
SHAPE: dict[str, Any] = {"layer": 1, "num_codes": 32, "code_dim": 8, "top_s": 4}


def make(kind: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**SIZES | settings)).eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", FOUND)
@pytest.mark.parametrize("where", ["attention", "block"])
def test_a_usual_layout_is_found(kind: str, where: str, tmp_path: Path) -> None:
    base = make(kind, **FOUND[kind])
    model = attach(base, bottleneck_for(base.config, where=where, **SHAPE))
    with skip_bottleneck(model):
        assert torch.equal(model(input_ids=IDS).logits, base(input_ids=IDS).logits)
    model.save_pretrained(tmp_path)
    assert torch.equal(load_model(tmp_path)(input_ids=IDS).logits, model(input_ids=IDS).logits)


def test_the_made_classes_are_found_by_their_names() -> None:
    """As by a pickle in a process that has opened no such model."""
    for name in ("CodeUnlearnExaone4ForCausalLM", "CodeUnlearnExaone4Config", "CodeUnlearnLlamaForCausalLM"):
        assert getattr(modeling, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'CodeUnlearnBloomForCausalLM'"):
        getattr(modeling, "CodeUnlearnBloomForCausalLM")  # noqa: B009


@pytest.mark.parametrize("kind", REFUSED)
def test_a_place_that_something_gets_round_is_refused(kind: str) -> None:
    base = make(kind, **REFUSED[kind])
    with pytest.raises(
        CodeUnlearnError, match=r"something gets round the site model\.layers\.1\.\w+; put .* \(block\)"
    ):
        attach(base, bottleneck_for(base.config, where="attention", **SHAPE))
    attach(base, bottleneck_for(base.config, where="block", **SHAPE))


def test_states_that_each_layer_gets_anew_are_a_way_round() -> None:
    """Gemma 3n hands every layer an embedding of the tokens."""
    settings = {"hidden_size_per_layer_input": 4, "vocab_size_per_layer_input": 48, "num_kv_shared_layers": 0,
                "layer_types": ["full_attention"] * 3, "laurel_rank": 2, "activation_sparsity_pattern": [0.0] * 3}  # fmt: skip
    base = make("gemma3n_text", **settings)
    with torch.no_grad():
        for layer in base.model.layers:
            layer.altup.correct_output_scale.fill_(1)  # a new model's is 0
    with pytest.raises(CodeUnlearnError, match="something gets round"):
        attach(base, bottleneck_for(base.config, **SHAPE))


@pytest.mark.parametrize("kind", ["opt", "bloom", "mamba", "vit", "nothing"])
def test_another_layout_is_not_taken_for_it(kind: str) -> None:
    assert find_architecture(kind) is None
