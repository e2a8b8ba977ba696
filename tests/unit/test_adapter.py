"""A codebook saved without its base: small, bound to that base's weights, and the same model when both come together."""

from __future__ import annotations

import sys
from io import StringIO
from logging import WARNING, StreamHandler
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from codeunlearn.cli import show
from codeunlearn.codebook import attach, bottleneck_for, fingerprint, load_model, load_tokenizer, require_bottleneck
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.reporting.model_card import write_model_card
from codeunlearn.unlearning import ForgetSet, commit, forget, restore

IDS = torch.tensor([[1, 5, 9, 12, 7, 20]])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
    }
    LlamaForCausalLM(LlamaConfig(vocab_size=64, **shape)).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def model(base: Path) -> Any:
    plain = load_model(base)
    config = bottleneck_for(plain.config, layer=1, selection="residual", num_codes=65 + 40, top_s=4)
    with_codes = attach(plain, config).eval()
    keep_base(with_codes, str(base))
    return with_codes


def test_what_is_saved_is_the_bottleneck_alone_and_the_model_is_whole_again(
    model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter")
    assert torch.equal(again(IDS).logits, model(IDS).logits)
    assert fingerprint(again) == fingerprint(model)
    weights = (tmp_path / "adapter" / "model.safetensors").stat().st_size
    own = sum(tensor.numel() * tensor.element_size() for tensor in require_bottleneck(model).state_dict().values())
    assert weights < own + 4096


def test_codes_that_bf16_holds_take_half_the_space_and_come_back_the_same(
    model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    codes = require_bottleneck(model).codebook.weight
    sizes: list[int] = []
    for name in ("as-they-are", "rounded"):
        save_model(model, tiny_tokenizer, tmp_path / name)
        sizes.append((tmp_path / name / "model.safetensors").stat().st_size)
        again = load_model(tmp_path / name)
        assert again(IDS).logits.equal(model(IDS).logits)
        assert require_bottleneck(again).codebook.weight.dtype == torch.float32
        codes.data.copy_(codes.data.bfloat16())
    assert sizes[0] - sizes[1] == pytest.approx(codes.numel() * 2, abs=64)  # the header differs too


def test_deletions_live_in_the_adapter_and_can_be_undone_or_made_for_good(
    model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    used = require_bottleneck(model).select(torch.randn(9, 16)).ids[:, 1].unique().tolist()
    gone = ForgetSet("france", tuple(used[:2]), fingerprint(model))
    before = model(IDS).logits
    forget(model, gone)
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter")
    assert require_bottleneck(again).codebook.deleted.sum() == 2
    restore(again, "france")
    assert torch.equal(again(IDS).logits, before)
    forget(again, gone)
    commit(again)
    save_model(again, tiny_tokenizer, tmp_path / "adapter")
    assert require_bottleneck(load_model(tmp_path / "adapter")).codebook.num_codes == 103


def test_another_base_under_the_same_name_is_refused(
    model: Any, base: Path, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    other = load_model(base)
    with torch.no_grad():
        other.model.layers[0].mlp.up_proj.weight[0, 0] += 1
    other.save_pretrained(base)
    with pytest.raises(CodeUnlearnError, match="other weights than those"):
        load_model(tmp_path / "adapter")
    for file in base.iterdir():
        file.unlink()
    with pytest.raises(CodeUnlearnError, match="which cannot be opened"):
        load_model(tmp_path / "adapter")


def test_adapter_and_base_can_be_opened_from_elsewhere_and_move_together(
    base: Path, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = load_model("base")
    with_codes = attach(plain, bottleneck_for(plain.config, layer=1, selection="residual", num_codes=105, top_s=4))
    keep_base(with_codes, "base")
    save_model(with_codes, tiny_tokenizer, tmp_path / "adapter")
    monkeypatch.chdir("/")
    expected = load_model(tmp_path / "adapter")(IDS).logits
    (tmp_path / "moved").mkdir()
    for name in ("base", "adapter"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    again = load_model(tmp_path / "moved" / "adapter")
    assert torch.equal(again(IDS).logits, expected)
    save_model(again, tiny_tokenizer, tmp_path / "far" / "copy")
    assert torch.equal(load_model(tmp_path / "far" / "copy")(IDS).logits, expected), "a copy knows where the base is"


def test_changed_weights_are_not_lost_by_saving_the_bottleneck_alone(
    model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    with torch.no_grad():
        model.model.norm.weight[0] += 1
    with pytest.raises(CodeUnlearnError, match="base's weights have changed"):
        save_model(model, tiny_tokenizer, tmp_path / "adapter")
    require_bottleneck(model).config.base = None
    save_model(model, tiny_tokenizer, tmp_path / "whole")
    assert torch.equal(load_model(tmp_path / "whole")(IDS).logits, model(IDS).logits)


def test_nothing_else_opens_it(model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    for auto in (AutoModel, AutoModelForCausalLM):
        with pytest.raises((ValueError, KeyError), match="codeunlearn-bottleneck"):
            auto.from_pretrained(tmp_path / "adapter")


def test_it_is_shown_with_its_base(
    model: Any, base: Path, tiny_tokenizer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    show.run(str(tmp_path / "adapter"), limit=1)
    shown = capsys.readouterr().out
    assert f"base           {base}" in shown
    assert "lexical_codes  65" in shown


def test_its_card_says_what_it_is_asked(model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    card = write_model_card(tmp_path / "adapter", None).read_text(encoding="utf-8")
    assert "A model for completion in English, with a codebook bottleneck" in card
    assert "codes in this file (K) | 105, 65 of them lexical" in card
    assert "one lexical code, which stands for a piece of the vocabulary" in card
    assert "translation" not in card
    base = write_model_card(tmp_path / "base", None).read_text(encoding="utf-8")
    assert "AutoModelForCausalLM.from_pretrained" in base


def test_opening_shows_no_bars_and_no_notices_and_leaves_both_on_for_others(
    model: Any, base: Path, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    shown = StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(logging, "_tqdm_active", True)
    monkeypatch.setattr(logging.get_logger("transformers"), "level", WARNING)
    monkeypatch.setattr(logging.get_logger("transformers"), "handlers", [StreamHandler(shown)])
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    shown.truncate(shown.seek(0))
    load_model(tmp_path / "adapter")
    load_tokenizer(tmp_path / "adapter")
    with pytest.raises(CodeUnlearnError):
        load_model(tmp_path)
    assert not shown.getvalue()
    LlamaForCausalLM.from_pretrained(base)
    assert "Loading weights" in shown.getvalue()
