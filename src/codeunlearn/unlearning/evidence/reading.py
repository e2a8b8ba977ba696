"""The codes of sentences, batch by batch, read by the model up to its site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import prompt_frame, require_bottleneck, run_to_site, unwrapped
from codeunlearn.codebook.encoding import Encoded, Span, padded_with_mask
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.tasks.batches import LENGTH_STEP, by_length

MAX_TOKENS = 512


class CodeBatch(NamedTuple):
    """The codes of a batch of sentences.

    Attributes:
        ids: [B, L, S'] rows of the codebook, best first; S' is the largest that is counted.
        mask: [B, L], nonzero at real tokens. Padding is counted nowhere; the end-of-sentence token is a
            token.
        tokens: [B, L] token ids.
        states: [B, L, d] what entered the bottleneck.
    """

    ids: Tensor
    mask: Tensor
    tokens: Tensor
    states: Tensor


class CodeReader:
    """Turns aligned lists of sentences into batches of codes, sorted by length; deletions are ignored.

    Args:
        s: codes per token.
        batch_tokens: bound on the padded tokens of a batch; longer sentences go alone. What suits the device when absent.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        s: int,
        batch_tokens: int | None = None,
    ) -> None:
        self.model = model = unwrapped(model)
        self.tokenizer = tokenizer
        self.s = s
        self.batch_tokens = batch_tokens or suitable_batch_tokens(model.device)
        self.frame = prompt_frame(model)

    def spans(self, sentences: Sequence[str]) -> list[list[Span]]:
        """The characters of each sentence that its tokens stand for; those of what stands around it lie outside of it."""
        return self._encoded(sentences, with_spans=True).spans

    def _encoded(self, sentences: Sequence[str], *, with_spans: bool = False) -> Encoded:
        return encode_prompts(self.model, self.tokenizer, sentences, self.frame, MAX_TOKENS, with_spans=with_spans)

    def read(self, columns: Sequence[Sequence[str]]) -> Iterator[list[CodeBatch]]:
        """Batches of aligned sentences, one `CodeBatch` per column; sentences are cut at `MAX_TOKENS`."""
        for _, batches in self.read_with_members(columns):
            yield batches

    def read_with_members(self, columns: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], list[CodeBatch]]]:
        """As `read`, with the places of the batch's sentences in their columns."""
        rows = [self._encoded(column).ids for column in columns]
        lengths = [max(map(len, of_sentence)) for of_sentence in zip(*rows, strict=True)]
        for members in by_length(lengths, self.batch_tokens // max(1, len(rows)), step=LENGTH_STEP):
            together = [column[i] for column in rows for i in members]
            yield members, list(self._codes(together, len(rows)))

    def _codes(self, rows: Sequence[list[int]], columns: int) -> Iterator[CodeBatch]:
        """The codes of the rows of several columns, one after the other, in one pass of the encoder."""
        tokens, mask = (part.to(self.model.device) for part in padded_with_mask(rows, 0, LENGTH_STEP))
        activations = run_to_site(self.model, tokens, mask)
        found = require_bottleneck(self.model).select(activations, self.s, ignore_deleted=True)
        parts = (tensor.chunk(columns) for tensor in (found.ids, mask, tokens, activations))
        return (CodeBatch(*part) for part in zip(*parts, strict=True))
