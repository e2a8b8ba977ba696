"""Models of the Hub, here of its cache on this machine: the revision that is asked for, and an adapter's very base."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import hub

from codeunlearn.codebook import attach, bottleneck_for, load_model, load_tokenizer, require_bottleneck
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError

IDS = torch.tensor([[1, 5, 9, 12, 7, 20]])
OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache, with no network behind it."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for module in (huggingface_hub.constants, hub.constants):
        monkeypatch.setattr(module, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def publish(cache: Path, name: str, commit: str, folder: Path) -> None:
    """Puts a folder into the cache as a commit of a model, which is the newest then."""
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir(exist_ok=True)
    (place / "refs" / "main").write_text(commit)


def publish_base(cache: Path, commit: str, seed: int, folder: Path, tokenizer: Any) -> None:
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3}
    LlamaForCausalLM(LlamaConfig(vocab_size=64, num_attention_heads=2, **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    publish(cache, "user/base", commit, folder)


@pytest.fixture
def adapter(cache: Path, tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast) -> Path:
    """Of the old one of two commits of a base."""
    publish_base(cache, OLD, 0, tmp_path / "old", tiny_tokenizer)
    plain = load_model("user/base")
    model = attach(plain, bottleneck_for(plain.config, layer=1, selection="residual", num_codes=105, top_s=4))
    keep_base(model, "user/base")
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    publish_base(cache, NEW, 1, tmp_path / "new", tiny_tokenizer)
    return tmp_path / "adapter"


def test_a_revision_is_that_of_all_files(cache: Path, adapter: Path, tmp_path: Path) -> None:
    newest, old = load_model("user/base"), load_model("user/base", revision=OLD)
    assert torch.equal(newest.lm_head.weight, load_model(tmp_path / "new").lm_head.weight)
    assert torch.equal(old.lm_head.weight, load_model(tmp_path / "old").lm_head.weight)
    (cache / "models--user--base" / "snapshots" / NEW / "tokenizer.json").unlink()
    assert load_tokenizer("user/base", revision=OLD)("a dog").input_ids
    for open_it in (load_model, load_tokenizer):
        with pytest.raises(CodeUnlearnError, match="user/base"):
            open_it("user/base", revision="no-such-branch")


def test_an_adapter_finds_the_commit_of_its_base_that_it_was_made_for(
    adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, Any]] = []
    opened = AutoModelForCausalLM.from_pretrained

    def from_pretrained(name: Any, **options: Any) -> Any:
        asked.append((name, options["revision"]))
        return opened(name, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    base = require_bottleneck(load_model(adapter)).config.base
    assert base is not None
    assert asked == [("user/base", OLD)]
    assert base["revision"] == OLD


def test_an_adapter_on_the_hub_has_revisions_too(cache: Path, adapter: Path, tmp_path: Path) -> None:
    publish(cache, "user/adapter", OLD, adapter)
    first = load_model("user/adapter")
    require_bottleneck(first).codebook.weight.data.zero_().add_(1)
    save_model(first, load_tokenizer("user/adapter"), tmp_path / "changed")
    publish(cache, "user/adapter", NEW, tmp_path / "changed")
    codes = {
        revision: require_bottleneck(load_model("user/adapter", revision=revision)).codebook.weight
        for revision in (None, OLD, NEW)
    }
    assert codes[None].eq(1).all()
    assert codes[NEW].eq(1).all()
    assert torch.equal(codes[OLD], require_bottleneck(load_model(adapter)).codebook.weight)


def test_a_whole_model_on_the_hub_has_revisions_too(cache: Path, tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path / "whole")
    publish(cache, "user/whole", OLD, tmp_path / "whole")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    publish(cache, "user/whole", NEW, tmp_path / "broken")
    assert torch.equal(load_model("user/whole", revision=OLD).shared.weight, tiny_model.shared.weight)
    with pytest.raises(CodeUnlearnError, match="user/whole"):
        load_model("user/whole")
