"""A fingerprint covers all that decides what deleting a code means; forget sets of before still find their model."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from codeunlearn.codebook import fingerprint, identify, load_model, model_identity, require_bottleneck
from codeunlearn.codebook.ledger import BY_HAND
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, commit, forget, restore, set_deletion_mode

REPOSITORY = Path(__file__).parents[2]


def former(model: Any) -> str:
    """The fingerprint of before 2: names, shapes and bf16-rounded values of the parameters."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().to(torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()


def old_set(model: Any, *ids: int, **more: Any) -> ForgetSet:
    return ForgetSet("love", ids, former(model), **more)


def deleted(model: Any) -> set[int]:
    codebook = require_bottleneck(model).codebook
    return set(codebook.code_ids[codebook.deleted].tolist())


def reverse(model: Any) -> None:
    model.bottleneck.codebook.code_ids.copy_(model.bottleneck.codebook.code_ids.flip(0))


CHANGES: dict[str, Callable[[Any], Any]] = {
    "code ids": reverse,
    "S": lambda model: setattr(model.config.bottleneck, "top_s", 3),
    "epsilon": lambda model: setattr(model.config.bottleneck, "layer_norm_eps", 1e-3),
    "site": lambda model: setattr(model.config.bottleneck, "site", "encoder.block.0.layer.0"),
    "autoencoder": lambda model: setattr(model.config.bottleneck, "autoencoder", False),
    "heads of the base": lambda model: setattr(model.config, "num_heads", 1),
    "epsilon of the base": lambda model: setattr(model.config, "layer_norm_epsilon", 1e-3),
    "activation of the base": lambda model: setattr(model.config, "dense_act_fn", "gelu"),
    "distances of the base": lambda model: setattr(model.config, "relative_attention_max_distance", 9),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_decides_what_a_deletion_means_makes_another_model(tiny_model: Any, change: Callable[[Any], Any]) -> None:
    love = ForgetSet("love", (3, 5), model_identity(tiny_model))
    change(tiny_model)
    with pytest.raises(CodeUnlearnError, match="was made for the model"):
        forget(tiny_model, love)
    assert deleted(tiny_model) == set()


def test_what_a_deletion_does_to_a_slot_is_no_part_of_the_model(tiny_model: Any) -> None:
    before = fingerprint(tiny_model)
    set_deletion_mode(tiny_model, "drop")
    forget(tiny_model, ForgetSet("love", (3, 5), before))
    assert fingerprint(tiny_model) == before


def test_a_forget_set_of_before_finds_its_model(tiny_model: Any) -> None:
    assert identify(tiny_model).former == former(tiny_model)
    assert forget(tiny_model, old_set(tiny_model, 3, 5, num_codes=64)) == 2


def test_a_forget_set_of_before_does_not_find_a_model_with_other_code_ids(tiny_model: Any) -> None:
    love = old_set(tiny_model, 3, 5)
    reverse(tiny_model)
    with pytest.raises(CodeUnlearnError, match="was made for the model"):
        forget(tiny_model, love)


def test_a_forget_set_of_before_must_fit_the_codebook(tiny_model: Any) -> None:
    with pytest.raises(CodeUnlearnError, match="names code 64 and the codebook has 64"):
        forget(tiny_model, old_set(tiny_model, 64))
    with pytest.raises(CodeUnlearnError, match="among 65 and the codebook has 64"):
        forget(tiny_model, old_set(tiny_model, 3, num_codes=65))


def test_forget_sets_of_before_stay_usable_after_commits(tiny_model: Any, tmp_path: Path) -> None:
    love, sea = old_set(tiny_model, 3, 5), ForgetSet("sea", (5, 9), former(tiny_model))
    new = ForgetSet("dog", (11,), model_identity(tiny_model))
    for once in (love, new):
        forget(tiny_model, once)
        commit(tiny_model)
        tiny_model.save_pretrained(tmp_path)
        tiny_model = load_model(tmp_path)
    assert forget(tiny_model, sea) == 1
    assert deleted(tiny_model) == {9}


def test_a_commit_of_an_older_version_is_understood(tiny_model: Any, tmp_path: Path) -> None:
    love, sea = old_set(tiny_model, 3, 5), ForgetSet("sea", (5, 9), former(tiny_model))
    forget(tiny_model, love)
    origin = former(tiny_model)
    commit(tiny_model)
    config = tiny_model.config.bottleneck
    config.origin, config.committed, config.origin_record = origin, former(tiny_model), None
    for entry in config.ledger:
        del entry["digest"]
    tiny_model.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert model_identity(model) == origin
    assert forget(model, sea) == 1
    commit(model)
    model.save_pretrained(tmp_path)
    assert forget(load_model(tmp_path), ForgetSet("dog", (11,), origin)) == 1


def test_the_models_in_the_repository_go_by_both_names() -> None:
    model = load_model(REPOSITORY / "models" / "en-fr-mini")
    identity = identify(model)
    assert identity.former == former(model) == "6ab3850351a3be163fba2cbb4ddd64f01632c899d0ed50b0d86156b6118e867f"
    assert identity.fingerprint == "2:51b10884a23b83e273b9bab3118ec3f15eedf4e4cedf5f58fd989ca7d7453903"


def test_a_model_without_a_bottleneck_has_the_fingerprint_that_it_always_had(tiny_base: Any) -> None:
    assert fingerprint(tiny_base) == former(tiny_base)


# The ledger and the mask.


def test_codes_masked_by_hand_are_in_the_ledger_of_the_saved_model(tiny_model: Any, tmp_path: Path) -> None:
    forget(tiny_model, ForgetSet("love", (3, 5), model_identity(tiny_model)))
    tiny_model.bottleneck.codebook.deleted[[5, 7, 9]] = True
    tiny_model.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert [(e["topic"], e["ids"]) for e in model.config.bottleneck.ledger] == [("love", [3, 5]), (BY_HAND, [7, 9])]
    assert restore(model, BY_HAND) == 2
    assert deleted(model) == {3, 5}


def test_a_deletion_that_the_ledger_claims_and_that_is_not_there_is_not_saved(tiny_model: Any, tmp_path: Path) -> None:
    forget(tiny_model, ForgetSet("love", (3, 5), model_identity(tiny_model)))
    tiny_model.bottleneck.codebook.deleted[3] = False
    with pytest.raises(CodeUnlearnError, match="its ledger says that love is forgotten"):
        tiny_model.save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_saved_mode_is_that_of_the_codebook(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.bottleneck.config.deletion_mode = "drop"
    tiny_model.save_pretrained(tmp_path)
    assert load_model(tmp_path).bottleneck.codebook.mode == "drop"


def test_rows_committed_by_hand_have_an_entry(tiny_model: Any, tmp_path: Path) -> None:
    tiny_model.bottleneck.codebook.deleted[[5, 7]] = True
    commit(tiny_model)
    tiny_model.save_pretrained(tmp_path)
    (entry,) = load_model(tmp_path).config.bottleneck.ledger
    assert (entry["topic"], entry["ids"], entry["committed"]) == (BY_HAND, [5, 7], True)


@pytest.mark.parametrize("torn", ["weights", "configuration"])
def test_a_torn_model_is_refused_and_can_be_taken_back(tiny_model: Any, tmp_path: Path, torn: str) -> None:
    """A write of a model over an older one that was killed between the two files."""
    before, after = tmp_path / "before", tmp_path / "after"
    tiny_model.save_pretrained(before)
    forget(tiny_model, ForgetSet("love", (3, 5), model_identity(tiny_model)))
    tiny_model.save_pretrained(after)
    name = "model.safetensors" if torn == "weights" else "config.json"
    (before / name).replace(after / name)
    with pytest.raises(
        CodeUnlearnError, match=r"contradicts itself.*`codeunlearn restore .* --out DIR` takes back all"
    ):
        load_model(after)
    model = load_model(after, check_ledger=False)
    assert restore(model) == (0 if torn == "weights" else 2)
    model.save_pretrained(after)
    assert load_model(after).config.bottleneck.ledger == []


def test_the_ledger_carries_the_digest_of_the_set(tiny_model: Any) -> None:
    love = ForgetSet("love", (3, 5), model_identity(tiny_model))
    forget(tiny_model, love)
    (entry,) = tiny_model.config.bottleneck.ledger
    content = {k: v for k, v in love.to_dict().items() if k not in ("format", "format_version", "digest")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert entry["digest"] == love.digest == hashlib.sha256(text.encode()).hexdigest()


def test_rows_that_the_ledger_calls_gone_and_that_are_there_are_refused(tiny_model: Any, tmp_path: Path) -> None:
    forget(tiny_model, ForgetSet("love", (3, 5), model_identity(tiny_model)))
    whole = copy.deepcopy(tiny_model)
    commit(tiny_model)
    tiny_model.save_pretrained(tmp_path)
    restore(whole)
    whole.save_pretrained(tmp_path / "whole")
    save_file(load_file(tmp_path / "whole" / "model.safetensors"), tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    config["bottleneck"]["num_codes"] = 64
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CodeUnlearnError, match="ledger calls committed"):
        load_model(tmp_path)
