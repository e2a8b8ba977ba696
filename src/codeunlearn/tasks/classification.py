"""Classification with an encoder and a head: the prompt is a text, its answer the name of its class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from codeunlearn.codebook import evaluating
from codeunlearn.codebook.encoding import pad_id, padded
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS, Rows, View
from codeunlearn.tasks.batches import LENGTH_STEP, by_length
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress, TokenCost

_LONGEST = 512


class Classification:
    """See the module."""

    name: ClassVar[str] = "classification"
    languages: tuple[str, str] = ("english", "english")

    def rows(self, view: View, prompts: Sequence[str], answers: Sequence[str], max_tokens: int = 512) -> Rows:
        """Texts, and as labels the numbers of their classes.

        Raises:
            CodeUnlearnError: an answer is no class of the model.
        """
        texts = encode_prompts(view.model, view.tokenizer, prompts, view.frame, min(max_tokens, _places(view))).ids
        names = labels_of(view.model)
        return Rows(texts, [[class_number(names, answer)] for answer in answers])

    def answer(
        self, view: View, prompts: Sequence[str], how: DecodingConfig | None = None, progress: Progress | None = None
    ) -> Answers:
        how, names = how or DecodingConfig(), labels_of(view.model)
        frame = replace(
            view,
            prefix=how.prefix if view.prefix is None else view.prefix,
            suffix=how.suffix if view.suffix is None else view.suffix,
        ).frame
        rows = encode_prompts(view.model, view.tokenizer, prompts, frame, min(how.max_source_tokens, _places(view))).ids
        texts = [""] * len(rows)
        work = batches = done = 0
        for places, width, logits in _logits(view, rows, how.batch_tokens):
            for i, best in zip(places, logits.argmax(-1).tolist(), strict=True):
                texts[i] = names[best]
            work, batches, done = work + width * len(places), batches + 1, done + len(places)
            if progress is not None:
                progress(done, len(prompts))
        return Answers(texts, TokenCost(sum(map(len, rows)), 0, work, 0, batches), (), ())

    def forced(
        self, view: View, prompts: Sequence[str], answers: Sequence[str], *, with_spans: bool = False
    ) -> list[ForcedTokens]:
        """Each answer is one token: the log probability of its class, and its rank.

        Raises:
            CodeUnlearnError: an answer is no class of the model.
        """
        names = labels_of(view.model)
        wanted = [class_number(names, answer) for answer in answers]
        rows = encode_prompts(view.model, view.tokenizer, prompts, view.frame, _places(view)).ids
        found = [ForcedTokens(np.zeros(0), np.zeros(0, np.int64))] * len(rows)
        for places, _, logits in _logits(view, rows):
            chosen = logits[torch.arange(len(places)), torch.tensor([wanted[i] for i in places])]
            probable = (chosen - logits.logsumexp(-1)).numpy()
            ranks = ((logits > chosen[:, None]).sum(-1) + 1).numpy()
            for k, i in enumerate(places):
                spans = [(0, len(answers[i]))] if with_spans else []
                found[i] = ForcedTokens(probable[k : k + 1], ranks[k : k + 1], spans)
        return found


def labels_of(model: Any) -> tuple[str, ...]:
    """Names of a classifier's classes, in the order of its outputs.

    Raises:
        CodeUnlearnError: the model is no classifier.
    """
    named: dict[Any, str] = getattr(model.config, "id2label", None) or {}
    if model.can_generate() or not named:
        raise CodeUnlearnError("The model is no classifier of texts (AutoModelForSequenceClassification).")
    return tuple(named[key] for key in sorted(named, key=int))


def class_number(names: Sequence[str], answer: str) -> int:
    """Which class an answer is, by its name or its number.

    Raises:
        CodeUnlearnError: it is none.
    """
    if answer in names:
        return names.index(answer)
    if answer.isascii() and answer.isdigit() and int(answer) < len(names):
        return int(answer)
    raise CodeUnlearnError(f"{answer!r} is no class of the model; its classes are {', '.join(names[:20])}.")


def _places(view: View) -> int:
    """Tokens that the model and its tokenizer can read."""
    limits = (getattr(view.model.config, "max_position_embeddings", None), view.tokenizer.model_max_length)
    return min([_LONGEST, *(int(limit) for limit in limits if limit and limit > 0)])


@torch.inference_mode()
def _logits(
    view: View, rows: Sequence[list[int]], batch_tokens: int | None = None
) -> Iterator[tuple[list[int], int, Tensor]]:
    """By batch: places of its texts, their padded length, and [texts, classes] in double precision."""
    model = view.model
    budget = batch_tokens or suitable_batch_tokens(model.device)
    with evaluating(model):
        for places in by_length([len(ids) for ids in rows], budget, step=LENGTH_STEP):
            batch = [rows[i] for i in places]
            ids = padded(batch, pad_id(view.tokenizer), LENGTH_STEP).to(model.device)
            mask = padded([[1] * len(row) for row in batch], 0, LENGTH_STEP).to(model.device)
            yield places, ids.shape[1], model(input_ids=ids, attention_mask=mask).logits.double().cpu()


TASKS.register(Classification.name)(Classification())
