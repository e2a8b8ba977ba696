"""Answers in bulk: batched, sorted by length, deterministic, with their exact cost in tokens.

Prompts are batched with others of about their length, so little is spent on padding, and widths are rounded
up so that few shapes occur. How a prompt is answered does not depend on its batch, but for rounding: padding is masked (on the
left where a model goes on with its prompt), and each has its own bound on the length of its output, computed from its own
length.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from codeunlearn.codebook import Frame, evaluating, prompt_frame
from codeunlearn.codebook.encoding import pad_id, padded
from codeunlearn.codebook.prompts import encode_prompts, goes_on
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.batches import LENGTH_STEP, by_length

Progress = Callable[[int, int], None]
"""Called after every batch with the number of prompts answered so far and the number of all."""


@dataclass(frozen=True)
class DecodingConfig:
    """How to answer; part of what a score depends on.

    Attributes:
        num_beams: Beams of the search; 1 is greedy. Sampling is never used.
        batch_tokens: Bound on the padded prompt tokens of a batch times `num_beams`; a longer prompt goes
            alone. What suits the device when absent.
        max_new_tokens: Bound on the output tokens of every prompt, end mark included; None for
            2 * (prompt tokens) + 10, of each prompt by itself.
        max_source_tokens: Longer prompts are cut to this many tokens, with a warning.
        autocast: Floating type of mixed precision, such as `torch.bfloat16`; None computes in the model's own
            type.
        prefix: Text put before every prompt, such as T5's task prefix; None for the model's own, the empty text for none.
        suffix: Text put behind every prompt, likewise.
    """

    num_beams: int = 1
    batch_tokens: int | None = None
    max_new_tokens: int | None = None
    max_source_tokens: int = 512
    autocast: torch.dtype | None = None
    prefix: str | None = None
    suffix: str | None = None

    def __post_init__(self) -> None:
        for name in ("num_beams", "batch_tokens", "max_new_tokens", "max_source_tokens"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise CodeUnlearnError(f"{name} must be at least 1, not {number}.")


@dataclass(frozen=True)
class TokenCost:
    """What answers cost, counted and not estimated.

    Attributes:
        source_tokens: Tokens of the prompts, what stands around them included, after cutting.
        output_tokens: Tokens of the answers, end marks included.
        encoder_positions: Token positions that the encoder computed, or in which a model without one read its prompts, for each
            beam; what exceeds `source_tokens` is padding.
        decoder_positions: Token positions that the decoder computed after that, over all beams; what exceeds
            `output_tokens` was spent on other beams and on sentences that waited for their batch to finish.
        batches: Calls of `generate`.
    """

    source_tokens: int
    output_tokens: int
    encoder_positions: int
    decoder_positions: int
    batches: int

    def to_dict(self) -> dict[str, int]:
        """Plain numbers for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Answers:
    """Answers in the order of their prompts, and what they cost.

    Attributes:
        texts: One answer per prompt; empty for an empty prompt.
        cost: Tokens read, written and computed.
        truncated: Indices of the prompts that were cut to `max_source_tokens`.
        unfinished: Indices of the answers that were stopped by the bound on their length.
    """

    texts: list[str]
    cost: TokenCost
    truncated: tuple[int, ...]
    unfinished: tuple[int, ...]


@dataclass
class _Work:
    """Token positions and batches computed so far."""

    encoder: int = 0
    decoder: int = 0
    batches: int = 0
    unread: bool = False
    """The next positions are those of a batch's prompts."""


class _EndAtOwnBound(LogitsProcessor):
    """Ends every answer of a batch at its own bound, as if it had been given alone.

    Args:
        given: tokens of a row before the first of its answer, such as a start mark.
    """

    def __init__(self, bounds: Sequence[int], num_beams: int, end: int, given: int, device: torch.device) -> None:
        self.bounds = torch.tensor(bounds, device=device).repeat_interleave(num_beams)
        self.end, self.given = end, given

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        due = (input_ids.shape[1] - self.given + 1 >= self.bounds)[:, None]
        only_end = torch.full_like(scores, -torch.inf)
        only_end[:, self.end] = 0
        return torch.where(due, only_end, scores)


