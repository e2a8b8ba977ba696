"""A task: a causal model (on the CPU) goes on from the prompt, and the answer is what it says next."""

from collections.abc import Sequence
from typing import Any, ClassVar

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
    def forced(self, view: View, prompts: Sequence[str], answers: Sequence[str], **_: Any) -> list[ForcedTokens]:
        batch = self.batch(view.tokenizer, list(map(Example, prompts, zip(answers))), prefix=view.prefix or "")
        scores, wanted = view.model(**batch.inputs).logits[:, :-1].log_softmax(-1), batch.labels[:, 1:, None]
        found = scores.gather(2, wanted.clamp_min(0))
        spans = view.tokenizer(list(answers), return_offsets_mapping=True).offset_mapping
        rows = zip(found[..., 0], (scores > found).sum(2) + 1, wanted[..., 0] >= 0, spans, strict=True)
        return [ForcedTokens(f[at].double().numpy(), rank[at].numpy(), span) for f, rank, at, span in rows]


TASKS.register(Continuation.name)(Continuation())
