"""How probable a model finds given answers, token by token: forced decoding (teacher forcing), in batches.

At every position the model has read the source (the prompt) and the target (the answer) so far; what counts is the
probability that it gives the target's next token, and how many tokens it would rather say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, prompt_frame
from codeunlearn.codebook.encoding import encode, pad_id, padded, padded_with_mask
from codeunlearn.codebook.prompts import encode_prompts, encode_rows, end_of_reply, goes_on
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.batches import by_length, decoder_inputs

_LONGEST = 512
_IGNORED = -100


class ForcedTokens(NamedTuple):
    """The tokens of one target, special ones such as the end mark included, as an encoder-decoder model was trained on them.

    Attributes:
        log_probabilities: [tokens], natural logarithm; 0 of tokens that are given, such as the language of the answer.
        ranks: [tokens], 1 plus the number of tokens that the model finds more probable there.
        spans: [tokens], the characters of the target that each stands for; empty unless asked for.
        end: log probability of the end mark behind the tokens, where it is none of them: of a model without an encoder, if its
            target is a reply, so that it has learned to end there (`end_of_reply`).
    """

    log_probabilities: NDArray[np.float64]
    ranks: NDArray[np.int64]
    spans: Sequence[tuple[int, int]] = ()
    end: float | None = None

    @property
    def with_end(self) -> NDArray[np.float64]:
        """Log probabilities of the tokens and of the end mark behind them, if there is one."""
        return self.log_probabilities if self.end is None else np.append(self.log_probabilities, self.end)


def force(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    prefix: str | None = None,
    suffix: str | None = None,
    batch_tokens: int | None = None,
    with_spans: bool = False,
) -> list[ForcedTokens]:
    """Scores every target given its source, in order, on the device where the model is.

    Of a model without an encoder, targets are what follows their sources, and an end mark is scored apart from their tokens.

    Args:
        prefix: put before every source, such as T5's task prefix; the model's own if absent, the empty text for none.
        suffix: put behind every source, likewise.
        batch_tokens: bound on the padded target tokens of a batch (of a model without an encoder, those of source and target);
            the logits of all of them are in memory. What suits the device when absent.
        with_spans: also say where the tokens stand in their target.

    Sources and targets are cut at 512 tokens, or where the model's positions end.
    """
    limit: Any = getattr(model.config, "max_position_embeddings", None)
    most, frame = min(_LONGEST, limit or _LONGEST), prompt_frame(model, prefix, suffix)
    if goes_on(model):
        rows = encode_rows(tokenizer, sources, targets, frame, most)
        inputs, labels, spans = [row.prompt for row in rows], [row.answer for row in rows], [row.spans for row in rows]
        lengths = [len(row.prompt) + len(row.answer) for row in rows]
        forced = partial(_force_continuations, end=end_of_reply(tokenizer, frame), most=most)
    elif model.config.is_encoder_decoder:
        inputs = encode_prompts(model, tokenizer, sources, frame, most).ids
        targeted = encode(tokenizer, targets, most, as_target=True, with_spans=with_spans)
        labels, spans = targeted.ids, targeted.spans
        lengths, forced = [len(ids) for ids in labels], _force_batch
    else:
        raise CodeUnlearnError("Forced decoding needs a model that says words, not one that classifies them.")
    found: list[ForcedTokens | None] = [None] * len(labels)
    budget = batch_tokens or suitable_batch_tokens(model.device) // 4
    with evaluating(model), torch.inference_mode():
        for batch in by_length(lengths, budget, ties=[len(ids) for ids in inputs]):
            scored = forced(model, tokenizer, [inputs[i] for i in batch], [labels[i] for i in batch])
            for i, tokens in zip(batch, scored, strict=True):
                found[i] = tokens
    every = [tokens for tokens in found if tokens is not None]
    return [tokens._replace(spans=at) for tokens, at in zip(every, spans, strict=True)] if with_spans else every


def _force_batch(
    model: Any, tokenizer: PreTrainedTokenizerBase, inputs: Sequence[list[int]], labels: Sequence[list[int]]
) -> Iterator[ForcedTokens]:
    device = model.device
    pad = pad_id(tokenizer)
    wanted = padded(labels, _IGNORED).to(device)
    logits: Tensor = model(
        input_ids=padded(inputs, pad).to(device),
        attention_mask=padded([[1] * len(ids) for ids in inputs], 0).to(device),
        decoder_input_ids=decoder_inputs(model, wanted),
    ).logits.float()
    log_probabilities, ranks = _of_tokens(logits, wanted)
    for row, ids in enumerate(labels):
        given = _given(model, tokenizer, ids)
        scored = np.where(given, 0.0, log_probabilities[row, : len(ids)])
        yield ForcedTokens(scored, np.where(given, 1, ranks[row, : len(ids)]))


def _given(model: Any, tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> NDArray[np.bool_]:
    """Which tokens a model is not asked for: the one with which `generate` makes it begin, and what stands behind the end."""
    given = np.zeros(len(ids), bool)
    given[:1] = list(ids[:1]) == [model.generation_config.forced_bos_token_id]
    end = next((i for i, token in enumerate(ids) if token == tokenizer.eos_token_id), len(ids))
    given[end + 1 :] = True
    return given


def _force_continuations(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    answers: Sequence[list[int]],
    *,
    end: int | None,
    most: int,
) -> Iterator[ForcedTokens]:
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    device, first = model.device, min(map(len, prompts))
    ids, mask = (part.to(device) for part in padded_with_mask(rows, pad_id(tokenizer)))
    # The output layer, the widest of a small model, sees no token that lies before all answers.
    kept = ids.shape[1] - first + 1
    logits: Tensor = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits[:, -kept:]
    log_probabilities, ranks = _of_tokens(logits[:, :-1].float(), ids[:, first:])
    ends = [len(row) - first for row in rows]
    ended = None if end is None else logits[range(len(rows)), ends].float().log_softmax(-1)[:, end].tolist()
    for row, (prompt, stop) in enumerate(zip(prompts, ends, strict=True)):
        places = slice(len(prompt) - first, stop)
        whole = len(rows[row]) < most  # behind an answer that was cut nothing ends
        yield ForcedTokens(
            log_probabilities[row, places], ranks[row, places], end=ended[row] if ended and whole else None
        )


def _of_tokens(logits: Tensor, wanted: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log probabilities and ranks of the wanted tokens, both [batch, length]."""
    chosen = logits.gather(2, wanted.clamp_min(0)[..., None])
    log_probabilities = (chosen[..., 0] - logits.logsumexp(-1)).double().cpu().numpy()
    return log_probabilities, ((logits > chosen).sum(-1) + 1).cpu().numpy()