def translate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    *,
    num_beams: int = 1,
    batch_tokens: int | None = None,
    max_new_tokens: int | None = None,
    prefix: str | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """The translations of `sentences`, in order; `translate_counted` without the counts.

    The keywords are fields of `DecodingConfig`.
    """
    config = DecodingConfig(num_beams, batch_tokens, max_new_tokens, prefix=prefix)
    return translate_counted(model, tokenizer, sentences, config, progress=progress).texts


def translate_counted(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    config: DecodingConfig | None = None,
    *,
    progress: Progress | None = None,
) -> Answers:
    """Translates `sentences` with any encoder-decoder model, on the device where the model is.

    Dropout is off while it runs; the model's training mode is restored afterwards. Warns when sentences had
    to be cut.
    """
    if not model.config.is_encoder_decoder:
        raise CodeUnlearnError("Translation needs an encoder-decoder model (AutoModelForSeq2SeqLM).")
    return answer_counted(model, tokenizer, sentences, config, progress=progress)


def answer_counted(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    config: DecodingConfig | None = None,
    *,
    progress: Progress | None = None,
) -> Answers:
    """What the model, with an encoder or without one, says to every prompt; see `translate_counted`."""
    config = config or DecodingConfig()
    filled = [i for i, prompt in enumerate(prompts) if prompt.strip()]
    sources, cut = _tokenize(model, tokenizer, [prompts[i] for i in filled], config)
    outputs: list[list[int]] = [[] for _ in sources]
    work, done = _Work(), len(prompts) - len(filled)
    with evaluating(model), torch.inference_mode(), _counting(model, work):
        budget = (config.batch_tokens or suitable_batch_tokens(model.device)) // config.num_beams
        for batch in by_length([len(ids) for ids in sources], budget, step=LENGTH_STEP):
            work.unread = True
            generated = _generate(model, tokenizer, [sources[i] for i in batch], config)
            for i, ids in zip(batch, generated, strict=True):
                outputs[i] = ids
            work.batches, done = work.batches + 1, done + len(batch)
            if progress is not None:
                progress(done, len(prompts))
    texts = [""] * len(prompts)
    for i, text in zip(filled, _decode(model, tokenizer, outputs), strict=True):
        texts[i] = text
    bounds = [_bound(model, len(ids), config) for ids in sources]
    return Answers(
        texts=texts,
        cost=TokenCost(sum(map(len, sources)), sum(map(len, outputs)), work.encoder, work.decoder, work.batches),
        truncated=tuple(filled[i] for i in cut),
        unfinished=tuple(i for i, ids, bound in zip(filled, outputs, bounds, strict=True) if len(ids) == bound),
    )


def _tokenize(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str], config: DecodingConfig
) -> tuple[list[list[int]], list[int]]:
    """Token ids of every prompt in its frame, and the indices of those that had to be cut."""
    if not texts:
        return [], []
    frame: Frame = prompt_frame(model, config.prefix, config.suffix)
    limit, places = config.max_source_tokens, _position_limit(model)
    if places is not None:
        answer = min(config.max_new_tokens or places // 2, places - 1) if goes_on(model) else 0
        limit = min(limit, places - answer)
    ids = encode_prompts(model, tokenizer, texts, frame).ids
    cut = [i for i, row in enumerate(ids) if len(row) > limit]
    for i in cut:
        (ids[i],) = encode_prompts(model, tokenizer, [texts[i]], frame, limit).ids  # which keeps what stands around it
    if cut:
        warnings.warn(f"{len(cut)} of {len(texts)} sentences were cut to {limit} tokens.", stacklevel=4)
    return ids, cut


def _generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
) -> list[list[int]]:
    """Output tokens of one batch, without what was given and padding, with the end mark."""
    device, follows = model.device, goes_on(model)
    bounds = [_bound(model, len(ids), config) for ids in sources]
    ends = end_marks(model, tokenizer)
    input_ids, mask = padded_rows(sources, tokenizer, left=follows)
    given = input_ids.shape[1] if follows else 1
    own = {"eos_token_id": ends, "pad_token_id": pad_id(tokenizer)} if follows else {}
    generator: Any = model
    with torch.autocast(device.type, dtype=config.autocast, enabled=config.autocast is not None):
        rows: Any = generator.generate(
            input_ids=input_ids.to(device),
            attention_mask=mask.to(device),
            logits_processor=LogitsProcessorList([_EndAtOwnBound(bounds, config.num_beams, ends[0], given, device)]),
            num_beams=config.num_beams,
            num_return_sequences=1,
            do_sample=False,
            max_new_tokens=max(bounds),
            max_length=None,
            return_dict_in_generate=False,
            **own,
        )
    generated: list[list[int]] = rows[:, given:].tolist()
    return [_until_end(row, ends) for row in generated]


