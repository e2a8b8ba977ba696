"""Prompts as token ids, alone or with their answers: the one way for all that asks a model or reads what it is asked.

What stands around a prompt (`Frame`) may hold control tokens, such as those of a chat; the prompt and its answer are text and
nothing else, as everywhere (`codeunlearn.codebook.encoding`).

A model that goes on with a text reads its answer in the same row, behind the prompt. Its row begins with a control token: the
one that the tokenizer puts there, or else its beginning mark, or else its end mark, as between two documents. The
tokenizer's end mark never stands behind a prompt. Prompt and answer are apart by a space, unless the frame ends in one, in
a line end or in a control token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.encoding import Encoded, Span, Token, control_ids, encode, spelled, tokenized
from codeunlearn.codebook.prefix import Frame
from codeunlearn.codebook.wrappers import unwrapped


class Row(NamedTuple):
    """A prompt, all that stands around it included, and its answer.

    Attributes:
        prompt: token ids.
        answer: token ids, without an end mark.
        spans: the characters of the answer that each of its tokens stands for, from and to.
    """

    prompt: list[int]
    answer: list[int]
    spans: list[Span]


def end_of_reply(tokenizer: PreTrainedTokenizerBase, frame: Frame) -> int | None:
    """The end mark that a reply to a prompt ends with; None where a text goes on, which nothing behind a prompt tells."""
    end = tokenizer.eos_token_id
    return end if frame.behind and isinstance(end, int) else None


def goes_on(model: Any) -> bool:
    """Whether the model's answer is what follows the prompt, as with a decoder alone."""
    model = unwrapped(model)
    return not model.config.is_encoder_decoder and bool(model.can_generate())


def encode_prompts(
    model: Any, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], frame: Frame, max_tokens: int | None = None,
    *, with_spans: bool = False,
) -> Encoded:  # fmt: skip
    """Token ids of every prompt in its frame, as the model reads them.

    Args:
        max_tokens: a longer prompt is cut to it: at its end, or at its beginning where the model goes on from its end.
        with_spans: also say which characters of the prompt each token stands for; those of the frame lie outside of it.

    Raises:
        CodeUnlearnError: as `encode`.
    """
    if goes_on(model):
        rows = [_cut(row, max_tokens) for row in _read(tokenizer, frame, prompts)]
        return Encoded(
            [[token for token, _, _ in row] for row in rows],
            [[around for _, around, _ in row] for row in rows],
            [[span for _, _, span in row] for row in rows],
        )
    found = encode(tokenizer, list(map(frame.around, prompts)), max_tokens, with_spans=with_spans)
    shift = len(frame.before)
    return Encoded(found.ids, found.framing, [[(a - shift, b - shift) for a, b in row] for row in found.spans])


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], answers: Sequence[str], frame: Frame, max_tokens: int
) -> list[Row]:
    """Every prompt in its frame with its answer, for a model that goes on.

    Args:
        max_tokens: of a longer row the prompt loses its beginning, and then the answer its end.

    Raises:
        CodeUnlearnError: as `encode_prompts`.
    """
    found: list[Row] = []
    for prompt, answer, tokens in zip(prompts, answers, _read(tokenizer, frame, prompts, answers), strict=True):
        end = len(prompt) + len(frame.behind)
        start = end + len(_between(tokenizer, frame.around(prompt), answer))
        own = [token for token in tokens if token[2][1] > end]
        before = _cut(tokens[: len(tokens) - len(own)], max(1, max_tokens - len(own)))
        spans = [(max(a - start, 0), b - start) for _, _, (a, b) in own]
        kept = max(0, max_tokens - len(before))
        found.append(Row([t[0] for t in before], [t[0] for t in own][:kept], spans[:kept]))
    return found


def _read(
    tokenizer: PreTrainedTokenizerBase, frame: Frame, prompts: Sequence[str], answers: Sequence[str] | None = None
) -> Iterator[list[Token]]:
    """The tokens of each row; spans count from where the prompt begins, and what is of the frame is marked."""
    if not prompts:
        return
    control = control_ids(tokenizer)
    marks = [str(tokenizer.convert_ids_to_tokens(one)) for one in control]
    texts = list(map(frame.around, prompts))
    if answers is not None:
        texts = [text + _between(tokenizer, text, answer) + answer for text, answer in zip(texts, answers, strict=True)]
    encoded = tokenized(
        tokenizer,
        texts,
        # A frame that begins with a control token has all that belongs there, as chat templates do.
        framed=not any(frame.before.startswith(mark) for mark in marks),
        split=not any(mark in part for mark in marks for part in frame),
        with_spans=True,
    )
    columns = (encoded.ids, encoded.framing, encoded.spans)
    start, opening = len(frame.before), _opening(tokenizer)
    for prompt, ids, added, spans in zip(prompts, *columns, strict=True):
        while added and added[-1] and ids[-1] in control:  # the tokenizer's end mark
            ids, added, spans = ids[:-1], added[:-1], spans[:-1]
        moved = [(a - start, b - start) for a, b in spans]
        around = [mark or b <= 0 or len(prompt) <= a < len(prompt) + len(frame.behind)
                  for mark, (a, b) in zip(added, moved, strict=True)]  # fmt: skip
        tokens = list(zip(ids, around, moved, strict=True))
        if any(token in control and not frame_too for token, frame_too, _ in tokens):
            tokens = list(spelled(tokenizer, Encoded([ids], [around], [moved]), control))
        if opening is not None and not (tokens and tokens[0][0] in control):
            tokens.insert(0, (opening, True, (-start, -start)))
        yield tokens


def _between(tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str) -> str:
    """What parts a prompt in its frame from its answer."""
    if not prompt or prompt[-1].isspace() or answer[:1].isspace():
        return ""
    marks = (str(tokenizer.convert_ids_to_tokens(one)) for one in control_ids(tokenizer))
    return "" if any(map(prompt.endswith, marks)) else " "


def _opening(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """With what a row begins where the tokenizer puts nothing there."""
    marks = (tokenizer.bos_token_id, tokenizer.eos_token_id)
    return next((one for one in marks if isinstance(one, int)), None)


def _cut(tokens: list[Token], max_tokens: int | None) -> list[Token]:
    """Shortened at the beginning of the prompt, its frame kept."""
    excess = 0 if max_tokens is None else len(tokens) - max_tokens
    text = [i for i, (_, around, _) in enumerate(tokens) if not around]
    dropped = set(text[:excess]) if excess > 0 else set[int]()
    return [token for i, token in enumerate(tokens) if i not in dropped]
