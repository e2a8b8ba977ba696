"""Sentence pairs as tokens, in batches of equal work and few distinct shapes.

Both sides are padded to a multiple of four and a batch holds pairs of one shape, as many as a token budget allows.
Processors and compilers keep what they prepared for a shape, so shapes that repeat are worth more than a little padding.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import Sampler

from codeunlearn.codebook.encoding import padded

if TYPE_CHECKING:
    from codeunlearn.tasks.base import Task, View

LENGTH_STEP = 4
IGNORED_LABEL = -100


def round_up(length: int, step: int = LENGTH_STEP) -> int:
    return -(-length // step) * step


def by_length(
    lengths: Sequence[int], budget: int, *, ties: Sequence[int] | None = None, step: int = 1
) -> Iterator[list[int]]:
    """Places with others of about their length, as many in a batch as the budget allows once they are padded.

    The longest come first, so that memory runs out at once or never. What is longer than the budget goes alone.

    Args:
        lengths: of every row, such as tokens.
        budget: bound on the padded length of all rows of a batch together.
        ties: a second length, by which rows of one length are ordered.
        step: rows are padded to a multiple of it.
    """
    second = ties or [0] * len(lengths)
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], -second[i], i))
    while order:
        rows = max(1, budget // max(1, round_up(lengths[order[0]], step)))
        yield order[:rows]
        order = order[rows:]


def tokenize_pairs(dataset: Dataset, task: Task, view: View, max_tokens: int) -> Dataset:
    """``input_ids`` and ``labels`` of every pair, see `Task.rows`."""

    def tokens(batch: dict[str, list[str]]) -> dict[str, Any]:
        return task.rows(view, batch["source"], batch["target"], max_tokens)._asdict()

    return dataset.map(
        tokens,
        batched=True,
        remove_columns=dataset.column_names,
        keep_in_memory=True,
        new_fingerprint="rows",  # else made of the whole model, which the function holds
    )


class ShapeBatchSampler(Sampler[list[int]]):
    """Batches of pairs that share a padded shape; order and membership change with the epoch, reproducibly.

    Args:
        lengths: (source, target) tokens of every pair.
        batch_tokens: bound on the padded tokens of a batch, both sides counted.
        seed: with the epoch, decides everything random.
        process: number of this process among several that train together; each takes every so-many-th batch.
        processes: how many there are. All take the same number: up to ``processes - 1`` batches of an epoch are left out.
    """

    def __init__(
        self, lengths: Sequence[tuple[int, int]], batch_tokens: int, seed: int, process: int = 0, processes: int = 1
    ) -> None:
        self.shapes = [(round_up(source), round_up(target)) for source, target in lengths]
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.epoch = 0
        self.batch_size = 1  # nominal: read by accelerate, which never splits these batches
        self.drop_last = False
        self.process, self.processes = process, processes
        self._count = sum(-(-n // self._rows(shape)) for shape, n in self._population().items())

    def _population(self) -> dict[tuple[int, int], int]:
        counts: dict[tuple[int, int], int] = defaultdict(int)
        for shape in self.shapes:
            counts[shape] += 1
        return counts

    def _rows(self, shape: tuple[int, int]) -> int:
        return max(1, self.batch_tokens // sum(shape))

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count // self.processes

    def __iter__(self) -> Iterator[list[int]]:
        rng = random.Random(self.seed * 1_000_003 + self.epoch)
        order = list(range(len(self.shapes)))
        rng.shuffle(order)
        waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
        batches: list[list[int]] = []
        for index in order:
            shape = self.shapes[index]
            waiting[shape].append(index)
            if len(waiting[shape]) == self._rows(shape):
                batches.append(waiting.pop(shape))
        batches.extend(waiting.values())
        rng.shuffle(batches)
        return iter(batches[self.process : len(self) * self.processes : self.processes])


def decoder_inputs(model: Any, labels: Tensor) -> Tensor:
    """What the decoder reads while it foretells these labels, [batch, length]."""
    # Not by the model's own function: mBART's takes the last label for the start.
    start = labels.new_full((len(labels), 1), model.config.decoder_start_token_id)
    shifted = torch.cat([start, labels[:, :-1]], 1)
    return shifted.masked_fill(shifted == IGNORED_LABEL, model.config.pad_token_id)


@dataclass(frozen=True)
class PadToStep:
    """Collates pairs to tensors whose lengths are multiples of four."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, Tensor]:
        input_ids = padded([row["input_ids"] for row in rows], self.pad_token_id, LENGTH_STEP)
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        return {
            "input_ids": input_ids,
            "attention_mask": (torch.arange(input_ids.shape[1])[None] < lengths[:, None]).long(),
            "labels": padded([row["labels"] for row in rows], IGNORED_LABEL, LENGTH_STEP),
        }
