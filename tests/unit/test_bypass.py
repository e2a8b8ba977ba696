"""A path around the codebook: skipped, or a map fitted on text without the topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from codeunlearn.audit.bypass import FittedMap, Skip, fit_map
from codeunlearn.codebook import model_identity, require_bottleneck, run_to_site
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import System, system_of, unlearned
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.unlearning import ForgetSet

SENTENCES = ["the cat runs", "a cat sees the cat", "cat", "runs the cat", "the a cat runs sees"] * 4
TASK: Any = TASKS.get("translation")


def sets(*prompts: str) -> TopicSets:
    retained = [Example(prompt, ("un chat",)) for prompt in prompts]
    return TopicSets(Topic.from_word("dog"), [], [[]], True, [], [], [], [], search_retain=retained)


def target(model: Any, tokenizer: Any) -> System:
    return unlearned(
        system_of("codebook", "before", model, tokenizer),
        ForgetSet("dog", (1, 2, 3), model_identity(model)),
    )


def entering(model: Any, tokenizer: Any) -> torch.Tensor:
    ids = tokenizer("a dog sees", return_tensors="pt")["input_ids"]
    return run_to_site(model, ids, torch.ones_like(ids))


@torch.no_grad()
def test_skipping_lets_activations_pass(tiny_model: Any, tiny_tokenizer: Any) -> None:
    states = entering(tiny_model, tiny_tokenizer)
    with Skip().mount(target(tiny_model, tiny_tokenizer), None, TASK).open() as view:
        assert torch.equal(require_bottleneck(view.model)(states), states)
    assert not torch.equal(require_bottleneck(tiny_model)(states), states)


@torch.no_grad()
def test_a_linear_bottleneck_is_fitted_exactly(
    tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bottleneck = require_bottleneck(tiny_model)
    width = bottleneck.config.d_model
    weight = torch.randn(width, width, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(bottleneck, "forward", lambda a: a @ weight + 3)  # pyright: ignore[reportUnknownLambdaType]
    sentences = [" ".join(one.split()[k:] + one.split()[:k]) for one in SENTENCES[:5] for k in range(5)]
    fitted = fit_map(View(tiny_model, tiny_tokenizer), [*sentences, "a dog", "dog dog"], ridge=1e-9)
    states = entering(tiny_model, tiny_tokenizer)[0]
    assert torch.allclose(fitted(states).float(), states @ weight + 3, atol=1e-2)


@torch.no_grad()
def test_the_map_stands_in_the_bottlenecks_place_while_the_system_is_open(
    tiny: Callable[..., Any], tiny_tokenizer: Any
) -> None:
    model = tiny()
    bottleneck = require_bottleneck(model)
    states = entering(model, tiny_tokenizer)
    own = bottleneck(states)
    with FittedMap().mount(target(model, tiny_tokenizer), sets(*SENTENCES), TASK).open():
        mapped = bottleneck(states)
        assert bottleneck.codebook.deleted.sum() == 3
    assert not torch.allclose(mapped, own)
    assert torch.equal(bottleneck(states), own)
    assert not bottleneck.codebook.deleted.any()


def test_a_map_needs_text(tiny_model: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(CodeUnlearnError, match=r"fitted on sentences without the topic.*--topic"):
        FittedMap().mount(target(tiny_model, tiny_tokenizer), sets(), TASK)
