"""Deleted codes are never used, come back exactly, survive save and load, and are gone from the file after a commit."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from codeunlearn.codebook import BottleneckConfig, attach, fingerprint, load_model, model_identity, run_to_site
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.tokenizer import train_tokenizer
from codeunlearn.unlearning import (
    ForgetSet,
    Paper,
    commit,
    forget,
    forgetting,
    restore,
    set_deletion_mode,
    undeleted,
    union,
)

NUM_CODES, TOP_S = 60, 3
GENERATOR = torch.Generator().manual_seed(0)
INPUT = torch.randint(3, 40, (6, 9), generator=GENERATOR)
LABELS = torch.randint(3, 40, (6, 5), generator=GENERATOR)
Model = T5ForConditionalGeneration


def make_model(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 2, "num_layers": 2, "num_decoder_layers": 1}
    base = Model(T5Config(vocab_size=40, decoder_start_token_id=0, **sizes)).eval()
    site = "encoder.block.1.layer.0"
    return attach(base, BottleneckConfig(d_model=16, num_codes=NUM_CODES, code_dim=8, top_s=TOP_S, site=site))


@pytest.fixture
def model() -> Model:
    return make_model()


def logits(model: Model) -> Tensor:
    with torch.no_grad():
        return model(input_ids=INPUT, labels=LABELS).logits


def used_codes(model: Model) -> list[int]:
    """Ids of the codes that the input selects, most often selected first."""
    with torch.no_grad():
        rows = model.bottleneck.run(run_to_site(model, INPUT, torch.ones_like(INPUT))).ids
    rows = rows[~model.bottleneck.codebook.deleted[rows]] if model.bottleneck.codebook.mode != "refill" else rows
    order = torch.bincount(rows.flatten(), minlength=model.bottleneck.codebook.num_codes).argsort(descending=True)
    present = set(rows.flatten().tolist())
    return [int(model.bottleneck.codebook.code_ids[row]) for row in order.tolist() if row in present]


def set_of(model: Model, topic: str, ids: list[int], **options: object) -> ForgetSet:
    return ForgetSet(
        topic=topic, ids=tuple(ids), fingerprint=model_identity(model), preset="paper", s_prime=8, **options
    )


def deleted_ids(model: Model) -> set[int]:
    codebook = model.bottleneck.codebook
    return set(codebook.code_ids[codebook.deleted].tolist())


def topics(model: Model) -> list[str]:
    return [entry["topic"] for entry in model.config.bottleneck.ledger]


# forget and restore


def test_a_forgotten_code_is_never_selected_and_the_output_changes(model: Model) -> None:
    before, codes = logits(model), used_codes(model)[:5]
    assert forget(model, set_of(model, "love", codes)) == 5
    assert not set(codes) & set(used_codes(model))
    assert not torch.equal(logits(model), before)


def test_restore_brings_the_outputs_back_exactly(model: Model) -> None:
    before = logits(model)
    forget(model, set_of(model, "love", used_codes(model)[:5]))
    assert restore(model, "love") == 5
    assert torch.equal(logits(model), before)
    assert model.config.bottleneck.ledger == []


def test_the_ledger_says_what_was_forgotten_and_how(model: Model) -> None:
    forget(model, set_of(model, "love", [4, 2], forms=("love",), created="2026-11-23", seed=9))
    (entry,) = model.config.bottleneck.ledger
    assert entry["topic"] == "love"
    assert entry["ids"] == [4, 2]
    assert (entry["preset"], entry["s_prime"], entry["seed"]) == ("paper", 8, 9)
    assert (entry["created"], entry["committed"]) == ("2026-11-23", False)
    assert entry["version"]
    json.dumps(entry)


def test_forgetting_the_same_set_twice_changes_nothing(model: Model, tmp_path: Path) -> None:
    love = set_of(model, "love", [1, 2])
    forget(model, love)
    ledger = copy.deepcopy(model.config.bottleneck.ledger)
    assert forget(model, love, love) == 0
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert forget(loaded, love) == 0
    assert model.config.bottleneck.ledger == loaded.config.bottleneck.ledger == ledger


def test_several_topics_act_as_their_union(model: Model) -> None:
    love, captain = set_of(model, "love", [1, 2, 3]), set_of(model, "captain", [3, 4])
    other = copy.deepcopy(model)
    assert forget(model, love, captain) == 4
    assert forget(other, union(captain, love)) == 4
    assert deleted_ids(model) == deleted_ids(other) == {1, 2, 3, 4}
    assert torch.equal(logits(model), logits(other))
    assert topics(model) == ["love", "captain"]


def test_restoring_one_topic_keeps_the_codes_that_another_claims(model: Model) -> None:
    love, captain = set_of(model, "love", [1, 2, 3]), set_of(model, "captain", [3, 4])
    forget(model, love, captain)
    assert restore(model, "love") == 2
    assert deleted_ids(model) == {3, 4}
    assert topics(model) == ["captain"]
    assert restore(model, captain) == 2
    assert deleted_ids(model) == set()


def test_restore_without_a_name_takes_everything_back(model: Model) -> None:
    assert restore(model) == 0
    forget(model, set_of(model, "love", [1, 2, 3]), set_of(model, "captain", [3, 4]))
    assert restore(model) == 4
    assert deleted_ids(model) == set()
    assert topics(model) == []


def test_a_topic_that_is_not_forgotten_cannot_be_restored(model: Model) -> None:
    forget(model, set_of(model, "love", [1]))
    with pytest.raises(CodeUnlearnError, match=r"'captain' is not forgotten.*forgotten: love"):
        restore(model, "captain")
    assert deleted_ids(model) == {1}


def test_a_forget_set_of_another_model_is_refused_and_nothing_happens(model: Model) -> None:
    foreign = set_of(make_model(seed=1), "captain", [5])
    with pytest.raises(CodeUnlearnError, match=f"{foreign.fingerprint[:8]}.*{fingerprint(model)[:8]}"):
        forget(model, set_of(model, "love", [1]), foreign)
    assert deleted_ids(model) == set()
    assert topics(model) == []


def test_codes_the_codebook_never_had_and_empty_calls_are_refused(model: Model) -> None:
    with pytest.raises(CodeUnlearnError, match="code 60"):
        forget(model, set_of(model, "love", [1, 60]))
    assert deleted_ids(model) == set()
    with pytest.raises(CodeUnlearnError, match="nothing to forget"):
        forget(model)


def test_save_load_still_deleted_still_restorable(model: Model, tmp_path: Path) -> None:
    before = logits(model)
    forget(model, set_of(model, "love", used_codes(model)[:5]))
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert deleted_ids(loaded) == deleted_ids(model)
    assert torch.equal(logits(loaded), logits(model))
    assert restore(loaded, "love") == 5
    assert torch.equal(logits(loaded), before)


# with forgetting


def test_after_the_block_the_model_is_exactly_what_it_was(model: Model) -> None:
    forget(model, set_of(model, "captain", [9, 10]))
    ledger, mask, before = copy.deepcopy(model.config.bottleneck.ledger), deleted_ids(model), logits(model)
    love = set_of(model, "love", used_codes(model)[:5])
    with forgetting(model, love, mode="drop"):
        assert deleted_ids(model) == mask | set(love.ids)
        assert model.bottleneck.codebook.mode == model.config.bottleneck.deletion_mode == "drop"
        assert not torch.equal(logits(model), before)
    assert deleted_ids(model) == mask
    assert model.config.bottleneck.ledger == ledger
    assert model.bottleneck.codebook.mode == model.config.bottleneck.deletion_mode == "refill"
    assert torch.equal(logits(model), before)


def test_an_exception_in_the_block_does_not_leave_a_deletion_behind(model: Model) -> None:
    with pytest.raises(KeyError), forgetting(model, set_of(model, "love", [1, 2]), mode="anchor"):
        raise KeyError
    foreign = set_of(make_model(seed=1), "love", [5])
    with (
        pytest.raises(CodeUnlearnError, match="search the topic on this model"),
        forgetting(model, foreign, mode="drop"),
    ):
        pass
    assert deleted_ids(model) == set()
    assert topics(model) == []
    assert model.bottleneck.codebook.mode == "refill"


def test_blocks_nest(model: Model) -> None:
    with forgetting(model, set_of(model, "love", [1, 2])):
        with forgetting(model, set_of(model, "captain", [2, 3])):
            assert deleted_ids(model) == {1, 2, 3}
        assert deleted_ids(model) == {1, 2}
    assert deleted_ids(model) == set()


def test_inside_undeleted_the_model_is_as_before_it_forgot(model: Model) -> None:
    before = logits(model)
    forget(model, set_of(model, "love", used_codes(model)[:5]))
    after = logits(model)
    with undeleted(model):
        assert torch.equal(logits(model), before)
    assert torch.equal(logits(model), after)
    assert not torch.equal(before, after)


def test_a_commit_inside_the_block_is_an_error(model: Model) -> None:
    with (
        pytest.raises(CodeUnlearnError, match="cannot be undone"),
        forgetting(model, set_of(model, "love", [1])),
    ):
        commit(model)


def test_the_deletion_mode_is_saved_with_the_model(model: Model, tmp_path: Path) -> None:
    forget(model, set_of(model, "love", used_codes(model)[:5]))
    refill = logits(model)
    set_deletion_mode(model, "anchor")
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.bottleneck.codebook.mode == "anchor"
    assert torch.equal(logits(loaded), logits(model))
    assert not torch.equal(logits(loaded), refill)
    with pytest.raises(CodeUnlearnError, match="refill, drop, anchor"):
        set_deletion_mode(model, "zero")  # pyright: ignore[reportArgumentType]


# commit


def test_commit_changes_no_output_and_takes_the_rows_out_of_the_file(model: Model, tmp_path: Path) -> None:
    codes = used_codes(model)[:5]
    rows = model.bottleneck.codebook.weight.detach()[codes].clone()
    forget(model, set_of(model, "love", codes))
    masked = logits(model)
    assert commit(model) == 5
    torch.testing.assert_close(logits(model), masked)
    model.save_pretrained(tmp_path)
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        if "codebook.weight" in name:
            assert tensor.shape == (NUM_CODES - 5, 8)
            assert not any((tensor == row).all(-1).any() for row in rows)
    loaded = load_model(tmp_path)
    assert loaded.config.bottleneck.num_codes == NUM_CODES - 5
    assert torch.equal(logits(loaded), logits(model))
    assert set(loaded.bottleneck.codebook.code_ids.tolist()) == set(range(NUM_CODES)) - set(codes)
    assert [entry["committed"] for entry in loaded.config.bottleneck.ledger] == [True]


def test_what_is_committed_cannot_be_restored(model: Model) -> None:
    forget(model, set_of(model, "love", [1, 2]))
    commit(model)
    forget(model, set_of(model, "captain", [2, 3]))
    with pytest.raises(CodeUnlearnError, match="'love' is committed"):
        restore(model, "love")
    assert restore(model) == 1
    assert topics(model) == ["love"]
    assert 1 not in model.bottleneck.codebook.code_ids.tolist()


def test_forget_sets_of_the_original_model_apply_to_the_committed_one(model: Model, tmp_path: Path) -> None:
    last = NUM_CODES - 1
    love, captain = set_of(model, "love", [1, 2, last]), set_of(model, "captain", [2, 30, last])
    reference = copy.deepcopy(model)
    forget(reference, love, captain)
    forget(model, love)
    commit(model)
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert fingerprint(loaded) != love.fingerprint
    assert forget(loaded, love) == 0
    assert forget(loaded, captain) == 1
    assert deleted_ids(loaded) == {30}
    torch.testing.assert_close(logits(loaded), logits(reference))
    with pytest.raises(CodeUnlearnError, match="was made for the model"):
        forget(loaded, set_of(make_model(seed=1), "other", [5]))


def test_a_set_found_between_two_commits_applies_after_the_second(model: Model) -> None:
    forget(model, set_of(model, "love", [1, 2]))
    commit(model)
    sentences = [f"{x} c {y}" for x in "abdfgh" for y in "abdfgh"]
    tokenizer = train_tokenizer(sentences, 16)
    sets = TopicSets.from_sentences("c", sentences, [[sentence.replace("c", "e") for sentence in sentences]])
    between = Paper(s_prime=8).search(model, tokenizer, sets, steps=()).forget_set
    forget(model, set_of(model, "captain", [3, 4]))
    commit(model)
    between = replace(between, ids=(*between.ids[:9], 3), evidence=())
    forget(model, between)
    assert deleted_ids(model) == set(between.ids) - {3, 4} != set()
    assert model.config.bottleneck.origin == fingerprint(make_model())


def test_a_committed_model_that_was_trained_further_is_another_model(model: Model) -> None:
    captain = set_of(model, "captain", [30])
    forget(model, set_of(model, "love", [1, 2]))
    commit(model)
    with torch.no_grad():
        model.shared.weight.mul_(1.1)
    with pytest.raises(CodeUnlearnError, match="was made for the model"):
        forget(model, captain)
    assert model_identity(model) == fingerprint(model)


def test_a_commit_that_cannot_keep_its_promise_is_refused(model: Model) -> None:
    with pytest.raises(CodeUnlearnError, match="nothing to commit"):
        commit(model)
    forget(model, set_of(model, "love", [1, 2]))
    set_deletion_mode(model, "drop")
    with pytest.raises(CodeUnlearnError, match=r"not drop.*'refill'"):
        commit(model)
    assert model.bottleneck.codebook.num_codes == NUM_CODES
    assert model.config.bottleneck.origin is None
