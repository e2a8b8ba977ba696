"""What deleting one more code would do to a translation, for many codes at once and without changing the model.

Sentences are scored under forced decoding: the model reads the source and the reference so far, and the probability that it
gives the reference's next token is what counts. Every row of a batch has a deletion of its own, because the bottleneck's
output is replaced by one made from code lists (`CodeLists`). The output layer, the widest of a small model, sees only the
positions that count, and the decoder reads no further than the last of them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import DeletionMode, evaluating, replace_bottleneck_output, require_bottleneck, unwrapped
from codeunlearn.codebook.encoding import Span, encode
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.tasks.batches import LENGTH_STEP, by_length, decoder_inputs, round_up
from codeunlearn.unlearning.evidence.code_lists import BoolArray, CodeLists, Firing
from codeunlearn.unlearning.evidence.reading import MAX_TOKENS

FloatArray = NDArray[np.float64]
_IGNORED = -100


class Deletion(NamedTuple):
    """One sentence, and the row that is deleted on top of the others; None for no more than the others."""

    sentence: int
    row: int | None


class DeletionEffects:
    """Log probabilities of references under deletions.

    Args:
        lists: the codes of the sources; deep enough for what will be deleted.
        targets: the references, one for each source.
        words: target words whose tokens count; without any, all tokens do.
        mode: what happens to a slot whose code is deleted; the model's own way unless given.
        batch_tokens: bound on the padded target tokens of a batch.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        lists: CodeLists,
        targets: Sequence[str],
        *,
        words: Sequence[str] = (),
        mode: DeletionMode | None = None,
        batch_tokens: int = 2048,
    ) -> None:
        self.model, self.lists, self.batch_tokens = unwrapped(model), lists, batch_tokens
        self.bottleneck = require_bottleneck(model)
        self.mode: DeletionMode = mode or self.bottleneck.codebook.mode
        self.labels, self.counted = _labels(tokenizer, targets, words)
        self._spans = [lists.tokens_of(sentence) for sentence in range(lists.sentences)]

    def usable(self) -> list[int]:
        """Sentences whose reference has tokens that count."""
        return [sentence for sentence, counted in enumerate(self.counted) if counted.any()]

    @torch.no_grad()
    def log_probabilities(self, deletions: Sequence[Deletion], deleted: BoolArray) -> FloatArray:
        """The summed log probability of the tokens that count, for every deletion, [len(deletions)].

        Args:
            deleted: [K] the rows that are deleted in all of them.
        """
        s = self.bottleneck.config.top_s
        ahead = self.lists.firing(deleted, s + 1 if self.mode == "refill" else s, self.mode)
        slots = _slots(ahead, len(self.lists.ids), s + 1)
        sums = _Sums(self.bottleneck.codebook.weight.detach(), slots[:, :s], slots[:, s], self.mode, deleted)
        found = np.zeros(len(deletions))
        spans = [self._spans[one.sentence] for one in deletions]
        targets = [len(self.labels[one.sentence]) for one in deletions]
        longer = [max(target, span.stop - span.start) for target, span in zip(targets, spans, strict=True)]
        device = self.model.device
        with evaluating(self.model), torch.autocast(device.type, enabled=False):
            for places in by_length(longer, self.batch_tokens, ties=targets, step=LENGTH_STEP):
                some = [deletions[place] for place in places]
                found[places] = self._score(some, sums)
        return found

    def _score(self, deletions: Sequence[Deletion], sums: _Sums) -> FloatArray:
        spans = [self._spans[one.sentence] for one in deletions]
        width = round_up(max(span.stop - span.start for span in spans))
        length = round_up(max(len(self.labels[one.sentence]) for one in deletions))
        tokens = torch.zeros((len(deletions), width), dtype=torch.long)
        mask = torch.zeros((len(deletions), width), dtype=torch.long)
        labels = torch.full((len(deletions), length), _IGNORED)
        counted = torch.zeros((len(deletions), length), dtype=torch.bool)
        code_sums = torch.zeros((len(deletions), width, sums.weight.shape[1]))
        for i, (one, span) in enumerate(zip(deletions, spans, strict=True)):
            size, target = span.stop - span.start, self.labels[one.sentence]
            tokens[i, :size] = torch.from_numpy(self.lists.token_ids[span])
            mask[i, :size] = 1
            labels[i, : len(target)] = torch.tensor(target)
            counted[i, : len(target)] = torch.from_numpy(self.counted[one.sentence])
            code_sums[i, :size] = sums.without(span, one.row)
        device = self.model.device
        output = self.bottleneck.decode(code_sums.to(device))
        inputs = decoder_inputs(self.model, labels)
        with replace_bottleneck_output(self.model, output), _only(self.model, counted.to(device)):
            logits: Tensor = self.model(
                input_ids=tokens.to(device), attention_mask=mask.to(device), decoder_input_ids=inputs.to(device)
            ).logits.float()
        losses = F.cross_entropy(logits, labels[counted].to(device), reduction="none")
        row = counted.nonzero()[:, 0]
        return -torch.zeros(len(deletions), dtype=torch.float64).index_add_(0, row, losses.double().cpu()).numpy()


