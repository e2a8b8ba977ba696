"""Translation with an encoder-decoder model: the prompt is a source sentence, the answers are its translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch

from codeunlearn.codebook.encoding import encode
from codeunlearn.tasks.base import TASKS, Batch, Example, View
from codeunlearn.tasks.batches import PadToStep
from codeunlearn.tasks.forced import ForcedTokens, force
from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress, translate_counted


class Translation:
    """See the module."""

    name: ClassVar[str] = "translation"
    languages: ClassVar[tuple[str, str]] = ("english", "french")

    def batch(self, tokenizer: Any, examples: Sequence[Example], *, prefix: str = "", max_tokens: int = 512) -> Batch:
        prompts = encode(tokenizer, [prefix + example.prompt for example in examples], max_tokens).ids
        answers = encode(tokenizer, [example.answer for example in examples], max_tokens, as_target=True).ids
        rows = [{"input_ids": ids, "labels": labels} for ids, labels in zip(prompts, answers, strict=True)]
        batch = PadToStep(tokenizer.pad_token_id)(rows)
        labels, mask = batch.pop("labels"), batch["attention_mask"].to(torch.bool)
        return Batch(batch, labels, mask)

    def answer(
        self, view: View, prompts: Sequence[str], how: DecodingConfig | None = None, progress: Progress | None = None
    ) -> Answers:
        how = how or DecodingConfig()
        how = how if view.prefix is None else replace(how, prefix=view.prefix)
        how = how if view.suffix is None else replace(how, suffix=view.suffix)
        return translate_counted(view.model, view.tokenizer, prompts, how, progress=progress)

    def forced(
        self, view: View, prompts: Sequence[str], answers: Sequence[str], *, with_spans: bool = False
    ) -> list[ForcedTokens]:
        prefix, suffix = view.prefix, view.suffix
        return force(view.model, view.tokenizer, prompts, answers, prefix=prefix, suffix=suffix, with_spans=with_spans)


TASKS.register("translation")(Translation())
