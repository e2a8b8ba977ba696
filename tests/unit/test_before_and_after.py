"""An evaluation compares a model without the named topics forgotten with the same model with them forgotten."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from codeunlearn.codebook import load_model, model_identity, require_bottleneck
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.evaluate import evaluate_saved
from codeunlearn.evaluation.systems import AFTER, BEFORE
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, TestSet
from codeunlearn.tasks import translation
from codeunlearn.tasks.base import Example
from codeunlearn.tasks.generating import TokenCost
from codeunlearn.unlearning import ForgetSet, commit, forget

SETS = [
    TestSet(FORGET, [Example("a dog runs", ("un chien court",))], ("chien",)),
    TestSet(RETAIN, [Example("the cat", ("le chat",))]),
]


@pytest.fixture
def saved(tiny_model: Any, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    """A model that has forgotten love and the sea, which share a code."""
    identity = model_identity(tiny_model)
    forget(tiny_model, ForgetSet("love", (1, 2), identity), ForgetSet("sea", (2, 3), identity))
    tiny_model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    return tmp_path


def deleted_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *sets: ForgetSet) -> dict[str, set[int]]:
    """Ids of the codes that are deleted while each system translates."""
    seen: list[set[int]] = []

    def translate(model: Any, _: Any, sentences: list[str], *__: Any, **___: Any) -> Any:
        codebook = require_bottleneck(model).codebook
        seen.append(set(codebook.code_ids[codebook.deleted].tolist()))
        return SimpleNamespace(texts=["un chien"] * len(sentences), cost=TokenCost(0, 0, 0, 0, 0))

    monkeypatch.setattr(translation, "translate_counted", translate)
    scored = evaluate_saved(str(folder), "love", SETS, forget_sets=sets, device="cpu")
    return dict(zip(scored.systems, seen, strict=True))


def test_before_is_without_the_named_set_even_where_it_is_forgotten_already(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    love = ForgetSet("love", (1, 2), model_identity(load_model(saved)))
    assert deleted_in(saved, monkeypatch, love) == {BEFORE: {2, 3}, AFTER: {1, 2, 3}}


def test_another_set_of_the_topic_is_measured_in_place_of_the_one_that_was_applied(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = ForgetSet("love", (1,), model_identity(load_model(saved)))
    assert deleted_in(saved, monkeypatch, smaller) == {BEFORE: {2, 3}, AFTER: {1, 2, 3}}
    other = ForgetSet("love", (9,), model_identity(load_model(saved)))
    assert deleted_in(saved, monkeypatch, other) == {BEFORE: {2, 3}, AFTER: {2, 3, 9}}


def test_a_new_topic_comes_on_top_of_what_is_forgotten(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dog = ForgetSet("dog", (9,), model_identity(load_model(saved)))
    assert deleted_in(saved, monkeypatch, dog) == {BEFORE: {1, 2, 3}, AFTER: {1, 2, 3, 9}}


def test_without_a_set_the_model_is_compared_with_itself_before_all_deletions(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deleted_in(saved, monkeypatch) == {BEFORE: set(), AFTER: {1, 2, 3}}


def test_a_committed_topic_has_no_before(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(saved)
    love = ForgetSet("love", (1, 2), model_identity(model))
    commit(model)
    model.save_pretrained(saved)
    with pytest.raises(CodeUnlearnError, match="there is no before"):
        deleted_in(saved, monkeypatch, love)
