"""The codes of sentences, batch by batch, read by the model up to its site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, prompt_frame, require_bottleneck, run_to_site, unwrapped
from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.codebook.encoding import Encoded, Span, padded_with_mask
from codeunlearn.codebook.prompts import encode_prompts, encode_rows
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.tasks.batches import LENGTH_STEP, by_length
from codeunlearn.unlearning.evidence.code_lists import CodeLists
from codeunlearn.unlearning.evidence.pursued import PursuedLists

MAX_TOKENS = 512


class CodeReader:
    """Reads the codes of every token of sentences, which are cut at `MAX_TOKENS`.

    The model runs up to the bottleneck, in its own precision without autocast and without dropout; what lies behind it
    never runs. Deletions are ignored: a model that has forgotten something gives the codes it gave before.

    Args:
        s: codes per token.
        batch_tokens: bound on the padded tokens of a batch; longer sentences go alone. What suits the device when absent.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, s: int, batch_tokens: int | None = None) -> None:
        self.model = unwrapped(model)
        self.tokenizer, self.s = tokenizer, s
        self.batch_tokens = batch_tokens or suitable_batch_tokens(self.model.device)
        self.frame = prompt_frame(self.model)

    @cached_property
    def bottleneck(self) -> ConceptBottleneck:
        return require_bottleneck(self.model)

    def read(self, sentences: Sequence[str], answers: Sequence[str] | None = None) -> CodeLists:
        """The codes of sentences; of a model that goes on with them, also those of the answers behind them, where given."""
        if answers is None:
            return self.read_together([sentences])[0]
        rows = encode_rows(self.tokenizer, sentences, answers, self.frame, MAX_TOKENS)
        return self._read([[[*row.prompt, *row.answer] for row in rows]])[0]

    def spans(self, sentences: Sequence[str]) -> list[list[Span]]:
        """The characters of each sentence that its tokens stand for; those of what stands around it lie outside of it."""
        return self._encoded(sentences, with_spans=True).spans

    def _encoded(self, sentences: Sequence[str], *, with_spans: bool = False) -> Encoded:
        return encode_prompts(self.model, self.tokenizer, sentences, self.frame, MAX_TOKENS, with_spans=with_spans)

    def read_together(
        self, columns: Sequence[Sequence[str]], report: Callable[[int], None] | None = None
    ) -> list[CodeLists]:
        """The codes of columns of as many sentences each, those of one place in one batch.

        Args:
            report: called after every batch with the number of sentences in it.
        """
        return self._read([self._encoded(column).ids for column in columns], report)

    def _read(
        self, rows: Sequence[Sequence[list[int]]], report: Callable[[int], None] | None = None
    ) -> list[CodeLists]:
        lengths = [max(map(len, of_place)) for of_place in zip(*rows, strict=True)]
        found: list[list[Any]] = [[self._nothing()] for _ in rows]
        with evaluating(self.model), torch.no_grad(), torch.autocast(self.model.device.type, enabled=False):
            for places in by_length(lengths, self.batch_tokens // len(rows), step=LENGTH_STEP):
                tokens, mask = padded_with_mask([column[i] for column in rows for i in places], 0, LENGTH_STEP)
                states = run_to_site(self.model, tokens.to(self.model.device), mask.to(self.model.device))
                present = mask.bool()
                states = states[present.to(states.device)]  # what pads selects nothing
                selected = self.bottleneck.select(states, self.s, ignore_deleted=True)
                pursued = () if self.bottleneck.codebook.ranked else (selected.scores > 0, states)
                of_columns = present.chunk(len(rows))
                sizes = [int(part.sum()) for part in of_columns]
                every = selected.ids.to("cpu", torch.int32), tokens[present], *pursued
                parts = (part.split(sizes) for part in every)
                for of_column, part, ids, pieces, *more in zip(found, of_columns, *parts, strict=True):
                    sentence = np.repeat(np.array(places), part.sum(1).numpy())
                    kept = [one.cpu().float().numpy() for one in more]
                    of_column.append((ids.numpy(), sentence, pieces.numpy(), *kept))
                if report is not None:
                    report(len(rows) * len(places))
        return [self._in_order(parts, len(lengths)) for parts in found]

    def _nothing(self) -> tuple[Any, ...]:
        """Of no sentence."""
        none = np.empty((0, self.s), np.int32), np.empty(0, np.int64), np.empty(0, np.int64)
        return (
            none
            if self.bottleneck.codebook.ranked
            else (*none, np.empty((0, self.s), np.float32), np.empty((0, self.bottleneck.config.d_model), np.float32))
        )

    def _in_order(self, batches: list[Any], sentences: int) -> CodeLists:
        ids, sentence, tokens, *pursued = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        order = np.argsort(sentence, kind="stable")
        lists = ids[order], sentence[order], tokens[order], sentences, self.bottleneck.codebook.num_codes
        if not pursued:
            return CodeLists(*lists)
        used, states = pursued[0][order] > 0, torch.from_numpy(pursued[1][order])
        return PursuedLists(*lists, used=used, states=states, bottleneck=self.bottleneck)
