"""How often every code fires on a topic's sentences and on their controls, for all S' at once (eqs. 9, 10).

The S' lists of one token are nested, so a code's best rank within a sentence decides its presence for every
S'. Counts are whole numbers and counters add up: batches, or processes that each read a share of the
sentences, give the counts of one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import evaluating, require_bottleneck
from codeunlearn.device import join_processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs
from codeunlearn.unlearning.evidence.counts import CodeCounts, IntArray, TokenCounts
from codeunlearn.unlearning.evidence.reading import CodeBatch, CodeReader

S_PRIMES = (8, 24, 40, 56, 72, 88, 104)
Group = Literal["topic", "control"]
Progress = Callable[[int, int], None]
"""Called with the number of sentences read so far and of all sentences."""


class CodeCounter:
    """Streams batches and keeps the counts of every code at every S'; `result` freezes them.

    Args:
        num_codes: rows of the codebook.
        s_primes: the values of S' to count for.
    """

    def __init__(self, num_codes: int, s_primes: Sequence[int] = S_PRIMES) -> None:
        self.num_codes = num_codes
        self.s_primes = tuple(sorted(set(s_primes)))
        if not self.s_primes or self.s_primes[0] < 1:
            raise CodeUnlearnError(f"S' must be at least 1; got {list(s_primes)}.")
        if self.s_primes[-1] > num_codes:
            raise CodeUnlearnError(
                f"S' = {self.s_primes[-1]} codes per token cannot come from K = {num_codes}; lower S'."
            )
        ranks = torch.arange(self.s_primes[-1])
        # The level of a rank is the index of the smallest S' whose list it is in.
        self._level_of_rank = torch.bucketize(ranks, torch.tensor(self.s_primes), right=True)
        shape = (len(self.s_primes), num_codes)
        names = ("sentences_topic", "sentences_control", "both", "tokens_topic", "tokens_control")
        self._counts = {name: torch.zeros(shape, dtype=torch.int64) for name in names}
        self._totals: dict[str, int] = dict.fromkeys(
            ("n_topic", "n_control", "n_pairs", "n_topic_tokens", "n_control_tokens"), 0
        )
        self._fired = _KeyCounts()

    def update(self, batch: CodeBatch, group: Group) -> None:
        """Adds sentences that stand alone: the paired table gains nothing."""
        self._add(batch, group)

    def update_pairs(self, topic: CodeBatch, controls: Sequence[CodeBatch]) -> None:
        """Adds topic sentences together with their controls.

        Args:
            topic: B topic sentences.
            controls: one batch per draw of the controls; its sentence i is the control of topic sentence i.
        """
        first = self._add(topic, "topic")
        for control in controls:
            if len(control.ids) != len(topic.ids):
                raise ValueError(f"{len(topic.ids)} topic sentences cannot be paired with {len(control.ids)} controls")
            later = torch.maximum(first, self._add(control, "control"))
            self._counts["both"] += self._sentences(later)
            self._totals["n_pairs"] += len(topic.ids)

    def __add__(self, other: CodeCounter) -> CodeCounter:
        """The counter that has seen what both have seen."""
        total = CodeCounter(self.num_codes, self.s_primes)
        for part in (self, other):
            if (part.num_codes, part.s_primes) != (self.num_codes, self.s_primes):
                raise ValueError("only counters of the same codebook and the same S' add up")
            for name, counts in part._counts.items():
                total._counts[name] += counts
            for name, number in part._totals.items():
                total._totals[name] += number
            total._fired.add(part._fired.keys, part._fired.counts)
        return total

    def result(self, code_ids: Tensor | None = None, name_token: Callable[[int], str] = str) -> CodeCounts:
        """The counts so far.

        Args:
            code_ids: [K] id of each row, as in `Codebook.code_ids`; the rows themselves when absent.
            name_token: text of a token id.
        """
        per_token = len(self.s_primes) * self.num_codes
        token_ids, rest = self._fired.keys // per_token, self._fired.keys % per_token
        fired = TokenCounts(
            level=rest // self.num_codes,
            row=rest % self.num_codes,
            token=token_ids,
            number=self._fired.counts,
        )
        arrays: dict[str, Any] = {name: counts.clone().numpy() for name, counts in self._counts.items()}
        totals: dict[str, Any] = dict(self._totals)
        return CodeCounts(
            s_primes=self.s_primes,
            code_ids=(torch.arange(self.num_codes) if code_ids is None else code_ids.cpu().clone()).numpy(),
            **arrays,
            **totals,
            fired=fired,
            token_names={token: name_token(token) for token in np.unique(token_ids).tolist()},
        )

    def _add(self, batch: CodeBatch, group: Group) -> Tensor:
        mask = batch.mask.bool()
        level = self._level_of_rank.to(batch.ids.device)
        # [real tokens, S']: one key per (level, code); a code occurs at most once per token.
        keys = level * self.num_codes + batch.ids[mask]
        self._counts[f"tokens_{group}"] += self._histogram(keys.flatten())
        self._totals[f"n_{group}"] += len(mask)
        self._totals[f"n_{group}_tokens"] += len(keys)
        if group == "topic":
            tokens = batch.tokens[mask][:, None] * (len(self.s_primes) * self.num_codes)
            self._fired.add(*np.unique((tokens + keys).cpu().numpy(), return_counts=True))
        first = self._first_level(batch.ids, mask, level)
        self._counts[f"sentences_{group}"] += self._sentences(first)
        return first

    def _first_level(self, ids: Tensor, mask: Tensor, level: Tensor) -> Tensor:
        """[B, K] int8: the lowest level that has each code in each sentence; ``len(s_primes)`` if none."""
        never = len(self.s_primes)
        levels = torch.where(mask[..., None], level, never).to(torch.int8)
        first = torch.full((len(ids), self.num_codes), never, dtype=torch.int8, device=ids.device)
        return first.scatter_reduce_(1, ids.flatten(1), levels.flatten(1), "amin")

    def _sentences(self, first: Tensor) -> Tensor:
        """[P, K]: in how many sentences each code is present at each S'."""
        sentence, code = (first < len(self.s_primes)).nonzero(as_tuple=True)
        return self._histogram(first[sentence, code].long() * self.num_codes + code)

    def _histogram(self, keys: Tensor) -> Tensor:
        """[P, K] from (level, code) keys: occurrences at a level or below it."""
        shape = (len(self.s_primes), self.num_codes)
        return torch.bincount(keys, minlength=shape[0] * shape[1]).view(shape).cumsum(0).cpu()


