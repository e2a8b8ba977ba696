"""A model folder from a stranger opens as what it says it is, or is refused in one sentence; it never runs anything."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from case import RAN, Accepted, Case, Either, Refused, Right, expect, made_always, refused, some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import changed_json
from outcome import Outcome
from place import Edit, Place
from world import CODEBOOK, LINES, SITE, good

WEIGHTS = "model.safetensors"
CODES, DELETED, IDS = f"{CODEBOOK}.weight", f"{CODEBOOK}.deleted", f"{CODEBOOK}.code_ids"
EVIL = f'open("{RAN}", "w").close()\n'
MISSING = object()


def translated(spoil: Callable[[Place, Path], Any], of: str = "model") -> Callable[[Place], Outcome]:
    """A copy of a good model is spoiled, then translates; its first line would also answer a question."""

    def do(place: Place) -> Outcome:
        folder = place.model(of=of)
        spoil(place, folder)
        return place.run("translate", folder, stdin=b"y\n" + LINES)

    return do


def config(edit: Edit, of: str = "model") -> Callable[[Place], Outcome]:
    return translated(lambda place, folder: place.edit(folder, "config.json", edit), of)


def top(**values: Any) -> Callable[[Place], Outcome]:
    return config(lambda content: _set(content, values))


def inner(**values: Any) -> Callable[[Place], Outcome]:
    return config(lambda content: _set(content["bottleneck"], values))


def _set(content: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if value is MISSING:
            content.pop(name, None)
        else:
            content[name] = value


def beside(name: str, edit: Edit) -> Callable[[Place], Outcome]:
    """Another JSON file of the folder, made if it is not there."""
    return translated(lambda place, folder: place.edit(folder, name, edit))


def raw(name: str, content: str | bytes) -> Callable[[Place], Outcome]:
    return translated(lambda place, folder: place.write(f"{folder.name}/{name}", content))


def cut(name: str, share: float) -> Callable[[Place], Outcome]:
    def spoil(_place: Place, folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return translated(spoil)


def gone(name: str) -> Callable[[Place], Outcome]:
    return translated(lambda _place, folder: (folder / name).unlink())


def tensors(edit: Edit, of: str = "model") -> Callable[[Place], Outcome]:
    return translated(lambda place, folder: place.tensors(folder, edit), of)


def tensor(name: str, edit: Callable[[Any], Any], of: str = "model") -> Callable[[Place], Outcome]:
    return tensors(lambda all_of_them: all_of_them.__setitem__(name, edit(all_of_them[name])), of)


def filled(value: float) -> Callable[[Any], Any]:
    """One number of a tensor is another."""

    def edit(values: Any) -> Any:
        changed = values.clone()
        changed.view(-1)[5] = value
        return changed

    return edit


def index(weight_map: Any, *, whole: bool = False) -> Callable[[Place], Outcome]:
    """Weights in pieces: an index names the files; ``weight_map`` is made from the names of the tensors."""

    def spoil(place: Place, folder: Path) -> None:
        from safetensors.torch import load_file

        names = list(load_file(folder / WEIGHTS))
        place.write("w.safetensors", (folder / WEIGHTS).read_bytes())
        place.write("model/w.bin", pickle.dumps(_Evil()))
        if not whole:
            (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
        content = weight_map(names) if callable(weight_map) else weight_map
        place.write("model/model.safetensors.index.json", json.dumps(content))

    return translated(spoil)


def to(file: Any) -> Callable[[list[str]], dict[str, Any]]:
    return lambda names: {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names, file)}


class _Evil:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return exec, (EVIL,)


def code(files: dict[str, dict[str, Any]], modules: tuple[str, ...]) -> Callable[[Place], Outcome]:
    """Code in the folder, and files that name it."""

    def spoil(place: Place, folder: Path) -> None:
        for module in modules:
            place.write(f"{folder.name}/{module}", EVIL + "class Evil: ...\n")
        for name, values in files.items():
            place.edit(folder, name, lambda content, values=values: content.update(values))

    return translated(spoil)


def pickled(_place: Place, folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Evil()))


def pipe(name: str) -> Callable[[Place], Outcome]:
    def spoil(_place: Place, folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return translated(spoil)


def lines_kept(outcome: Outcome, place: Place) -> bool:
    """One line out for each line in, as the good model translates them."""
    return outcome.shown == translation_of(place.world.model)


@cache
def translation_of(model: Path, lines: bytes = b"y\n" + LINES) -> str:
    return good("translate", model, stdin=lines)


def harmless(*names: str) -> Either:
    return Either(Refused(names), Accepted(lines_kept))


def applied(spoil: Callable[[Place, Path], Any], right: Right, name: str) -> Case:
    """Applying a good forget set to a spoiled copy of its model."""

    def do(place: Place) -> Outcome:
        folder = place.model()
        spoil(place, folder)
        return place.run("apply", folder, place.world.love, "--out", "out")

    return Case(name, do, right)


def forged(_place: Place, folder: Path) -> None:
    """Another model says that it was once this one."""
    from codeunlearn.codebook import fingerprint, load_model

    place = _place
    shutil.rmtree(folder)
    place.copy(place.world.other, folder.name)
    asked = json.loads(place.world.love.read_text())["fingerprint"]
    own = fingerprint(load_model(folder))
    place.edit(folder, "config.json", lambda c: c["bottleneck"].update(origin=asked, committed=own))


def edited(file: str, edit: Edit) -> Callable[[Place, Path], Any]:
    return lambda place, folder: place.edit(folder, file, edit)


def without_generation(**values: Any) -> Callable[[Place, Path], Any]:
    """The settings stand in the configuration of the model, and there is no file of their own."""

    def spoil(place: Place, folder: Path) -> None:
        (folder / "generation_config.json").unlink()
        place.edit(folder, "config.json", lambda content: _set(content, {"decoder_start_token_id": 0, **values}))

    return spoil


def bottleneck(**values: Any) -> Callable[[Place, Path], Any]:
    return edited("config.json", lambda content: _set(content["bottleneck"], values))


def permuted(_place: Place, folder: Path) -> None:
    """The same weights under other ids: the forget set's ids would hit other rows."""
    _place.tensors(folder, lambda t: t.__setitem__(IDS, t[IDS].flip(0).contiguous()))


