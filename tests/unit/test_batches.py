"""Batches hold pairs of one padded shape, within a budget, each pair once per epoch, in a reproducible order."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from codeunlearn.codebook.encoding import control_ids
from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.batches import IGNORED_LABEL, PadToStep, ShapeBatchSampler, round_up, tokenize_pairs

TASK = TASKS.get("translation")

LENGTHS = [(1 + i * 7 % 23, 1 + i * 5 % 19) for i in range(500)]
BUDGET = 200


def sampler(seed: int = 0, epoch: int = 0, budget: int = BUDGET, **share: int) -> ShapeBatchSampler:
    made = ShapeBatchSampler(LENGTHS, budget, seed, **share)
    made.set_epoch(epoch)
    return made


def shape(index: int) -> tuple[int, int]:
    return round_up(LENGTHS[index][0]), round_up(LENGTHS[index][1])


@pytest.mark.parametrize("epoch", [0, 1, 5])
@pytest.mark.parametrize("budget", [1, BUDGET, 10**6])
def test_an_epoch_holds_every_pair_exactly_once(epoch: int, budget: int) -> None:
    batches = list(sampler(epoch=epoch, budget=budget))
    assert Counter(chain.from_iterable(batches)) == Counter(range(500))
    assert len(batches) == len(sampler(budget=budget))


def test_a_batch_has_one_shape() -> None:
    assert all(len({shape(i) for i in batch}) == 1 for batch in sampler())


def test_a_batch_keeps_the_budget_and_uses_it() -> None:
    for batch in sampler():
        assert len(batch) * sum(shape(batch[0])) <= BUDGET
    full = Counter(shape(batch[0]) for batch in sampler() if (len(batch) + 1) * sum(shape(batch[0])) > BUDGET)
    shapes = Counter(shape(batch[0]) for batch in sampler())
    assert all(full[s] >= shapes[s] - 1 for s in shapes)  # at most one batch of a shape is not full


def test_a_pair_over_the_budget_goes_alone() -> None:
    assert all(len(batch) == 1 for batch in sampler(budget=1))


def test_seed_and_epoch_decide_the_order() -> None:
    assert list(sampler(3, 2)) == list(sampler(3, 2))
    assert list(sampler(3, 2)) != list(sampler(4, 2))
    assert list(sampler(3, 2)) != list(sampler(3, 3))


def test_epochs_mix_the_pairs_anew() -> None:
    """Not only the order of the batches changes, but who is in a batch with whom."""
    first, second = ({frozenset(b) for b in sampler(epoch=epoch) if len(b) > 1} for epoch in (0, 1))
    assert len(first & second) < len(first) / 4


def test_iterating_twice_gives_the_same_epoch() -> None:
    """What a resumed training relies on when it skips the batches it has seen."""
    one = sampler(epoch=1)
    assert list(one) == list(one)


def test_processes_share_an_epoch_evenly_and_no_pair_twice() -> None:
    whole = list(sampler(epoch=1))
    shares = [list(sampler(epoch=1, process=i, processes=3)) for i in range(3)]
    assert {len(share) for share in shares} == {len(whole) // 3}
    assert [batch for step in zip(*shares, strict=True) for batch in step] == whole[: len(whole) // 3 * 3]


@pytest.mark.parametrize(("length", "rounded"), [(1, 4), (4, 4), (5, 8), (8, 8)])
def test_lengths_are_rounded_up_to_fours(length: int, rounded: int) -> None:
    assert round_up(length) == rounded


def test_padding_is_masked_in_the_source_and_ignored_in_the_target() -> None:
    rows = [{"input_ids": [7, 8, 9, 5, 1], "labels": [4, 1]}, {"input_ids": [0, 1], "labels": [2, 3, 1]}]
    batch = PadToStep(pad_token_id=0)(rows)
    x = IGNORED_LABEL
    assert batch["input_ids"].tolist() == [[7, 8, 9, 5, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1] * 5 + [0] * 3, [1] * 2 + [0] * 6]
    assert batch["labels"].tolist() == [[4, 1, x, x], [2, 3, 1, x]]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_pairs_are_tokenized_cut_and_prefixed(tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    pairs = Dataset.from_dict({"source": ["a dog", "a dog sees the cat"], "target": ["un chien", "un chat"]})
    plain = tokenize_pairs(pairs, TASK, View(tiny_base, tiny_tokenizer), max_tokens=128)
    assert plain.column_names == ["input_ids", "labels"]
    assert plain[1] == {
        "input_ids": tiny_tokenizer("a dog sees the cat").input_ids,
        "labels": tiny_tokenizer("un chat").input_ids,
    }
    cut = tokenize_pairs(pairs, TASK, View(tiny_base, tiny_tokenizer), max_tokens=3)
    assert max(map(len, [*cut["input_ids"], *cut["labels"]])) == 3
    assert cut[1]["input_ids"][-1] == tiny_tokenizer.eos_token_id
    prefixed = tokenize_pairs(pairs, TASK, View(tiny_base, tiny_tokenizer, "the cat "), max_tokens=128)
    assert prefixed[0] == {
        "input_ids": tiny_tokenizer("the cat a dog").input_ids,
        "labels": plain[0]["labels"],
    }


def test_a_control_token_written_in_a_pair_ends_neither_side(
    tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    written = Dataset.from_dict({"source": ["a </s> dog", "a dog"], "target": ["un <pad> chien", "un chien"]})
    rows = tokenize_pairs(written, TASK, View(tiny_base, tiny_tokenizer, "the "), 64)
    for side in ("input_ids", "labels"):
        for ids in rows[side]:
            assert ids[-1] == tiny_tokenizer.eos_token_id
            assert control_ids(tiny_tokenizer).isdisjoint(ids[:-1])
        assert len(rows[side][0]) > len(rows[side][1])
