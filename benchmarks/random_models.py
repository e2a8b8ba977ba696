"""Models and sentences without a meaning, for times that do not depend on it."""

from __future__ import annotations

import random
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase, T5Config, T5ForConditionalGeneration

from codeunlearn.codebook import BottleneckConfig, attach, require_bottleneck

CODES = 25_000  # the paper's K


def small_t5(num_codes: int = 0, deleted: int = 0) -> Any:
    """A T5-small with random weights; with codes, of which the first ``deleted`` are deleted, where their number is given."""
    torch.manual_seed(0)
    model: Any = T5ForConditionalGeneration(T5Config(decoder_start_token_id=0))  # pyright: ignore[reportCallIssue]
    if num_codes:
        model = attach(model, BottleneckConfig(num_codes=num_codes))
        require_bottleneck(model).codebook.deleted[:deleted] = True
    return model.eval()


def random_sentences(tokenizer: PreTrainedTokenizerBase, number: int, tokens: int, seed: int = 0) -> list[str]:
    """Sentences of about so many tokens each."""
    draw, words = random.Random(seed), len(tokenizer)
    return [str(tokenizer.decode([draw.randrange(100, words) for _ in range(tokens)])) for _ in range(number)]