def opened_as(place: Place, name: str) -> bool:
    from codeunlearn.codebook import find_bottleneck, load_model

    return find_bottleneck(load_model(place.path / name)) is not None


def rows_of(values: Any, row: int, value: bool) -> Any:
    """A mask with another value in one row."""
    changed = values.clone()
    changed[row] = value
    return changed


def swapped(vocabulary: dict[str, int], one: str, other: str) -> None:
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]


NOT_JSON: dict[str, str | bytes] = {
    "empty": b"",
    "not JSON": b"hello",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"t5"',
    "an empty object": b"{}",
    "zero bytes": bytes(64),
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "deep nesting": b"[" * 100_000,
    "a 5,000-digit number": b'{"d_model": ' + b"9" * 5000 + b"}",
}
BOTTLENECK: dict[str, list[Any]] = {
    "num_codes": ["64", 64.0, 0, -1, 63, 65, None, True, [64], 10**6],
    "code_dim": ["12", 0, -1, 11, None, 12.0],
    "top_s": ["4", 0, -1, 65, None, 4.0, True, [4]],
    "d_model": ["16", 17, 0, None],
    "site": [None, 5, "", "encoder.block.9.layer.0", "encoder", "shared", "__class__", f"{SITE}.bottleneck", ["a"]],
    "deletion_mode": [None, 3, "REFILL", "", [], "keep"],
    "layer_norm_eps": ["1e-5", None, -1.0, "x", [], float("nan")],
    "autoencoder": ["false", 0, None, [], False],
    "ledger": [
        5,
        "x",
        {},
        [5],
        [None],
        ["love"],
        [{}],
        [{"topic": 5, "ids": [1]}],
        [{"topic": "love", "ids": "x"}],
        True,
    ],
    "origin": [5, [], {}],
    "committed": [5, [], {}],
}
TOP: dict[str, list[Any]] = {
    "model_type": [None, 5, "t5", "codeunlearn-mt5", "bert", "evil", [], MISSING],
    "bottleneck": [None, 5, "x", [], {}, MISSING],
    "num_layers": [2, 4, 0, -1, "3", None, 3.5, True],
    "num_decoder_layers": [1, 3, 0, "2", []],
    "d_model": [8, 32, "16", 0, -16, None],
    "d_ff": [12, "24", 0, None],
    "d_kv": [4, 0, "8", -8],
    "num_heads": [1, 0, "2", None],
    "vocab_size": [10, 10**6, "300", 0, -1, None],
    "layer_norm_epsilon": ["x", None, [], float("nan")],
    "relative_attention_num_buckets": [0, "32", -1],
    "feed_forward_proj": ["evil", 5, None, "gated-gelu"],
    "dropout_rate": ["x", [], None],
    "dtype": ["evil", 5, "int8", []],
    "quantization_config": ["x", 5, {"quant_method": "bitsandbytes"}, {"quant_method": "evil"}, {"load_in_8bit": True}],
    "source_prefix": [5, [], {}],
    "pad_token_id": ["0", 10**6, -7, [0]],
    "eos_token_id": ["1", {}, 10**6],
    "decoder_start_token_id": ["0", 10**6, -7, []],
    "is_encoder_decoder": [False, "x"],
    "tie_word_embeddings": ["x", 5],
    "attn_implementation": ["evil", 5],
    "_attn_implementation": ["evil", "kernels-community/flash-attn"],
    "_attn_implementation_internal": ["evil", "kernels-community/flash-attn"],
    "transformers_weights": ["../w.bin", "w.bin", 5],
}
HARMLESS = {"feed_forward_proj", "attn_implementation", "_attn_implementation", "_attn_implementation_internal", "transformers_weights", "dropout_rate",
            "pad_token_id", "eos_token_id", "decoder_start_token_id", "dtype", "tie_word_embeddings", "is_encoder_decoder",
            "layer_norm_eps", "source_prefix", "quantization_config"}  # fmt: skip
