"""A model's folder may come from a stranger: it runs no code, names no other file, and is whole, or there is one sentence."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BertConfig,
    BertModel,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    dynamic_module_utils,
)

from codeunlearn.codebook import (
    attach,
    bottleneck_for,
    find_bottleneck,
    load_encoder,
    load_model,
    load_tokenizer,
    model_identity,
)
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, commit, forget

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
BOOK = "encoder.block.1.layer.0.bottleneck.codebook"


@pytest.fixture(scope="module")
def saved(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast, tiny: Callable[..., Any]
) -> Path:
    path = tmp_path_factory.mktemp("saved")
    model = tiny()
    forget(model, ForgetSet("love", (3, 5), model_identity(model)))
    model.save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A saved model with its tokenizer, which has forgotten love."""
    return shutil.copytree(saved, tmp_path / "model")


def edit_json(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    change(content)
    path.write_text(json.dumps(content))


def edit_weights(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def refused(open_it: Callable[[Path], Any], folder: Path) -> str:
    with pytest.raises(CodeUnlearnError) as error:
        open_it(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


# Code.

ASKS_FOR_CODE = [
    ("config.json", {"auto_map": {"AutoConfig": "evil.Config", "AutoModelForSeq2SeqLM": "evil.Model"}}, "code of its own"),
    ("config.json", {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}, "code of its own"),
    ("config.json", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "quantisation"),
    ("config.json", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "quantisation"),
    ("config.json", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, "take the plain weights"),
    ("config.json", {"attn_implementation": "kernels-community/flash-attn"}, "kernel"),
    ("config.json", {"_attn_implementation": "stranger/kernel"}, "kernel"),
    ("config.json", {"_attn_implementation_internal": "stranger/kernel"}, "kernel"),
    ("config.json", {"experts_implementation": "stranger/kernel"}, "kernel"),
    ("config.json", {"use_kernels": True}, "kernel"),
    ("config.json", {"fusion_config": {"patch_embeddings": True}}, "patches"),
    ("config.json", {"transformers_weights": "other.safetensors"}, "another name"),
    ("config.json", {"bottleneck": {"auto_map": {"AutoConfig": "evil.Config"}}}, "code of its own"),
    ("config.json", {"dtype": "load"}, "type of its weights"),
    ("config.json", {"tokenizer_class": "AutoModel"}, "class of its tokenizer"),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}, "code of its own"),
    ("tokenizer_config.json", {"auto_map": ["evil.Tokenizer", None]}, "code of its own"),
    ("tokenizer_config.json", {"tokenizer_class": "pipeline"}, "class of its tokenizer"),
    ("tokenizer_config.json", {"tokenizer_class": ["T5Tokenizer"]}, "class of its tokenizer"),
    ("tokenizer_config.json", {"init_inputs": ["/etc/passwd"]}, "another name"),
    ("generation_config.json", {"custom_generate": "stranger/generate"}, "code of its own"),
    ("adapter_config.json", {"base_model_name_or_path": "../other", "peft_type": "LORA"}, "holds an adapter"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "keys", "said"), ASKS_FOR_CODE, ids=[f"{f}-{next(iter(k))}" for f, k, _ in ASKS_FOR_CODE]
)
def test_a_folder_that_asks_for_code_is_refused(folder: Path, file: str, keys: dict[str, Any], said: str) -> None:
    edit_json(folder / file, lambda content: content.update(keys))
    for open_it in (load_model, load_tokenizer, load_encoder):
        assert said in refused(open_it, folder)


@pytest.mark.parametrize("open_it", [load_model, load_tokenizer, load_encoder])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_a_folder_is_neither_run_nor_asked_about(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, open_it: Callable[[Path], Any]
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    code = {
        "AutoConfig": "evil.C",
        "AutoModel": "evil.M",
        "AutoModelForSeq2SeqLM": "evil.M",
        "AutoTokenizer": ["evil.T", None],
    }
    edit_json(folder / file, lambda content: content.update(model_type="evil", tokenizer_class=None, auto_map=code))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert "code of its own" in refused(open_it, folder)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def phi(tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the Hub has Phi-3: a type of transformers' own, with Python files that it does not need."""
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    Phi3ForCausalLM(Phi3Config(**sizes, vocab_size=48, pad_token_id=0, bos_token_id=0, eos_token_id=1)).save_pretrained(
        tmp_path / "phi"
    )
    tiny_tokenizer.save_pretrained(tmp_path / "phi")
    code = {
        "AutoConfig": "evil.Phi3Config",
        "AutoModel": "stranger/evil--evil.Phi3Model",
        "AutoModelForCausalLM": "evil.Phi3ForCausalLM",
        "AutoTokenizer": "evil.Tokenizer",
    }
    edit_json(tmp_path / "phi" / "config.json", lambda content: content.update(auto_map=code))
    for name in ("evil.py", "modeling_phi3.py", "custom_generate/generate.py"):
        (tmp_path / "phi" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "phi" / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    for function in ("get_class_from_dynamic_module", "get_cached_module_file", "custom_object_save"):
        monkeypatch.setattr(dynamic_module_utils, function, lambda *_, **__: pytest.fail("it looked at code"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    return tmp_path / "phi"


def test_code_beside_a_model_of_a_known_type_is_ignored_and_goes_no_further(phi: Path, tmp_path: Path) -> None:
    model, tokenizer = load_model(phi), load_tokenizer(phi)
    assert type(model) is Phi3ForCausalLM
    model.generate(**tokenizer("a dog", return_tensors="pt"), max_new_tokens=2)
    load_encoder(phi)
    with_codes = attach(model, bottleneck_for(model.config, tokenizer, layer=1, num_codes=32, code_dim=8, top_s=4))
    save_model(with_codes, tokenizer, tmp_path / "whole")
    keep_base(with_codes, str(phi))
    save_model(with_codes, tokenizer, tmp_path / "adapter")
    for saved in (tmp_path / "whole", tmp_path / "adapter"):
        assert find_bottleneck(load_model(saved)) is not None
        assert load_tokenizer(saved)("a dog").input_ids
        assert not list(saved.rglob("*.py"))
        assert not [file for file in saved.glob("*.json") if "evil" in file.read_text(encoding="utf-8")]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "keys",
    [{"model_type": "phi9"}, {"model_type": ["phi3"]}, {"auto_map": 5}, {"sub": {"auto_map": {"AutoConfig": "e.E"}}}],
    ids=str,
)
def test_code_of_an_unknown_type_or_in_another_place_is_refused(
    phi: Path, tmp_path: Path, keys: dict[str, Any]
) -> None:
    edit_json(phi / "config.json", lambda content: content.update(keys))
    for open_it in (load_model, load_tokenizer, load_encoder):
        assert "code of its own" in refused(open_it, phi)
    assert not (tmp_path / "ran").exists()


def test_four_bits_without_what_opens_them_are_one_sentence(
    tiny_base: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    tiny_base.save_pretrained(tmp_path)
    four_bits = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    edit_json(tmp_path / "config.json", lambda content: content.update(quantization_config=four_bits))
    assert "pip install 'codeunlearn[quantised]'" in refused(load_model, tmp_path)


# Weights.


def test_pickled_weights_are_never_opened(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (folder / WEIGHTS).unlink()
    torch.save(Bomb(), folder / "pytorch_model.bin")
    assert "pickled (pytorch_model.bin)" in refused(load_model, folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "shard", ["w.bin", "../outside.safetensors", "/tmp/x.safetensors", "a/b.safetensors", "", "\x00.safetensors"]
)
def test_an_index_may_name_safetensors_in_the_folder_alone(folder: Path, shard: str) -> None:
    (folder / WEIGHTS).rename(folder.parent / "outside.safetensors")
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"shared.weight": shard}}))
    assert "in the folder alone" in refused(load_model, folder)


def test_a_model_in_several_files_opens(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path, max_shard_size="8KB")
    assert (tmp_path / INDEX).exists()
    assert torch.equal(load_model(tmp_path).shared.weight, tiny_model.shared.weight)


@pytest.mark.parametrize("index", [[], {}, {"weight_map": {}}, {"weight_map": [1]}, {"weight_map": {"a": 1}}])
def test_an_index_that_is_none_is_refused(folder: Path, index: Any) -> None:
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps(index))
    assert INDEX in refused(load_model, folder)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json", "tokenizer.json"])
def test_links_out_of_the_folder_are_refused(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    assert "link to a file outside" in refused(load_model, folder)
    assert "link to a file outside" in refused(load_tokenizer, folder)


def test_links_to_the_blobs_of_a_hub_cache_are_fine(folder: Path, tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "0a1b", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in folder.iterdir():
        file.rename(blobs / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    assert find_bottleneck(load_model(snapshot)) is not None
    assert load_tokenizer(snapshot)("a dog").input_ids


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)
    assert "neither a file nor a folder" in refused(load_model, folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(folder: Path, value: float) -> None:
    edit_weights(folder, lambda tensors: tensors[f"{BOOK}.weight"][4, 2:3].fill_(value))
    assert f"{BOOK}.weight" in refused(load_model, folder)


def test_fewer_layers_than_the_file_holds_are_refused(folder: Path) -> None:
    edit_json(folder / "config.json", lambda content: content.update(num_layers=2))
    assert "leaves out (the first is encoder.block.2" in refused(load_model, folder)


def test_a_model_with_a_bottleneck_does_not_open_as_a_plain_one(folder: Path) -> None:
    edit_json(folder / "config.json", lambda content: content.update(model_type="t5", architectures=None))
    assert "bottleneck" in refused(load_model, folder)


# Configuration.

NO_CONFIGURATION: list[dict[str, Any]] = [
    {"num_layers": "3"}, {"num_layers": 0}, {"num_layers": 3.0}, {"num_layers": None}, {"num_layers": 10**30},
    {"num_layers": -1}, {"d_model": 12}, {"d_model": True}, {"vocab_size": 40}, {"vocab_size": [48]}, {"num_heads": 4},
    {"d_kv": 4}, {"d_ff": 25}, {"layer_norm_epsilon": float("nan")}, {"layer_norm_epsilon": -1}, {"dropout_rate": 2},
    {"dropout_rate": "0"}, {"feed_forward_proj": 5}, {"is_encoder_decoder": False},
    {"pad_token_id": "0"}, {"eos_token_id": {}}, {"model_type": 5}, {"model_type": None}, {"model_type": "unknown"},
    {"architectures": 5, "model_type": "bert"}, {"bottleneck": 5}, {"bottleneck": []}, {"bottleneck": None},
    {"source_prefix": 5}, {"to_dict": 5}, {"num_hidden_layers": 2}, {"per_layer_config": {"0": {"d_ff": 3}}},
]  # fmt: skip


@pytest.mark.parametrize("keys", NO_CONFIGURATION, ids=str)
def test_a_configuration_that_is_none_or_of_another_model_is_one_sentence(folder: Path, keys: dict[str, Any]) -> None:
    edit_json(folder / "config.json", lambda content: content.update(keys))
    refused(load_model, folder)


NO_BOTTLENECK: list[dict[str, Any]] = [
    {"num_codes": "64"}, {"num_codes": 63}, {"num_codes": 65}, {"num_codes": 0}, {"num_codes": 64.0}, {"num_codes": None},
    {"num_codes": 10**40}, {"code_dim": 0}, {"code_dim": 10}, {"code_dim": True}, {"d_model": 8}, {"d_model": -16},
    {"top_s": 0}, {"top_s": 65}, {"top_s": "4"}, {"top_s": False}, {"autoencoder": 1}, {"autoencoder": False},
    {"site": "encoder.block.9.layer.0"}, {"site": ""}, {"site": 5}, {"site": ["encoder"]}, {"site": "x" * 10_000},
    {"deletion_mode": "skip"}, {"deletion_mode": None}, {"deletion_mode": ["refill"]}, {"layer_norm_eps": float("nan")},
    {"layer_norm_eps": 0}, {"layer_norm_eps": "1e-5"}, {"layer_norm_eps": float("inf")}, {"origin": "abc"}, {"origin": 5},
    {"origin": "a" * 64}, {"origin": "a" * 64, "committed": "a" * 64}, {"committed": "2:" + "a" * 64}, {"origin_record": 5},
    {"origin_record": {"parameters": "a" * 64, "num_codes": 64, "digest": "b" * 64}}, {"ledger": 5}, {"ledger": {}},
    {"ledger": ["love"]}, {"ledger": [{}]}, {"ledger": [{"topic": "love"}]}, {"ledger": [{"topic": 5, "ids": [3, 5]}]},
    {"ledger": [{"topic": "love", "ids": "35"}]}, {"ledger": [{"topic": "love", "ids": [3, "5"]}]},
    {"ledger": [{"topic": "love", "ids": [3, 5.0]}]}, {"ledger": [{"topic": "love", "ids": [3, 5, True]}]},
    {"ledger": [{"topic": "love", "ids": [3, 3, 5]}]}, {"ledger": [{"topic": "love", "ids": [3, 5, -1]}]},
    {"ledger": [{"topic": "love", "ids": [3, 5, 64]}]}, {"ledger": [{"topic": "love", "ids": [3, 5, 10**30]}]},
    {"ledger": [{"topic": "love", "ids": [3, 5], "committed": "no"}]},
    {"ledger": [{"topic": "love", "ids": [3, 5], "committed": True}]},
    {"ledger": [{"topic": "love", "ids": [3, 5], "digest": "x"}]},
]  # fmt: skip


@pytest.mark.parametrize("keys", NO_BOTTLENECK, ids=lambda keys: str(keys)[:60])
def test_a_bottleneck_that_is_none_or_of_another_model_is_one_sentence(folder: Path, keys: dict[str, Any]) -> None:
    edit_json(folder / "config.json", lambda content: content["bottleneck"].update(keys))
    refused(load_model, folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"a": ' * 3000, '{"num_layers": ' + "9" * 5000 + "}", "\x00"])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "generation_config.json", INDEX])
def test_a_small_file_that_is_damaged_is_one_sentence(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    assert file in refused(load_model, folder)


@pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"\xff" * 64, b"{}", (2**62).to_bytes(8, "little") + b"{}"])
def test_weights_that_are_no_safetensors_are_one_sentence(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).write_bytes(content)
    refused(load_model, folder)


# The codebook's buffers.


def reversed_ids(tensors: dict[str, Tensor]) -> None:
    tensors[f"{BOOK}.code_ids"] = tensors[f"{BOOK}.code_ids"].flip(0).contiguous()


BUFFERS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "reversed ids": reversed_ids,
    "a doubled id": lambda t: t[f"{BOOK}.code_ids"][7:8].fill_(6),
    "a negative id": lambda t: t[f"{BOOK}.code_ids"][0:1].fill_(-1),
    "ids of half precision": lambda t: t.update({f"{BOOK}.code_ids": t[f"{BOOK}.code_ids"].half()}),
    "float ids": lambda t: t.update({f"{BOOK}.code_ids": t[f"{BOOK}.code_ids"].float()}),
    "narrow ids": lambda t: t.update({f"{BOOK}.code_ids": t[f"{BOOK}.code_ids"].to(torch.int32)}),
    "a float mask": lambda t: t.update({f"{BOOK}.deleted": t[f"{BOOK}.deleted"].float()}),
    "a byte mask": lambda t: t.update({f"{BOOK}.deleted": t[f"{BOOK}.deleted"].to(torch.uint8)}),
    "weights of whole numbers": lambda t: t.update({f"{BOOK}.weight": t[f"{BOOK}.weight"].to(torch.int8)}),
    "a mask of other size": lambda t: t.update({f"{BOOK}.deleted": t[f"{BOOK}.deleted"][:-1].clone()}),
    "nothing masked": lambda t: t[f"{BOOK}.deleted"].fill_(False),
    "less masked": lambda t: t[f"{BOOK}.deleted"][3:4].fill_(False),
    "more masked": lambda t: t[f"{BOOK}.deleted"][9:10].fill_(True),
    "everything masked": lambda t: t[f"{BOOK}.deleted"].fill_(True),
}


@pytest.mark.parametrize("change", BUFFERS.values(), ids=BUFFERS)
def test_a_codebook_that_is_not_the_ledgers_is_refused(
    folder: Path, change: Callable[[dict[str, Tensor]], Any]
) -> None:
    edit_weights(folder, change)
    refused(load_model, folder)


# Commits.


@pytest.fixture
def committed(folder: Path) -> Path:
    model = load_model(folder)
    commit(model)
    model.save_pretrained(folder)
    return folder


def entry(content: dict[str, Any]) -> dict[str, Any]:
    return content["bottleneck"]["ledger"][0]


FORGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another origin": lambda c: c["bottleneck"].update(origin="2:" + "a" * 64),
    "an origin of the old kind": lambda c: c["bottleneck"].update(origin="a" * 64),
    "another commit": lambda c: c["bottleneck"].update(committed="2:" + "a" * 64),
    "no commit": lambda c: c["bottleneck"].update(committed=None),
    "no record": lambda c: c["bottleneck"].update(origin_record=None),
    "a former name": lambda c: c["bottleneck"]["origin_record"].update(parameters="a" * 64),
    "fewer codes once": lambda c: c["bottleneck"]["origin_record"].update(num_codes=62),
    "more codes once": lambda c: c["bottleneck"]["origin_record"].update(num_codes=65),
    "another topic": lambda c: entry(c).update(topic="hate"),
    "other codes": lambda c: entry(c).update(ids=[3, 6]),
    "fewer codes": lambda c: entry(c).update(ids=[3]),
    "no entry": lambda c: c["bottleneck"].update(ledger=[]),
    "not committed": lambda c: entry(c).update(committed=False),
    "another set": lambda c: entry(c).update(digest="a" * 64),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_a_record_of_commits_that_was_changed_in_part_is_refused(
    committed: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    assert load_model(committed).bottleneck.codebook.num_codes == 62
    edit_json(committed / "config.json", change)
    refused(load_model, committed)


# Tokenizers.


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"version": "1.0", "model": 5}', '{"model": {"type": "BPE"}}'])
def test_a_tokenizer_that_is_none_is_one_sentence(folder: Path, text: str) -> None:
    (folder / "tokenizer.json").write_text(text)
    assert "no tokenizer that can be opened" in refused(load_tokenizer, folder)


@pytest.mark.parametrize(
    "key", ["padding_side", "model_max_length", "extra_special_tokens", "added_tokens_decoder", "chat_template"]
)
@pytest.mark.parametrize("value", [5, "x", [5], {"x": 5}, None])
def test_settings_of_a_tokenizer_open_it_or_are_one_sentence(folder: Path, key: str, value: Any) -> None:
    edit_json(folder / "tokenizer_config.json", lambda content: content.update({key: value}))
    with suppress(CodeUnlearnError):
        load_tokenizer(folder)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(folder: Path) -> None:
    edit_json(folder / "config.json", lambda content: content.update(vocab_size=20))
    assert "the model embeds 20" in refused(load_tokenizer, folder)


def test_a_tokenizer_that_cannot_fill_up_a_batch_is_refused(folder: Path) -> None:
    edit_json(folder / "tokenizer_config.json", lambda content: content.update(pad_token=None))
    assert "no padding token" in refused(load_tokenizer, folder)


# Names and encoders.


@pytest.mark.parametrize("name", ["a\x00b", "x" * 5000, "", ".", "..", "a//b", "a/b/c", "~/model", "-", "a b/c"])
def test_a_name_that_is_none_is_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for open_it in (load_model, load_tokenizer, load_encoder):
        refused(lambda _, open_it=open_it: open_it(name), tmp_path)


def test_a_file_is_no_model(folder: Path) -> None:
    assert "is a file, not a model" in refused(load_model, folder / WEIGHTS)


def test_an_encoder_alone_opens_safely_too(tmp_path: Path) -> None:
    sizes = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "vocab_size": 30,
    }
    BertModel(BertConfig(**sizes)).save_pretrained(tmp_path)
    assert not load_encoder(tmp_path).training
    edit_json(tmp_path / "config.json", lambda content: content.update(auto_map=["evil.Model"]))
    assert "code of its own" in refused(load_encoder, tmp_path)
