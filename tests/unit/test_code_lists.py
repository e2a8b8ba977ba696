"""Lists of codes say what tokens would select under any deletion, as the model itself does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from codeunlearn.codebook import require_bottleneck, run_to_site
from codeunlearn.unlearning.evidence.code_lists import CodeLists
from codeunlearn.unlearning.evidence.reading import CodeReader

SENTENCES = ["a dog runs", "the cat sees a dog", "a cat", "the dog sees the cat"]


def read(model: Any, tokenizer: Any, depth: int = 64) -> CodeLists:
    return CodeReader(model, tokenizer, depth, 64).read(SENTENCES)


def test_tokens_stand_in_the_order_of_their_sentences(tiny_model: Any, tiny_tokenizer: Any) -> None:
    lists = read(tiny_model, tiny_tokenizer)
    for sentence, ids in enumerate(tiny_tokenizer(SENTENCES)["input_ids"]):
        assert lists.token_ids[lists.tokens_of(sentence)].tolist() == ids


@pytest.mark.parametrize("mode", ["refill", "drop"])
def test_firing_is_what_the_model_selects_after_the_deletion(
    tiny: Callable[..., Any], tiny_tokenizer: Any, mode: Any
) -> None:
    model = tiny(deletion_mode=mode)
    lists = read(model, tiny_tokenizer)
    deleted = np.zeros(64, bool)
    deleted[np.bincount(lists.ids[:, :4].ravel(), minlength=64).argsort()[-10:]] = True
    firing = lists.firing(deleted, 4, mode)
    codebook = require_bottleneck(model).codebook
    codebook.deleted.copy_(torch.from_numpy(deleted))
    for sentence, text in enumerate(SENTENCES):
        encoded = tiny_tokenizer([text], return_tensors="pt")
        found = require_bottleneck(model).select(run_to_site(model, encoded["input_ids"], encoded["attention_mask"]))
        expected = [[i for i in ids if not deleted[i]] for ids in found.ids[0].tolist()]
        span = lists.tokens_of(sentence)
        ours = [firing.row[firing.token == token].tolist() for token in range(span.start, span.stop)]
        assert ours == expected


def test_presence_counts_a_code_once_per_sentence(tiny_model: Any, tiny_tokenizer: Any) -> None:
    lists = read(tiny_model, tiny_tokenizer)
    firing = lists.firing(np.zeros(64, bool), 4)
    pairs = {(int(lists.sentence[t]), int(row)) for t, row in zip(firing.token, firing.row, strict=True)}
    assert {divmod(int(key), 64) for key in lists.presence(firing)} == pairs