"""Settings that may be left alone as long as the model translates as before."""
GENERATION: dict[str, list[Any]] = {
    "max_new_tokens": ["12", -1, 0, [], 10**12],
    "num_beams": ["2", 0, -1, 10**4],
    "num_return_sequences": [2, "x", 0],
    "pad_token_id": ["x", 10**6, -5],
    "eos_token_id": ["x", 10**6, {}],
    "decoder_start_token_id": ["x", 10**6, -5, [1, 2]],
    "forced_bos_token_id": [10**6],
    "suppress_tokens": [[10**6], "x", 5],
    "bad_words_ids": ["x", [], [[-1]]],
    "temperature": ["x", -1, 0, float("nan")],
    "do_sample": ["x", True],
    "cache_implementation": ["evil", "quantized"],
    "custom_generate": ["evil", "."],
    "return_dict_in_generate": [True],
    "output_scores": [True],
}


NOT_TO_BE_GENERATED: dict[str, list[Any]] = {
    "repetition_penalty": ["2", 0, -1.0, True],
    "no_repeat_ngram_size": ["x", -1, 2.0],
    "guidance_scale": [3.0, "x"],
    "stop_strings": [["a"], "a", []],
    "sequence_bias": [{"a": 1}, [[[5], -9.0]]],
    "encoder_repetition_penalty": [0, 2.0],
    "encoder_no_repeat_ngram_size": [2],
    "exponential_decay_length_penalty": ["x", [1, 2.0]],
    "penalty_alpha": [0.6],
    "dola_layers": ["low"],
    "constraints": [[1]],
    "force_words_ids": [[[5]]],
    "forced_decoder_ids": [[[1, 5]]],
    "token_healing": [True, "x", 1],
    "is_assistant": [True],
    "max_time": [0.0, 5.0],
    "watermarking_config": [{"bias": 9.0}, {}, "x"],
    "min_length": [1e9, 10**9, 3, False],
    "min_new_tokens": [5],
    "max_length": ["x", 0],
    "prompt_lookup_num_tokens": [3],
    "assistant_early_exit": [1],
    "num_beam_groups": [2],
    "diversity_penalty": [0.5],
    "compile_config": [{"mode": "x"}],
    "length_penalty": ["x", 1e9],
    "top_k": [-1, "x"],
    "early_stopping": ["x", 5],
    "get_generation_mode": [None, 5],
    "validate": [None],
    "whatever": [1, None],
}
PLAIN_GENERATION: dict[str, dict[str, Any]] = {
    "T5": {"_from_model_config": True, "output_attentions": False, "output_hidden_states": False, "use_cache": True},
    "a Marian": {"bad_words_ids": [[250]], "bos_token_id": 0, "forced_eos_token_id": 1, "max_length": 512, "num_beams": 4, "renormalize_logits": True},
    "an older version with all defaults": {
        "min_length": 0, "do_sample": False, "early_stopping": False, "temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0,
        "repetition_penalty": 1.0, "length_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0,
        "encoder_repetition_penalty": 1.0, "num_return_sequences": 1, "num_beam_groups": 1, "diversity_penalty": 0.0, "max_time": None,
        "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "num_assistant_tokens": 5, "num_assistant_tokens_schedule": "heuristic", "token_healing": False,
        "output_scores": False, "return_dict_in_generate": False, "is_assistant": False, "watermarking_config": None, "_commit_hash": "abc",
    },
    "a beam search": {"num_beams": 5, "early_stopping": True, "length_penalty": 0.8},
}  # fmt: skip
OTHER_CONFIG: dict[str, list[Any]] = {
    "return_dict": [False, "x"],
    "feed_forward_proj": ["gelu"],
    "dense_act_fn": ["gelu", "gelu_new", 5],
    "is_gated_act": [True, "x"],
    "output_attentions": [True, "x"],
    "output_hidden_states": [True, "x"],
    "chunk_size_feed_forward": [3, "x"],
    "is_decoder": [True],
    "use_cache": ["x"],
}