class _KeyCounts:
    """How often each of many sparse int64 keys occurred; memory grows with the distinct keys only."""

    def __init__(self) -> None:
        self.keys: IntArray = np.empty(0, np.int64)
        self.counts: IntArray = np.empty(0, np.int64)

    def add(self, keys: IntArray, counts: IntArray) -> None:
        """Adds distinct keys and how often each occurred."""
        merged, position = np.unique(np.concatenate([self.keys, keys]), return_inverse=True)
        totals = np.zeros_like(merged)
        np.add.at(totals, position, np.concatenate([self.counts, counts]))
        self.keys, self.counts = merged, totals


def count_codes(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    topic_sentences: Sequence[str],
    controls: Sequence[str] | Sequence[Sequence[str]],
    *,
    s_primes: Sequence[int] = S_PRIMES,
    batch_tokens: int | None = None,
    paired: bool = True,
    progress: Progress | None = None,
) -> CodeCounts:
    """Counts the codes of a topic's sentences and of their controls in one pass.

    The encoder runs up to the bottleneck, in the model's own precision without autocast and without dropout;
    what lies behind it never runs. Deletions are ignored: a model that has forgotten something gives the
    counts it gave before. Processes that were started together (``accelerate launch``) read a share each, and all
    return the counts of all. Code ids, not rows, are reported, so they stay valid after a commit. With several
    draws every control sentence counts once, so a control frequency is over draws x sentences.

    Args:
        topic_sentences: D_T.
        controls: D_~T: one list of sentences, or several draws of it.
        s_primes: the values of S' to count for.
        batch_tokens: bound on the padded tokens of a batch; a longer pair goes alone. What suits the device when absent.
        paired: sentence i of every draw is the control of topic sentence i, and the paired table is kept.
            Otherwise the two groups are unrelated and may differ in size.

    Raises:
        CodeUnlearnError: no bottleneck, no sentences, unequal numbers of paired sentences, or S' larger than
            K.
    """
    codebook = require_bottleneck(model).codebook
    draws = _as_draws(controls)
    _check_sentences(topic_sentences, draws, paired)
    counter = CodeCounter(codebook.num_codes, s_primes)
    rank, number = join_processes(model.device)
    topic_sentences, *draws = [column[rank::number] for column in (topic_sentences, *draws)]
    reader = CodeReader(model, tokenizer, counter.s_primes[-1], batch_tokens)
    report = _Reporter(len(topic_sentences) + sum(map(len, draws)), progress)
    with evaluating(model), torch.no_grad(), torch.autocast(model.device.type, enabled=False):
        if paired:
            for topic, *others in reader.read([topic_sentences, *draws]):
                counter.update_pairs(topic, others)
                report(len(topic.ids) * (1 + len(others)))
        else:
            groups: list[tuple[Group, Sequence[str]]] = [("topic", topic_sentences)]
            for group, sentences in groups + [("control", draw) for draw in draws]:
                for (batch,) in reader.read([sentences]):
                    counter.update(batch, group)
                    report(len(batch.ids))
    if number > 1:
        with needs("train"):
            from accelerate.utils import gather_object
        counter = sum(gather_object([counter]), start=CodeCounter(codebook.num_codes, s_primes))
    return counter.result(codebook.code_ids, lambda token: str(tokenizer.convert_ids_to_tokens(token)))


def _as_draws(controls: Sequence[str] | Sequence[Sequence[str]]) -> list[Sequence[str]]:
    if controls and isinstance(controls[0], str):
        return [cast(Sequence[str], controls)]
    return list(cast(Sequence[Sequence[str]], controls))


def _check_sentences(topic: Sequence[str], draws: Sequence[Sequence[str]], paired: bool) -> None:
    if not topic or not draws or not all(draws):
        raise CodeUnlearnError("Counting needs at least one topic sentence and one control sentence; a list is empty.")
    if paired and (sizes := sorted({len(draw) for draw in draws if len(draw) != len(topic)})):
        raise CodeUnlearnError(
            f"There are {len(topic)} topic sentences and {sizes[0]} controls; give one control per sentence, "
            "or count with paired=False."
        )


class _Reporter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def __call__(self, sentences: int) -> None:
        self.done += sentences
        if self.progress is not None:
            self.progress(self.done, self.total)
