"""How probable a model finds given translations, token by token: forced decoding (teacher forcing), in batches.

At every position the model has read the source and the target so far; what counts is the probability that it gives the
target's next token, and how many tokens it would rather say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, source_prefix
from codeunlearn.codebook.encoding import encode, pad_id, padded
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.errors import CodeUnlearnError

_LONGEST = 512
_IGNORED = -100


class ForcedTokens(NamedTuple):
    """The tokens of one target, special ones such as the end mark included, as the model was trained on them.

    Attributes:
        log_probabilities: [tokens], natural logarithm.
        ranks: [tokens], 1 plus the number of tokens that the model finds more probable there.
    """

    log_probabilities: NDArray[np.float64]
    ranks: NDArray[np.int64]


def force(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    prefix: str | None = None,
    batch_tokens: int | None = None,
) -> list[ForcedTokens]:
    """Scores every target given its source, in order, with any encoder-decoder model on the device where it is.

    Args:
        prefix: put before every source, such as T5's task prefix; the model's own if absent, the empty text for none.
        batch_tokens: bound on the padded target tokens of a batch; the logits of all of them are in memory. What suits the
            device when absent.

    Sources and targets are cut at 512 tokens, or where the model's positions end.
    """
    if not model.config.is_encoder_decoder:
        raise CodeUnlearnError("Forced decoding needs an encoder-decoder model (AutoModelForSeq2SeqLM).")
    limit: Any = getattr(model.config, "max_position_embeddings", None)
    most = min(_LONGEST, limit or _LONGEST)
    prefix = source_prefix(model, prefix)
    inputs = encode(tokenizer, [prefix + source for source in sources], most).ids
    labels = encode(tokenizer, targets, most, as_target=True).ids
    found: list[ForcedTokens | None] = [None] * len(labels)
    budget = batch_tokens or suitable_batch_tokens(model.device) // 4
    with evaluating(model), torch.inference_mode():
        for batch in _batches(inputs, labels, budget):
            forced = _force_batch(model, tokenizer, [inputs[i] for i in batch], [labels[i] for i in batch])
            for i, tokens in zip(batch, forced, strict=True):
                found[i] = tokens
    return [tokens for tokens in found if tokens is not None]


def _batches(inputs: Sequence[list[int]], labels: Sequence[list[int]], batch_tokens: int) -> Iterator[list[int]]:
    """Places with others of about their lengths, the longest first."""
    order = sorted(range(len(labels)), key=lambda i: (-len(labels[i]), -len(inputs[i]), i))
    while order:
        rows = max(1, batch_tokens // max(1, len(labels[order[0]])))
        yield order[:rows]
        order = order[rows:]


def _force_batch(
    model: Any, tokenizer: PreTrainedTokenizerBase, inputs: Sequence[list[int]], labels: Sequence[list[int]]
) -> Iterator[ForcedTokens]:
    device = model.device
    pad = pad_id(tokenizer)
    wanted = padded(labels, _IGNORED).to(device)
    logits: Tensor = model(
        input_ids=padded(inputs, pad).to(device),
        attention_mask=padded([[1] * len(ids) for ids in inputs], 0).to(device),
        labels=wanted,
    ).logits.float()
    chosen = logits.gather(2, wanted.clamp_min(0)[..., None])
    log_probabilities = (chosen[..., 0] - logits.logsumexp(-1)).double().cpu().numpy()
    ranks = ((logits > chosen).sum(-1) + 1).cpu().numpy()
    for row, ids in enumerate(labels):
        yield ForcedTokens(log_probabilities[row, : len(ids)], ranks[row, : len(ids)])
