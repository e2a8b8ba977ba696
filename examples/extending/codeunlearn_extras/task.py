"""A task: a causal model (on the CPU) goes on from the prompt, and the answer is what it says next."""

from collections.abc import Sequence
from typing import Any, ClassVar

from codeunlearn.tasks.base import TASKS, Rows, View
from codeunlearn.tasks.batches import IGNORED_LABEL, PadToStep
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import Answers, TokenCost


class Continuation:
    name: ClassVar[str] = "continuation"
    languages: tuple[str, str] = ("english", "english")

    def rows(self, view: View, prompts: Sequence[str], answers: Sequence[str], max_tokens: int = 512) -> Rows:
        read, said = ([view.tokenizer(text).input_ids[:max_tokens] for text in side] for side in (prompts, answers))
        labels = [[*[IGNORED_LABEL] * len(p), *a] for p, a in zip(read, said, strict=True)]
        return Rows([[*p, *a] for p, a in zip(read, said, strict=True)], labels)

    def answer(self, view: View, prompts: Sequence[str], how: Any = None, progress: Any = None) -> Answers:
        read = [view.tokenizer((view.prefix or "") + prompt, return_tensors="pt").input_ids for prompt in prompts]
        said = [view.model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :] for ids in read]
        cost = TokenCost(sum(ids.shape[1] for ids in read), sum(map(len, said)), 0, 0, len(said))
        return Answers([view.tokenizer.decode(ids, skip_special_tokens=True) for ids in said], cost, (), ())

    def forced(self, view: View, prompts: Sequence[str], answers: Sequence[str], **_: Any) -> list[ForcedTokens]:
        learned = zip(*self.rows(view, [(view.prefix or "") + prompt for prompt in prompts], answers), strict=True)
        pad = PadToStep(view.tokenizer.pad_token_id)
        batch = pad([{"input_ids": ids, "labels": labels} for ids, labels in learned])
        wanted = batch.pop("labels")[:, 1:, None]
        scores = view.model(**batch).logits[:, :-1].log_softmax(-1)
        found = scores.gather(2, wanted.clamp_min(0))
        spans = view.tokenizer(list(answers), return_offsets_mapping=True).offset_mapping
        rows = zip(found[..., 0], (scores > found).sum(2) + 1, wanted[..., 0] >= 0, spans, strict=True)
        return [ForcedTokens(f[at].detach().double().numpy(), rank[at].numpy(), span) for f, rank, at, span in rows]


TASKS.register(Continuation.name)(Continuation())
