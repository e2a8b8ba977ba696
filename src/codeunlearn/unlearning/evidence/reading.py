"""The codes of sentences, read batch by batch by the model up to its site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, prompt_frame, require_bottleneck, run_to_site, unwrapped
from codeunlearn.codebook.encoding import Encoded, Span, padded_with_mask
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.tasks.batches import LENGTH_STEP, by_length
from codeunlearn.unlearning.evidence.code_lists import CodeLists

MAX_TOKENS = 512


class CodeReader:
    """Reads the ranked codes of every token of sentences, which are cut at `MAX_TOKENS`.

    The encoder runs up to the bottleneck, in the model's own precision without autocast and without dropout; what lies
    behind it never runs. Deletions are ignored: a model that has forgotten something gives the codes it gave before.

    Args:
        s: codes per token.
        batch_tokens: bound on the padded tokens of a batch; longer sentences go alone. What suits the device when absent.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, s: int, batch_tokens: int | None = None) -> None:
        self.model = unwrapped(model)
        self.tokenizer, self.s = tokenizer, s
        self.bottleneck = require_bottleneck(model)
        self.batch_tokens = batch_tokens or suitable_batch_tokens(self.model.device)
        self.frame = prompt_frame(self.model)

    def spans(self, sentences: Sequence[str]) -> list[list[Span]]:
        """The characters of each sentence that its tokens stand for; those of what stands around it lie outside of it."""
        return self._encoded(sentences, with_spans=True).spans

    def read(self, sentences: Sequence[str]) -> CodeLists:
        """The codes of sentences."""
        return self.read_together([sentences])[0]

    def read_together(
        self, columns: Sequence[Sequence[str]], report: Callable[[int], None] | None = None
    ) -> list[CodeLists]:
        """The codes of columns of as many sentences each, those of one place in one batch.

        Args:
            report: called after every batch with the number of sentences in it.
        """
        rows = [self._encoded(column).ids for column in columns]
        lengths = [max(map(len, of_place)) for of_place in zip(*rows, strict=True)]
        none = np.empty((0, self.s), np.int32), np.empty(0, np.int64), np.empty(0, np.int64)
        found: list[list[Any]] = [[none] for _ in columns]
        with evaluating(self.model), torch.no_grad(), torch.autocast(self.model.device.type, enabled=False):
            for places in by_length(lengths, self.batch_tokens // len(columns), step=LENGTH_STEP):
                tokens, mask = padded_with_mask([column[i] for column in rows for i in places], 0, LENGTH_STEP)
                states = run_to_site(self.model, tokens.to(self.model.device), mask.to(self.model.device))
                ids = self.bottleneck.select(states, self.s, ignore_deleted=True).ids.to("cpu", torch.int32)
                parts = (part.chunk(len(columns)) for part in (ids, mask.bool(), tokens))
                for of_column, part_ids, part_mask, part_tokens in zip(found, *parts, strict=True):
                    sentence = np.repeat(np.array(places), part_mask.sum(1).numpy())
                    of_column.append((part_ids[part_mask].numpy(), sentence, part_tokens[part_mask].numpy()))
                if report is not None:
                    report(len(columns) * len(places))
        return [self._in_order(parts, len(lengths)) for parts in found]

    def _encoded(self, sentences: Sequence[str], *, with_spans: bool = False) -> Encoded:
        return encode_prompts(self.model, self.tokenizer, sentences, self.frame, MAX_TOKENS, with_spans=with_spans)

    def _in_order(self, batches: list[Any], sentences: int) -> CodeLists:
        ids, sentence, tokens = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        order = np.argsort(sentence, kind="stable")
        return CodeLists(ids[order], sentence[order], tokens[order], sentences, self.bottleneck.codebook.num_codes)
