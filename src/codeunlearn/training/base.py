"""The model and tokenizer a training starts from: a named small size, or any saved model of a known family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, set_seed

from codeunlearn.codebook.bottleneck import find_bottleneck
from codeunlearn.codebook.loading import is_packed, lacks_head, load_both, load_tokenizer, load_with_new_head
from codeunlearn.device import processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs
from codeunlearn.training.sizes import SIZES, Size
from codeunlearn.training.tokenizer import train_tokenizer

with needs("train"):
    from accelerate.utils import broadcast_object_list

MOST_LABELS = 1000


@dataclass(frozen=True)
class Base:
    """What a training starts from.

    Attributes:
        model: without a bottleneck.
        tokenizer: its tokenizer.
        from_scratch: the weights are random, if only those of a classifier's head.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    from_scratch: bool


def load_base(name: str, train_pool: Dataset, seed: int) -> Base:
    """Opens a saved model (folder or Hub name), or makes a small one with a tokenizer trained on the train pool.

    An encoder that does not classify yet gets a new head.

    Raises:
        CodeUnlearnError: the name is neither, the architecture is not supported, the tokenizer is not the model's, or a new
            classifier gets no labels.
    """
    if name in SIZES:
        return _from_scratch(SIZES[name], train_pool, seed)
    if lacks_head(name):
        set_seed(seed)
        model = load_with_new_head(name, labels_in(train_pool["target"]))
        return Base(model, load_tokenizer(name), from_scratch=True)
    model, tokenizer = load_both(name)
    if find_bottleneck(model) is not None:
        raise CodeUnlearnError(f"{name} already has a bottleneck; start from its plain base instead.")
    return Base(model, tokenizer, from_scratch=False)


def require_trainable(name: str) -> None:
    """That the weights of what a training starts from can be trained.

    Raises:
        CodeUnlearnError: they are quantised.
    """
    if name not in SIZES and is_packed(name):
        raise CodeUnlearnError(
            f"The weights of {name} are quantised and cannot be trained; train the plain ones, or put a codebook on these with "
            "`codeunlearn build`."
        )


def _from_scratch(size: Size, train_pool: Dataset, seed: int) -> Base:
    set_seed(seed)
    labels = labels_in(train_pool["target"]) if size.classifies else ()
    texts = train_pool["source"] if size.classifies else chain(train_pool["source"], train_pool["target"])
    tokenizer = train_tokenizer(texts, size.vocab_size, size.special_tokens)
    if processes().number > 1:
        (tokenizer,) = broadcast_object_list([tokenizer])  # each process has trained its own, perhaps not the same
    return Base(size.model(len(tokenizer), labels), tokenizer, from_scratch=True)


def labels_in(answers: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes, sorted; numbers by their value.

    Raises:
        CodeUnlearnError: there are too few or too many of them.
    """
    found = sorted(set(answers))
    if not 1 < len(found) <= MOST_LABELS:
        raise CodeUnlearnError(
            f"A classifier learns 2 to {MOST_LABELS:,} labels, and the data's train pool has {len(found):,}; give texts with a "
            "column of labels, or choose a model that translates."
        )
    return tuple(sorted(found, key=int)) if all(one.isascii() and one.isdigit() for one in found) else tuple(found)
