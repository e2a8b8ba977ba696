"""The examples of what another package adds to evaluation do what their pages say."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM
from typer.testing import CliRunner

from codeunlearn.audit.base import ATTACKS
from codeunlearn.cli.app import app
from codeunlearn.codebook import load_model, model_identity, require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.evaluate import evaluate
from codeunlearn.evaluation.metrics.base import METRICS, Outputs
from codeunlearn.evaluation.scores import RECALL, Scores
from codeunlearn.evaluation.systems import System, system_of
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.methods.base import METHODS
from codeunlearn.registry import Registry
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.unlearning import ForgetSet

ROOT = Path(__file__).parents[2]
FOLDER, MODEL = ROOT / "examples" / "extending", ROOT / "models" / "en-fr-mini"
REGISTRIES: tuple[Registry[Any], ...] = (TASKS, METHODS, ATTACKS, METRICS)
LOVE = Example("I love", ("J'aime",))
SETS = TopicSets(Topic("love", ("love",)), [LOVE], [["I hate"]], True, [], [], [LOVE], [LOVE], target_words=("aime",))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports one of the example's modules; what it registers is gone after the test."""
    monkeypatch.syspath_prepend(FOLDER)
    for registry in REGISTRIES:
        registry.names()  # its own entries first
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    yield lambda kind: importlib.import_module(f"codeunlearn_extras.{kind}")
    for name in [name for name in sys.modules if name.startswith("codeunlearn_extras")]:
        del sys.modules[name]


def test_a_metric_is_a_row_of_every_score(load: Any, tiny_model: Any, tiny_tokenizer: Any) -> None:
    load("metric")
    asks = TestSet("forget", [Example("Do you?", ("Oui ?",)), Example("Who?", ("Qui ?",)), LOVE])
    view = View(tiny_model, tiny_tokenizer)
    score = METRICS.get("questions_kept")(Outputs(asks, ["Oui ?", "Qui.", "?"], TASKS.get("translation"), view))
    assert score is not None
    assert (score.value, score.count) == (50.0, 2)
    assert math.isnan(score.per_sentence[2])  # pyright: ignore[reportOptionalSubscript]
    assert (
        METRICS.get("questions_kept")(Outputs(TestSet("a", [LOVE]), ["J'aime"], TASKS.get("translation"), view)) is None
    )


def test_a_method_keeps_the_words_from_the_output_and_undoes_it(
    load: Any, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    load("method")
    base = system_of("model", "before", tiny_model, tiny_tokenizer)
    token = tiny_tokenizer("aime", add_special_tokens=False).input_ids[0]
    silent = METHODS.get("silence")().forget(base, SETS, TASKS.get("translation"))
    ids = {"input_ids": torch.tensor([[3, 4]]), "decoder_input_ids": torch.tensor([[0]])}
    before = tiny_model(**ids).logits
    with silent.open() as view:
        assert view.model(**ids).logits[..., token].max() < -1e3
    assert torch.equal(tiny_model(**ids).logits, before)


def test_an_attack_asks_behind_a_hint(load: Any, tiny_model: Any, tiny_tokenizer: Any) -> None:
    load("attack")
    target = System("gone", "after", lambda: nullcontext(View(tiny_model, tiny_tokenizer)))
    attacked = ATTACKS.get("hint").mount(target, SETS, TASKS.get("translation"))
    assert (attacked.name, attacked.role) == ("hint", "attack")
    with attacked.open() as view:
        assert view.prefix == "I love "


def test_a_task_asks_a_causal_model(load: Any, tiny_tokenizer: Any) -> None:
    load("task")
    task = TASKS.get("continuation")
    torch.manual_seed(0)
    config = GPTNeoConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_layers=1, num_heads=2, attention_types=[[["global"], 1]]
    )
    view = View(GPTNeoForCausalLM(config).eval(), tiny_tokenizer)
    (forced,) = task.forced(view, ["I love"], ["my dog"])
    assert forced.log_probabilities.shape == forced.ranks.shape == (len(forced.spans),)
    assert (forced.log_probabilities < 0).all()
    (ids,), (labels,) = task.rows(view, ["I love"], ["my dog"])
    learned = [token for token, label in zip(ids, labels, strict=True) if token == label]
    assert 0 < len(learned) < len(ids)
    assert set(labels) == {-100, *learned}
    assert len(task.answer(view, ["I love", "I"]).texts) == 2


def test_evaluate_is_one_call(tiny_model: Any, tiny_tokenizer: Any) -> None:
    scores = evaluate(tiny_model, tiny_tokenizer, SETS)
    assert scores.topic == "love"
    assert scores.sizes == {"forget": 1, "retain": 1}


def test_the_command_scores_a_method_and_an_attack_from_outside(load: Any, tmp_path: Path) -> None:
    load("method")
    load("attack")
    ids = [int(i) for i in require_bottleneck(load_model(str(MODEL))).codebook.code_ids[:4]]
    ForgetSet("dog", tuple(ids), model_identity(load_model(str(MODEL)))).save(tmp_path / "dog.json")
    asked = (
        "--data",
        "tatoeba",
        "--topic",
        "dog",
        "--eval-size",
        "5",
        "--minimum",
        "5",
        "--device",
        "cpu",
        "--neighbours",
        "",
    )
    beside = ("--method", "silence", "--attack", "hint")
    told = ("--forget", str(tmp_path / "dog.json"), "--json", str(tmp_path / "scores.json"))
    done = CliRunner().invoke(app, ["evaluate", str(MODEL), *asked, *beside, *told])
    assert done.exit_code == 0, done.output
    scores = Scores.load(tmp_path / "scores.json")
    assert scores.systems == {"codebook": "before", "unlearned": "after", "silence": "after", "hint": "attack"}
    recall = {name: scores.value(name, "forget", RECALL) for name in scores.systems}
    assert recall["silence"] < recall["codebook"], "its rows are its own"
    assert scores.value("hint", "retain", "chrf") != scores.value("unlearned", "retain", "chrf")
    assert all(name in done.output for name in ("Silence", "Hint"))