class _Sums:
    """Code sums of tokens, [T, F], and what they become when one more row is deleted."""

    def __init__(
        self, weight: Tensor, slots: Tensor, following: Tensor, mode: DeletionMode, deleted: BoolArray
    ) -> None:
        self.weight, self.slots, self.following = weight.cpu(), slots, following
        # What fills an empty slot: the mean of the surviving codes, or nothing.
        surviving = self.weight[torch.from_numpy(~deleted)] if mode == "anchor" else self.weight[:0]
        self.total, self.number = surviving.sum(0), len(surviving)
        self.empty = (slots < 0).sum(1, keepdim=True)
        self.sums = (self.weight[slots.clamp_min(0)] * (slots >= 0)[..., None]).sum(1)

    def without(self, span: slice, row: int | None) -> Tensor:
        """[L, F] for the tokens of one sentence."""
        total, number = self.total, self.number
        if row is not None and number:
            total, number = total - self.weight[row], number - 1
        fill = total / max(1, number)
        sums = self.sums[span] + self.empty[span] * fill
        if row is None:
            return sums
        hit = (self.slots[span] == row).any(1)
        following = self.following[span][hit]
        sums[hit] += (
            torch.where((following >= 0)[:, None], self.weight[following.clamp_min(0)], fill) - self.weight[row]
        )
        return sums


@contextmanager
def _only(model: Any, positions: Tensor) -> Generator[None]:
    """Inside, the model gives logits [M, V] of these positions, [B, L] bool, alone."""

    def choose(_: Any, inputs: tuple[Tensor, ...]) -> Tensor:
        return inputs[0][positions]

    handle = model.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        with torch.compiler.set_stance("force_eager"):  # compiled code runs past hooks
            yield
    finally:
        handle.remove()


def _slots(firing: Firing, tokens: int, width: int) -> Tensor:
    """[tokens, width] rows that each token selects, -1 in empty slots."""
    slots = np.full((tokens, width), -1, np.int64)
    first = np.searchsorted(firing.token, np.arange(tokens))
    slots[firing.token, np.arange(len(firing.token)) - first[firing.token]] = firing.row
    return torch.from_numpy(slots)


def _labels(
    tokenizer: PreTrainedTokenizerBase, targets: Sequence[str], words: Sequence[str]
) -> tuple[list[list[int]], list[BoolArray]]:
    """Token ids of the references up to the last that counts, and which of them count."""
    encoded = encode(tokenizer, targets, MAX_TOKENS, as_target=True, with_spans=bool(words))
    labels = encoded.ids
    if not words:
        return labels, [np.ones(len(ids), bool) for ids in labels]
    kept: list[list[int]] = []
    wanted = WholeWords(words)
    counted: list[BoolArray] = []
    for ids, target, offsets in zip(labels, targets, encoded.spans, strict=True):
        marked = _inside(offsets, wanted.spans(target))
        last = int(marked.nonzero()[0].max(initial=0))
        kept.append(ids[: last + 1])
        counted.append(marked[: last + 1])
    return kept, counted


def near_words(
    spans: Sequence[Sequence[Span]], sentences: Sequence[str], words: WholeWords, *, window: int = 1
) -> BoolArray:
    """[T] over all tokens of all sentences, in order: at most ``window`` tokens away from one of the words.

    Args:
        spans: the characters of each sentence that its tokens stand for, see `CodeReader.spans`.
    """
    found: list[BoolArray] = [np.zeros(0, bool)]
    for sentence, offsets in zip(sentences, spans, strict=True):
        inside = _inside(offsets, words.spans(sentence))
        found.append(np.convolve(inside, np.ones(2 * window + 1), mode="full")[window : window + len(inside)] > 0)
    return np.concatenate(found)


def _inside(offsets: Sequence[Span], spans: Sequence[Span]) -> BoolArray:
    """Which tokens share a character with one of the spans."""
    return np.array([any(a < end and b > start for start, end in spans) for a, b in offsets], bool)