def label(value: Any) -> str:
    return "missing" if value is MISSING else repr(value)[:40]


CASES = [
    *some(Case(f"config.json: {name}", raw("config.json", content), refused("model")) for name, content in NOT_JSON.items()),
    *some(Case(f"config.json cut at {share}", cut("config.json", share), refused("model")) for share in (0.0, 0.3, 0.6, 0.99)),
    *some(
        Case(f"bottleneck: {name} = {label(value)}", inner(**{name: value}), harmless("model") if name in HARMLESS else refused("model"))
        for name, values in BOTTLENECK.items() for value in values
    ),
    *some(
        Case(f"{name} = {label(value)}", top(**{name: value}), harmless("model") if name in HARMLESS or value == "codeunlearn-mt5" else refused("model"))
        for name, values in TOP.items() for value in values
    ),
    Case("architectures of another kind", top(architectures=["LlamaForCausalLM"]), harmless("model")),
    Case("architectures = 5", top(architectures=5), harmless("model")),
    *some(
        Case(f"{name} {how}", do, refused("model"))
        for name in ("config.json", WEIGHTS, "tokenizer.json")
        for how, do in (("gone", gone(name)), ("empty", raw(name, b"")), ("of random bytes", raw(name, bytes(range(256)) * 40)))
    ),
    Case("a pipe for weights", pipe(WEIGHTS), refused("model")),
    Case("a pipe for a configuration", pipe("config.json"), refused("model")),
    *some(Case(f"weights cut at {share}", cut(WEIGHTS, share), refused("model")) for share in (0.0001, 0.01, 0.3, 0.7, 0.999)),
    Case("a header longer than the file", raw(WEIGHTS, (10**15).to_bytes(8, "little") + b"{}"), refused("model")),
    Case("a header that is no JSON", raw(WEIGHTS, (4).to_bytes(8, "little") + b"abcd"), refused("model")),
    Case("weights in a pickle", translated(pickled), refused("model")),
    *some(
        Case(f"an index that names {what}", index(value), refused("model"))
        for what, value in (
            ("w.bin", to("w.bin")), ("../w.safetensors", to("../w.safetensors")), ("/etc/passwd", to("/etc/passwd")),
            ("no file", to("none.safetensors")), ("a number", to(5)), ("nothing", to(None)), ("itself", to("model.safetensors.index.json")),
            ("nothing at all", {}), ("a list", []), ("a map that is a list", {"weight_map": []}), ("no tensors", {"weight_map": {}}),
            ("a map that is a text", {"weight_map": "x"}), ("a folder", to(".")),
        )
    ),
    Case("an index that names a good file", index(to("model-00001-of-00001.safetensors")), Accepted(lines_kept)),
    Case("an index beside the whole file", index(to("../w.safetensors"), whole=True), harmless("model")),
    *some(
        Case(f"{name} with {what}", tensor(key, filled(number)), refused("model"))
        for name, key in (("codes", CODES), ("a weight", "encoder.block.0.layer.0.SelfAttention.q.weight"), ("a norm", f"{SITE}.bottleneck.norm.weight"))
        for what, number in (("NaN", float("nan")), ("infinity", float("inf")))
    ),
    Case("codes missing", tensors(lambda t: {k: v for k, v in t.items() if k != CODES}), refused("model")),
    Case("mask missing", tensors(lambda t: {k: v for k, v in t.items() if k != DELETED}), refused("model")),
    Case("ids missing", tensors(lambda t: {k: v for k, v in t.items() if k != IDS}), refused("model")),
    Case("mask of floats", tensor(DELETED, lambda v: v.float()), refused("model")),
    Case("mask of bytes", tensor(DELETED, lambda v: v.to(torch.uint8)), refused("model")),
    Case("mask too short", tensor(DELETED, lambda v: v[:-1].clone()), refused("model")),
    Case("mask too long", tensor(DELETED, lambda v: torch.cat([v, v[:1]])), refused("model")),
    Case("all deleted", tensor(DELETED, lambda v: ~v), refused("model")),
    Case("one deleted that the ledger does not name", tensor(DELETED, lambda v: rows_of(v, 0, True)), refused("model")),
    Case("one kept that the ledger says is deleted", tensor(DELETED, lambda v: rows_of(v, int(v.nonzero()[0]), False), of="forgotten"), refused("model")),
    Case("none deleted and a ledger", tensor(DELETED, lambda v: v & False, of="forgotten"), refused("model")),
    Case("a mask and no ledger", config(lambda c: c["bottleneck"].update(ledger=[]), of="forgotten"), refused("model")),
    Case("a ledger of other ids", config(lambda c: c["bottleneck"]["ledger"][0].update(ids=[0, 2]), of="forgotten"), refused("model")),
    Case("a ledger of ids beyond the codebook", config(lambda c: c["bottleneck"]["ledger"][0]["ids"].append(64), of="forgotten"), refused("model")),
    Case("a ledger that says committed", config(lambda c: c["bottleneck"]["ledger"][0].update(committed=True), of="forgotten"), refused("model")),
    Case("a ledger that says masked where rows are gone", config(lambda c: c["bottleneck"]["ledger"][0].update(committed=False), of="committed"), refused("model")),
    Case("a committed model without its ledger", config(lambda c: c["bottleneck"].update(ledger=[]), of="committed"), refused("model")),
    Case("weights of a masked model under a plain ledger", translated(
        lambda place, folder: shutil.copy(place.world.forgotten / WEIGHTS, folder / WEIGHTS)
    ), refused("model")),
    Case("weights of a plain model under a ledger", translated(
        lambda place, folder: shutil.copy(place.world.model / WEIGHTS, folder / WEIGHTS), of="forgotten"
    ), refused("model")),
    *some(
        Case(f"ids {what}", tensor(IDS, edit), refused("model"))
        for what, edit in (
            ("twice", lambda v: v.clamp(min=1)), ("negative", lambda v: v - 1), ("reversed", lambda v: v.flip(0).contiguous()),
            ("of floats", lambda v: v.float()), ("too few", lambda v: v[:-1].clone()), ("of truths", lambda v: v > 3),
        )
    ),
    Case("codes of integers", tensor(CODES, lambda v: v.to(torch.int32)), refused("model")),
    Case("a tensor too many", tensors(lambda t: t.__setitem__("encoder.block.7.layer.0.x", t[CODES].clone())), refused("model")),
    Case("a codebook in another block too", tensors(lambda t: t.__setitem__(CODES.replace("block.1", "block.0"), t[CODES].clone())), refused("model")),
    Case("weights of another model", translated(
        lambda place, folder: shutil.copy(place.world.base / WEIGHTS, folder / WEIGHTS)
    ), refused("model")),
    *some(
        Case(f"code: {what}", code(files, modules), harmless())
        for what, files, modules in (
            ("auto_map of the configuration", {"config.json": {"auto_map": {"AutoConfig": "evil.Evil"}}}, ("evil.py",)),
            ("auto_map of the model", {"config.json": {"auto_map": {"AutoModelForSeq2SeqLM": "evil.Evil", "AutoModel": "evil.Evil"}}}, ("evil.py",)),
            ("auto_map of everything and another type", {"config.json": {"model_type": "evil", "auto_map": {
                "AutoConfig": "evil.Evil", "AutoModelForSeq2SeqLM": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}}}, ("evil.py",)),
            ("auto_map elsewhere", {"config.json": {"auto_map": {"AutoConfig": "someone/evil--evil.Evil"}}}, ()),
            ("auto_map = 5", {"config.json": {"auto_map": 5}}, ()),
            ("auto_map of the tokenizer", {"tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}, "tokenizer_class": "Evil"}}, ("evil.py",)),
            ("a tokenizer class of its own", {"tokenizer_config.json": {"tokenizer_class": "Evil"}}, ("evil.py", "tokenization_evil.py")),
            ("custom_generate", {"generation_config.json": {"custom_generate": "."}}, ("custom_generate/generate.py",)),
            ("a pipeline", {"config.json": {"custom_pipelines": {"translation": {"impl": "evil.Evil", "pt": ["Evil"]}}}}, ("evil.py",)),
            ("an adapter of another model", {"adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "../base", "auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}}}, ("evil.py",)),
            ("an adapter without weights", {"adapter_config.json": {"peft_type": "LORA"}}, ()),
        )
    ),
    Case("adapter_config.json: not JSON", raw("adapter_config.json", b"x"), harmless("model")),
    *some(Case(f"generation_config.json: {name}", raw("generation_config.json", content), harmless("model")) for name, content in NOT_JSON.items()),
    *some(
        Case(f"generation: {name} = {value!r}", beside("generation_config.json", lambda c, n=name, v=value: c.update({n: v})), harmless("model"))
        for name, values in GENERATION.items() for value in values
    ),
    *some(
        Case(f"generation: {name} = {value!r} is refused", beside("generation_config.json", lambda c, n=name, v=value: c.update({n: v})), refused("model", name))
        for name, values in NOT_TO_BE_GENERATED.items() for value in values
    ),
    *some(
        Case(f"generation, as older versions wrote it: {name} = {values[0]!r}", translated(without_generation(**{name: values[0]})), refused("model", name))
        for name, values in NOT_TO_BE_GENERATED.items() if name not in ("get_generation_mode", "validate", "whatever")
    ),
    *(
        Case(f"generation_config.json of {name}", beside("generation_config.json", lambda c, v=values: c.update(v)), Accepted(lines_kept))
        for name, values in PLAIN_GENERATION.items()
    ),
    *some(
        Case(f"{name} = {value!r} is refused", top(**{name: value}), refused("model", name))
        for name, values in OTHER_CONFIG.items() for value in values
    ),
    Case("an activation that is named once", top(dense_act_fn=MISSING, is_gated_act=MISSING), Accepted(lines_kept)),
    Case("generation_config.json of penalties, which are followed", beside("generation_config.json", lambda c: c.update(no_repeat_ngram_size=3, repetition_penalty=1.1)), Accepted(lambda o, p: o.shown.count("\n") == 4)),
    Case("no generation_config.json", gone("generation_config.json"), Either(refused("model"), Accepted(lambda o, p: o.shown.count("\n") == 4))),
    *some(Case(f"tokenizer.json: {name}", raw("tokenizer.json", content), refused("model")) for name, content in NOT_JSON.items()),
    *some(Case(f"tokenizer.json cut at {share}", cut("tokenizer.json", share), refused("model")) for share in (0.3, 0.9, 0.999)),
    Case("tokenizer_config.json gone", gone("tokenizer_config.json"), harmless("model")),
    *some(Case(f"tokenizer_config.json: {name}", raw("tokenizer_config.json", content), harmless("model")) for name, content in NOT_JSON.items()),
    *some(
        Case(f"tokenizer_config.json: {name} = {value!r}", beside("tokenizer_config.json", lambda c, n=name, v=value: c.update({n: v})), harmless("model"))
        for name, values in {
            "tokenizer_class": [5, "Evil", "BertTokenizer", None], "model_max_length": ["x", 0, -1, 2], "eos_token": [None, 5, "none", {}],
            "pad_token": [None, 5], "unk_token": [5], "added_tokens_decoder": [5, {"x": 1}, {"5": {"content": 7}}],
            "chat_template": ["{{ ''.__class__ }}", 5], "padding_side": ["left", "up"], "truncation_side": ["up", "left"],
        }.items() for value in values
    ),
    Case("more tokens than embeddings", beside("tokenizer.json", lambda c: c["added_tokens"].append(
        {"id": 300, "content": "dog", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    )), refused("model")),
    Case("a vocabulary of larger ids", beside("tokenizer.json", lambda c: c["model"]["vocab"].update({"dog": 5000})), refused("model")),
    Case("special tokens under other ids", beside("tokenizer.json", lambda c: swapped(c["model"]["vocab"], "</s>", "<pad>")), harmless("model")),
    Case("a file in place of a folder", lambda p: p.run("translate", p.write("model", b"x"), stdin=LINES), refused("model")),
    Case("an empty folder", translated(lambda _p, folder: [path.unlink() for path in folder.iterdir()]), refused("model")),
    Case("no folder", lambda p: p.run("translate", p.path / "none", stdin=LINES), refused("none")),
    Case("a name of the Hub without a network", lambda p: p.run("translate", "someone/something", stdin=LINES), refused("someone/something")),
    *some(
        Case(f"the name {name!r}", lambda p, n=name: p.run("translate", n, stdin=LINES), refused())
        for name in ("", " ", "a", "../x", "https://example.org/m", "a/b/c", "-", "a//b", "..", "x" * 300, "\udcff", "a/..", "@/x", "a/b@c", "~")
    ),
    Case("a folder named with markup", lambda p: p.run("translate", p.copy(p.world.model, "m[/b]"), stdin=b"y\n" + LINES), Accepted(lines_kept)),
    Case("a missing folder named with markup", lambda p: p.run("translate", "./m[/b]", stdin=LINES), refused("m[/b]")),
    Case("through a link", lambda p: (os.symlink(p.world.model, p.path / "m"), p.run("translate", p.path / "m", stdin=b"y\n" + LINES))[1], Accepted(lines_kept)),
    Case("as it is", translated(lambda _p, _f: None), Accepted(lines_kept)),
    applied(permuted, refused(), "a forget set on rows under reversed ids"),
    applied(forged, refused("love|model"), "a forged origin"),
    applied(bottleneck(top_s=3), refused("love"), "a forget set under another S"),
    applied(bottleneck(layer_norm_eps=0.5), refused("love"), "a forget set under another epsilon"),
    applied(bottleneck(deletion_mode="drop"), Either(refused("love"), Accepted()), "a forget set under another mode"),
    applied(lambda p, f: shutil.copy(p.world.other / WEIGHTS, f / WEIGHTS), refused("love"), "a forget set under other weights"),
    *(
        applied(lambda p, f, c=content: (f / "training.json").write_bytes(c) if c is not None else (f / "training.json").unlink(), right, f"training.json {what}")
        for what, content, right in (
            ("gone", None, Accepted(lambda o, p: opened_as(p, "out"))),
            ("empty", b"", Either(refused("training.json"), Accepted())),
            ("a list", b"[]", Either(refused("training.json"), Accepted())),
            ("a text", b'"x"', Either(refused("training.json"), Accepted())),
            ("null", b"null", Either(refused("training.json"), Accepted())),
            ("cut", b'{"kind": "joi', Either(refused("training.json"), Accepted())),
            ("an empty object", b"{}", Either(refused("training.json"), Accepted())),
            ("of wrong types", b'{"kind": 5, "pairs": [], "base": {}, "environment": null}', Either(refused("training.json"), Accepted())),
            ("deeply nested", b"[" * 100_000, Either(refused("training.json"), Accepted())),
            ("not UTF-8", b'{"kind": "\xff"}', Either(refused("training.json"), Accepted())),
        )
    ),
    *some(
        Case(f"a plain model for {name}", lambda p, a=arguments: p.run(*[x(p) if callable(x) else x for x in a]), refused("bottleneck"))
        for name, arguments in (
            ("apply", ("apply", lambda p: p.world.base, lambda p: p.world.love, "--out", "out")),
            ("restore", ("restore", lambda p: p.world.base, "--out", "out")),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_a_model_folder_opens_as_what_it_is_or_is_refused(case: Case, place: Place) -> None:
    expect(case, place)


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_configuration_with_any_value_of_another_kind_is_one_sentence_or_a_model_that_works(
    data: st.DataObject, place: Place
) -> None:
    folder = place.path / "model"
    if not folder.exists():
        place.model()
    content = json.loads((place.world.model / "config.json").read_text())
    (folder / "config.json").write_text(data.draw(changed_json(content), label="file"))
    outcome = place.run("translate", folder, stdin=LINES)
    assert outcome.kind in ("done", "refused"), outcome.trace
    if outcome.kind == "refused":
        assert outcome.names("model")
    else:
        assert outcome.shown.count("\n") == LINES.count(b"\n")
