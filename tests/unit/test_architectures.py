"""A family of models from another package: one class, and everything that is done to a T5 can be done to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from codeunlearn.codebook import (
    ARCHITECTURES,
    Architecture,
    Residual,
    attach,
    bottleneck_for,
    load_model,
    model_identity,
    require_bottleneck,
    run_to_site,
)
from codeunlearn.codebook.architectures import architecture_of
from codeunlearn.codebook.basis import SignedPermutation, change_downstream_basis
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, commit, forget


class ToyConfig(GPT2Config):
    model_type = "toy"


class ToyModel(GPT2LMHeadModel):
    config_class = ToyConfig


AutoConfig.register("toy", ToyConfig, exist_ok=True)
AutoModelForCausalLM.register(ToyConfig, ToyModel, exist_ok=True)


@ARCHITECTURES.register("toy")
class Toy(Architecture):
    model_types = ("toy",)
    auto = AutoModelForCausalLM
    places = ("attention",)

    def place(self, layer: int, where: str) -> Residual:
        return Residual(f"transformer.h.{layer}", "attn", element=0)


IDS = torch.tensor([[3, 7, 11, 2], [5, 5, 1, 30]])
SHAPE = {"num_codes": 64, "code_dim": 12, "top_s": 4}


def toy_base() -> ToyModel:
    torch.manual_seed(0)
    return ToyModel(ToyConfig(vocab_size=40, n_embd=16, n_layer=3, n_head=2, bos_token_id=0, eos_token_id=1)).eval()


@torch.no_grad()
def test_a_toy_architecture_attaches_saves_loads_and_deletes(tmp_path: Path) -> None:
    base = toy_base()
    model = attach(base, bottleneck_for(base.config, **SHAPE))
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert type(loaded).__name__ == "CodeUnlearnToyModel"
    assert torch.equal(loaded(input_ids=IDS).logits, model(input_ids=IDS).logits)
    assert loaded.generate(input_ids=IDS, max_new_tokens=3, pad_token_id=1).shape == (2, 7)

    used = require_bottleneck(loaded).select(run_to_site(loaded, IDS, torch.ones_like(IDS))).ids.unique()
    forget(loaded, ForgetSet("love", tuple(used[::2].tolist()), model_identity(loaded)))
    commit(loaded)
    loaded.save_pretrained(tmp_path)
    record = load_model(tmp_path)(input_ids=IDS, output_bottleneck=True)
    assert not torch.equal(record.logits, model(input_ids=IDS).logits)
    left = require_bottleneck(loaded).codebook.code_ids[record.bottleneck.ids].unique()
    assert not torch.isin(left, used[::2]).any()


def test_places_are_asked_for_by_layer_and_name() -> None:
    config = toy_base().config
    assert bottleneck_for(config, layer=1).site == "transformer.h.1.attn"
    with pytest.raises(
        CodeUnlearnError, match="no place 'attention' in layer 3; its layers are 0 to 2, each with attention"
    ):
        bottleneck_for(config, layer=3)
    with pytest.raises(CodeUnlearnError, match="no place 'mlp' in layer 0"):
        bottleneck_for(config, layer=0, where="mlp")


def test_another_basis_is_refused_where_norms_do_not_allow_it() -> None:
    base = toy_base()
    model = attach(base, bottleneck_for(base.config, **SHAPE))
    with pytest.raises(
        CodeUnlearnError, match=r"Only RMS norms let .* a 'toy' model has others; give new_basis: false"
    ):
        change_downstream_basis(model, SignedPermutation.random(16, 0))


def test_an_unknown_family_is_one_sentence_with_those_that_are_known() -> None:
    with pytest.raises(CodeUnlearnError, match=r"cannot be attached to a 'bloom' model; supported are .* t5, mt5"):
        architecture_of("bloom")
    assert architecture_of("codeunlearn-t5").model_types == ("t5", "mt5")
