"""The codes of sentences, batch by batch: read by the model up to its site, or looked up where they are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import require_bottleneck, run_to_site, source_prefix, unwrapped
from codeunlearn.codebook.encoding import encode
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.tasks.batches import LENGTH_STEP, by_length, round_up

MAX_TOKENS = 512


class CodeBatch(NamedTuple):
    """The codes of a batch of sentences.

    Attributes:
        ids: [B, L, S'] rows of the codebook, best first; S' is the largest that is counted.
        mask: [B, L], nonzero at real tokens. Padding is counted nowhere; the end-of-sentence token is a
            token.
        tokens: [B, L] token ids.
    """

    ids: Tensor
    mask: Tensor
    tokens: Tensor


class KnownCodes(Protocol):
    """Sentences whose codes need no model, such as those of a `CorpusIndex`."""

    def holds(self, sentences: Sequence[str]) -> bool: ...

    def lengths(self, sentences: Sequence[str]) -> list[int]: ...

    def batch(self, sentences: Sequence[str], s: int) -> CodeBatch: ...


class CodeReader:
    """Turns aligned lists of sentences into batches of codes, sorted by length; deletions are ignored.

    Args:
        s: codes per token.
        batch_tokens: bound on the padded tokens of a batch; longer sentences go alone. What suits the device when absent.
        known: where columns are looked up that it holds as a whole.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        s: int,
        batch_tokens: int | None = None,
        known: KnownCodes | None = None,
    ) -> None:
        self.model = model = unwrapped(model)
        self.tokenizer = tokenizer
        self.s = s
        self.batch_tokens = batch_tokens or suitable_batch_tokens(model.device)
        self.known = known
        self.prefix = source_prefix(model)

    def read(self, columns: Sequence[Sequence[str]]) -> Iterator[list[CodeBatch]]:
        """Batches of aligned sentences, one `CodeBatch` per column; sentences are cut at `MAX_TOKENS`."""
        for _, batches in self.read_with_members(columns):
            yield batches

    def read_with_members(self, columns: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], list[CodeBatch]]]:
        """As `read`, with the places of the batch's sentences in their columns."""
        readers = [self._column(column) for column in columns]
        lengths = [max(of_sentence) for of_sentence in zip(*(reader.lengths for reader in readers), strict=True)]
        unknown = sum(isinstance(reader, _Tokens) for reader in readers)
        for members in by_length(lengths, self.batch_tokens // max(1, unknown), step=LENGTH_STEP):
            rows = [reader.rows[i] for reader in readers if isinstance(reader, _Tokens) for i in members]
            fresh = iter(self._codes(rows, unknown) if rows else ())
            batches = [
                next(fresh) if isinstance(reader, _Tokens) else reader.batch(members, self.s, self.model.device)
                for reader in readers
            ]
            yield members, batches

    def _column(self, sentences: Sequence[str]) -> _Tokens | _LookUp:
        if self.known is not None and self.known.holds(sentences):
            return _LookUp(sentences, self.known)
        texts = [self.prefix + sentence for sentence in sentences]
        return _Tokens(encode(self.tokenizer, texts, MAX_TOKENS).ids)

    def _codes(self, rows: Sequence[list[int]], columns: int) -> Iterator[CodeBatch]:
        """The codes of the rows of several columns, one after the other, in one pass of the encoder."""
        lengths = torch.tensor([len(ids) for ids in rows])
        tokens = torch.zeros((len(rows), round_up(int(lengths.max()))), dtype=torch.int64)
        mask = torch.arange(tokens.shape[1])[None] < lengths[:, None]
        tokens[mask] = torch.tensor([token for ids in rows for token in ids])
        tokens, mask = tokens.to(self.model.device), mask.to(self.model.device)
        activations = run_to_site(self.model, tokens, mask.long())
        found = require_bottleneck(self.model).select(activations, self.s, ignore_deleted=True)
        parts = (tensor.chunk(columns) for tensor in (found.ids, mask, tokens))
        return (CodeBatch(*part) for part in zip(*parts, strict=True))


class _Tokens:
    """A column that the model has to read."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = rows
        self.lengths = [len(ids) for ids in rows]


class _LookUp:
    """A column whose codes are known."""

    def __init__(self, sentences: Sequence[str], known: KnownCodes) -> None:
        self.sentences, self.known = sentences, known
        self.lengths = known.lengths(sentences)

    def batch(self, members: Sequence[int], s: int, device: torch.device) -> CodeBatch:
        found = self.known.batch([self.sentences[i] for i in members], s)
        return CodeBatch(*(tensor.to(device) for tensor in found))
