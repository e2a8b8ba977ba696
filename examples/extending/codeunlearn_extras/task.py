"""A task: a causal model goes on from the prompt, and the answer is what it says next. One prompt at a time, for clarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from codeunlearn.tasks.base import TASKS, Batch, Example, View
from codeunlearn.tasks.batches import PadToStep
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import Answers, TokenCost


class Continuation:
    name: ClassVar[str] = "continuation"
    languages: ClassVar[tuple[str, str]] = ("english", "english")

    def batch(self, tokenizer: Any, examples: Sequence[Example], *, prefix: str = "", max_tokens: int = 512) -> Batch:
        pairs = [(tokenizer(prefix + one.prompt).input_ids, tokenizer(one.answer).input_ids) for one in examples]
        rows = [{"input_ids": [*p, *a][:max_tokens], "labels": [*[-100] * len(p), *a][:max_tokens]} for p, a in pairs]
        inputs = PadToStep(tokenizer.pad_token_id)(rows)
        return Batch(inputs, inputs.pop("labels"), inputs["attention_mask"].to(torch.bool))

    def answer(self, view: View, prompts: Sequence[str], how: Any = None, progress: Any = None) -> Answers:
        read = [view.tokenizer((view.prefix or "") + prompt, return_tensors="pt").input_ids for prompt in prompts]
        said = [view.model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :] for ids in read]
        cost = TokenCost(sum(ids.shape[1] for ids in read), sum(map(len, said)), 0, 0, len(said))
        return Answers([view.tokenizer.decode(ids, skip_special_tokens=True) for ids in said], cost, (), ())

    @torch.inference_mode()
    def forced(
        self, view: View, prompts: Sequence[str], answers: Sequence[str], *, with_spans: bool = False
    ) -> list[Any]:
        return [self._forced(view, *pair) for pair in zip(prompts, answers, strict=True)]

    def _forced(self, view: View, prompt: str, answer: str) -> ForcedTokens:
        asked = view.tokenizer((view.prefix or "") + prompt).input_ids
        wanted = view.tokenizer(answer, return_offsets_mapping=True)
        logits = view.model(torch.tensor([[*asked, *wanted.input_ids]])).logits[0, len(asked) - 1 : -1].log_softmax(-1)
        found = logits.gather(1, torch.tensor(wanted.input_ids)[:, None])
        ranks = 1 + (logits > found).sum(dim=1)
        return ForcedTokens(found[:, 0].double().numpy(), np.asarray(ranks), wanted.offset_mapping)


TASKS.register(Continuation.name)(Continuation())
