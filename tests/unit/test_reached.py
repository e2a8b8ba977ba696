"""After a deletion only the sentences that it reaches are translated again, and that is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from codeunlearn.codebook import attach, bottleneck_for, model_identity
from codeunlearn.evaluation.reached import Reached
from codeunlearn.tasks.base import View
from codeunlearn.tasks.forced import force
from codeunlearn.tasks.generating import translate
from codeunlearn.unlearning import CodeReader, ForgetSet, forget, forgetting

SENTENCES = ["a dog runs", "the cat sees a dog", "a cat", "cat", "runs the dog", "dog dog"]


class Asking:
    """Answers by places, before and after deletions, and the places that were asked for last."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.reached = Reached(View(model, tokenizer), SENTENCES)
        self.before = self.ask(list(range(len(SENTENCES))))

    def ask(self, places: Sequence[int]) -> list[str]:
        self.asked = list(places)
        return translate(self.model, self.tokenizer, [SENTENCES[i] for i in places])

    def after(self, forget_set: ForgetSet, mode: Any = None) -> list[str]:
        return self.reached.after(forget_set, self.before, self.ask, mode)


@pytest.mark.parametrize("mode", ["refill", "drop", "anchor"])
def test_they_are_the_models_own(tiny: Callable[..., Any], tiny_tokenizer: Any, mode: Any) -> None:
    model = tiny()
    asking = Asking(model, tiny_tokenizer)
    for ids in ((1,), (3, 9, 27), tuple(range(0, 60, 2))):
        forget_set = ForgetSet(topic="dog", ids=ids, fingerprint=model_identity(model))
        with forgetting(model, forget_set, mode=mode):
            expected = translate(model, tiny_tokenizer, SENTENCES)
        assert asking.after(forget_set, mode) == expected
    assert not model.bottleneck.codebook.deleted.any()


def test_other_sentences_are_not_translated_again(tiny_model: Any, tiny_tokenizer: Any) -> None:
    asking = Asking(tiny_model, tiny_tokenizer)
    touched = {
        code: asking.reached.touched(ForgetSet(topic="dog", ids=(code,), fingerprint="x")).tolist()
        for code in range(64)
    }
    code = min((code for code in touched if touched[code]), key=lambda code: len(touched[code]))
    assert len(touched[code]) < len(SENTENCES)
    asking.after(ForgetSet(topic="dog", ids=(code,), fingerprint=model_identity(tiny_model)))
    assert asking.asked == touched[code]


def test_what_was_deleted_before_is_never_mistaken(tiny_model: Any, tiny_tokenizer: Any) -> None:
    """Codes that stand in for deleted ones are selected by tokens that did not select them at first."""
    identity = model_identity(tiny_model)
    forget(tiny_model, ForgetSet(topic="cat", ids=tuple(range(0, 60, 3)), fingerprint=identity))
    asking = Asking(tiny_model, tiny_tokenizer)
    more = ForgetSet(topic="dog", ids=tuple(range(1, 60, 3)), fingerprint=identity)
    with forgetting(tiny_model, more):
        expected = translate(tiny_model, tiny_tokenizer, SENTENCES)
    assert asking.after(more) == expected


def test_a_model_that_goes_on_is_known_by_its_answers_too(tiny_tokenizer: Any) -> None:
    """Where the answers are not known, everything is asked again."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(tiny_tokenizer), **shape)).eval()
    model = attach(base, bottleneck_for(base.config, layer=0, num_codes=64, code_dim=16, top_s=2))
    view, prompts, answers = View(model, tiny_tokenizer), ["the cat", "the cat"], ["sees a dog", "runs"]
    known = Reached(view, prompts, answers)
    alone = CodeReader(model, tiny_tokenizer, 2)
    in_prompt = set(alone.read(["the cat"]).ids.ravel().tolist())
    (code, *_) = (
        set(alone.read(prompts[:1], answers[:1]).ids.ravel().tolist())
        - in_prompt
        - set(alone.read(prompts[1:], answers[1:]).ids.ravel().tolist())
    )
    forget_set = ForgetSet(topic="dog", ids=(code,), fingerprint=model_identity(model))
    assert known.touched(forget_set).tolist() == [0]
    assert Reached(view, prompts).touched(forget_set).tolist() == [0, 1]
    with forgetting(model, forget_set):
        expected = force(model, tiny_tokenizer, prompts, answers)
    before = force(model, tiny_tokenizer, prompts, answers)
    after = known.after(
        forget_set, before, lambda at: force(model, tiny_tokenizer, [prompts[i] for i in at], [answers[i] for i in at])
    )
    for one, other in zip(after, expected, strict=True):
        assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-5)
