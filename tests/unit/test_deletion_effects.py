"""Deletions tried on code lists have the effect that deleting the codes in the model has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from codeunlearn.codebook import require_bottleneck
from codeunlearn.unlearning.evidence.effects import Deletion, DeletionEffects
from codeunlearn.unlearning.evidence.reading import CodeReader

SOURCES = ["a dog runs", "the cat sees a dog", "a cat"]
TARGETS = ["un chien court", "le chat voit un chien", "un chat"]


def effects(model: Any, tokenizer: Any, **options: Any) -> DeletionEffects:
    lists = CodeReader(model, tokenizer, 64, 64).read(SOURCES)
    return DeletionEffects(model, tokenizer, lists, TARGETS, **options)


def log_probability(model: Any, tokenizer: Any, sentence: int) -> float:
    """As the model itself has it."""
    source = tokenizer([SOURCES[sentence]], return_tensors="pt")
    labels = tokenizer(text_target=[TARGETS[sentence]], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(**source, labels=labels).logits.log_softmax(-1)
    return float(logits.gather(2, labels[..., None]).sum())


@pytest.mark.parametrize("mode", ["refill", "drop", "anchor"])
def test_one_more_deletion_is_the_models(tiny: Callable[..., Any], tiny_tokenizer: Any, mode: Any) -> None:
    model = tiny(deletion_mode=mode)
    tried = effects(model, tiny_tokenizer)
    usual = np.bincount(tried.lists.ids[:, :4].ravel(), minlength=64).argsort()[::-1]
    deleted = np.zeros(64, bool)
    deleted[usual[:3]] = True
    deletions = [Deletion(sentence, row) for sentence in range(3) for row in (None, *usual[3:8].tolist())]
    found = tried.log_probabilities(deletions, deleted)
    codebook = require_bottleneck(model).codebook
    for one, value in zip(deletions, found, strict=True):
        codebook.deleted.copy_(torch.from_numpy(deleted))
        if one.row is not None:
            codebook.deleted[one.row] = True
        assert value == pytest.approx(log_probability(model, tiny_tokenizer, one.sentence), abs=1e-3)
    assert len(np.unique(found.round(4))) > 6, "the deletions make a difference"
    assert require_bottleneck(model).replacements == []


def test_only_the_tokens_of_the_words_count(tiny_model: Any, tiny_tokenizer: Any) -> None:
    whole, dog = effects(tiny_model, tiny_tokenizer), effects(tiny_model, tiny_tokenizer, words=["chien"])
    assert whole.usable() == [0, 1, 2]
    assert dog.usable() == [0, 1]
    counted = [
        tiny_tokenizer.decode(np.array(ids)[mask].tolist()) for ids, mask in zip(dog.labels, dog.counted, strict=True)
    ]
    assert [text.strip() for text in counted] == ["chien", "chien", ""]
    nothing = np.zeros(64, bool)
    sums = [one.log_probabilities([Deletion(0, None)], nothing)[0] for one in (whole, dog)]
    assert sums[0] < sums[1] < 0


def test_words_in_disguise_count_too(tiny_model: Any, tiny_tokenizer: Any) -> None:
    lists = CodeReader(tiny_model, tiny_tokenizer, 64, 64).read(SOURCES)
    targets = ["un ch\u00adien court", "le chat voit un _chien_", "un \uff43\uff48\uff49\uff45\uff4e"]
    assert DeletionEffects(tiny_model, tiny_tokenizer, lists, targets, words=["chien"]).usable() == [0, 1, 2]