def padded_rows(
    sources: Sequence[Sequence[int]], tokenizer: PreTrainedTokenizerBase, *, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Token ids padded to a common width, on the right unless on the left, and their mask; both [rows, width]."""
    if left:
        ids, mask = padded_rows([row[::-1] for row in sources], tokenizer)
        return ids.flip(1), mask.flip(1)
    mask = padded([[1] * len(ids) for ids in sources], 0, LENGTH_STEP)
    return padded(sources, pad_id(tokenizer), LENGTH_STEP), mask


def _bound(model: PreTrainedModel, source_tokens: int, config: DecodingConfig) -> int:
    """The most output tokens of a prompt, end mark included."""
    bound = config.max_new_tokens or 2 * source_tokens + 10
    limit = _position_limit(model)
    return bound if limit is None else min(bound, limit - (source_tokens if goes_on(model) else 1))


def _position_limit(model: PreTrainedModel) -> int | None:
    """The longest sequence for a model with absolute positions; None for relative positions, as in T5."""
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) else None


def end_marks(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids that end an output; the first is the usual one."""
    configured: Any = getattr(model.generation_config, "eos_token_id", None)
    found: Any = tokenizer.eos_token_id if configured is None else configured
    if found is None:
        raise CodeUnlearnError("Neither the model nor its tokenizer names an end-of-sentence token.")
    ends = [found] if isinstance(found, int) else list(found)
    if goes_on(model) and isinstance(tokenizer.eos_token_id, int):  # of a chat, where the model's own is of a text
        ends.append(tokenizer.eos_token_id)
    return list(dict.fromkeys(ends))


def _decode(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, outputs: list[list[int]]) -> list[str]:
    decoder: Any = tokenizer
    first: Any = getattr(model.generation_config, "forced_bos_token_id", None)
    # It is a language, which M2M100's tokenizer would spell.
    outputs = [ids[1:] if ids[:1] == [first] else ids for ids in outputs]
    # The clean-up of spaces follows English rules, and its default differs between tokenizers.
    plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    return [decoder.decode(ids, **plain).strip() for ids in outputs]


def _until_end(ids: Sequence[int], ends: Sequence[int]) -> list[int]:
    """`ids` up to and including the first end mark."""
    stop = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
    return list(ids[:stop])


@contextmanager
def _counting(model: PreTrainedModel, work: _Work) -> Generator[None]:
    """Adds every position that the encoder and the decoder, or the model without an encoder, compute to `work`."""

    def encoded(_module: nn.Module, _inputs: Any, output: Any) -> None:
        work.encoder += output[0].shape[0] * output[0].shape[1]

    def decoded(_module: nn.Module, _inputs: Any, output: Any) -> None:
        work.decoder += output[0].shape[0] * output[0].shape[1]

    def followed(module: nn.Module, inputs: Any, output: Any) -> None:
        (encoded if work.unread else decoded)(module, inputs, output)
        work.unread = False

    parts: Any = model
    handles: list[RemovableHandle] = (
        [parts.base_model.register_forward_hook(followed)]
        if goes_on(model)
        else [
            parts.get_encoder().register_forward_hook(encoded),
            parts.get_decoder().register_forward_hook(decoded),
        ]
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
