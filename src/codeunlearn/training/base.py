"""The model and tokenizer a training starts from: a named small size, or any saved T5."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, set_seed

from codeunlearn.codebook.bottleneck import find_bottleneck
from codeunlearn.codebook.loading import load_model, load_tokenizer
from codeunlearn.device import processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs
from codeunlearn.training.sizes import SIZES
from codeunlearn.training.tokenizer import train_tokenizer

with needs("train"):
    from accelerate.utils import broadcast_object_list


@dataclass(frozen=True)
class Base:
    """What a training starts from.

    Attributes:
        model: an encoder-decoder model without a bottleneck.
        tokenizer: its tokenizer.
        from_scratch: the weights are random.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    from_scratch: bool


def load_base(name: str, train_pool: Dataset, seed: int) -> Base:
    """Opens a saved T5 (folder or Hub name), or makes a small one with a tokenizer trained on the train pool.

    Raises:
        CodeUnlearnError: the name is neither, the architecture is not supported, or the tokenizer is not the model's.
    """
    if name in SIZES:
        set_seed(seed)
        size = SIZES[name]
        tokenizer = train_tokenizer(chain(train_pool["source"], train_pool["target"]), size.vocab_size)
        if processes().number > 1:
            (tokenizer,) = broadcast_object_list([tokenizer])  # each process has trained its own, perhaps not the same
        return Base(size.model(len(tokenizer)), tokenizer, from_scratch=True)
    model, tokenizer = load_model(name), load_tokenizer(name)
    if find_bottleneck(model) is not None:
        raise CodeUnlearnError(f"{name} already has a bottleneck; start from its plain base instead.")
    return Base(model, tokenizer, from_scratch=False)
