"""After a deletion only the sentences that it reaches are translated again, and that is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from codeunlearn.codebook import model_identity
from codeunlearn.evaluation.reached import Reached
from codeunlearn.tasks.base import View
from codeunlearn.tasks.generating import translate
from codeunlearn.unlearning import ForgetSet, forget, forgetting

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
