"""What another package adds: the examples of the docs, one for each door, do what their pages say."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import GPTNeoConfig, GPTNeoForCausalLM

from codeunlearn import RECIPES, ForgetSet, attach, find_codes, forgetting
from codeunlearn.audit.base import ATTACKS
from codeunlearn.codebook import ARCHITECTURES, bottleneck_for, model_identity, skip_bottleneck
from codeunlearn.corpus.languages.base import LANGUAGES
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.metrics.base import METRICS
from codeunlearn.methods.base import METHODS
from codeunlearn.registry import GROUP, Registry
from codeunlearn.tasks.base import TASKS, Example

FOLDER = Path(__file__).parents[2] / "examples" / "extending"
REGISTRIES: tuple[Registry[Any], ...] = (ARCHITECTURES, RECIPES, TASKS, METHODS, ATTACKS, METRICS, LANGUAGES)
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENTRIES: dict[str, str] = PROJECT["entry-points"][GROUP]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example's modules are imported; what they register is gone after the test."""
    monkeypatch.syspath_prepend(FOLDER)
    for registry in REGISTRIES:
        registry.names()  # its own entries first
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    for module in ENTRIES.values():
        importlib.import_module(module)
    yield
    for name in [name for name in sys.modules if name.startswith("codeunlearn_extras")]:
        del sys.modules[name]


def test_an_installed_package_is_found(tmp_path: Path) -> None:
    """As pip leaves it: the package's folder on the path, and the entry points beside it."""
    record = tmp_path / "codeunlearn_extras-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n")
    points = "\n".join(f"{name} = {module}" for name, module in ENTRIES.items())
    (record / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
    source = str(Path(sys.modules["codeunlearn"].__file__ or "").parents[1])
    path = os.pathsep.join([str(tmp_path), str(FOLDER), source])
    code = """
from codeunlearn import RECIPES
from codeunlearn.codebook import ARCHITECTURES
from codeunlearn.corpus.languages.base import LANGUAGES
from codeunlearn.evaluation.metrics.base import METRICS
assert "esperanto" in LANGUAGES.names()
assert "exclusive" in RECIPES.names() and "questions_kept" in METRICS.names() and "gpt_neo" in ARCHITECTURES.names()
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


@pytest.mark.parametrize("where", ["attention", "block"])
@torch.no_grad()
def test_the_architecture_has_two_places_in_a_layer(where: str) -> None:
    torch.manual_seed(0)
    kinds = [[["global", "local"], 1]]
    config = GPTNeoConfig(vocab_size=40, hidden_size=16, num_layers=2, num_heads=2, attention_types=kinds)
    base, ids = GPTNeoForCausalLM(config).eval(), torch.tensor([[3, 7, 11, 2]])
    model = attach(base, bottleneck_for(config, layer=1, where=where, num_codes=32, code_dim=8, top_s=4))
    with skip_bottleneck(model):
        assert torch.equal(model(input_ids=ids).logits, base(input_ids=ids).logits)
    record = model(input_ids=ids, output_bottleneck=True).bottleneck
    used = tuple(record.ids.unique().tolist())
    with forgetting(model, ForgetSet("topic", used[:8], model_identity(model))):
        left = model(input_ids=ids, output_bottleneck=True).bottleneck.ids
    assert not torch.isin(left, torch.tensor(used[:8])).any()


def test_the_recipe_takes_codes_that_no_control_has(tiny_model: Any, tiny_tokenizer: Any) -> None:
    sentences = [Example(f"the captain has {n} dogs", ("",)) for n in ("two", "three", "four")]
    controls = [[one.prompt.replace("captain", "doctor") for one in sentences]]
    sets = TopicSets(Topic("captain", ("captain",)), sentences, controls, True, [], [], [], [])
    found = find_codes(tiny_model, tiny_tokenizer, sets, "exclusive", share=0.5, steps=(1, 4))
    assert [step.size for step in found.steps] == [1, 4]
    assert found.forget_set.preset_options == {"share": 0.5}
    assert found.forget_set.evidence
    assert all(code.control == 0 and code.topic >= 2 for code in found.forget_set.evidence)


def test_topic_sets_are_built_in_the_language() -> None:
    """Controls hold other words in the topic's inflection; neighbours are words of its kind."""
    nouns = {"hund": "dog", "kat": "cat", "bird": "bird", "libr": "book"}
    said = [
        (f"La {adjective}a {root}o vidas {n} {root}ojn.", f"The {english} sees {n} {english}s.")
        for root, english in nouns.items()
        for adjective in ("bel", "nov")
        for n in range(2, 32)
    ]
    pool = Dataset.from_dict({"source": [eo for eo, _ in said], "target": [en for _, en in said]})
    topic = Topic.from_word("hundoj", language="esperanto")
    assert topic.forms == ("hundo", "hundon", "hundoj", "hundojn")
    sets = build_topic_sets(topic, dict.fromkeys(("train", "validation", "test"), pool), answer_language="english")
    assert sets.target_words == ("dog", "dogs")
    assert set() < set(sets.neighbours) <= {"kato", "birdo", "libro"}
    assert len(sets.search) == 60
    for example, control in zip(sets.search, sets.controls[0], strict=True):
        before, after = example.prompt.split(), control.split()
        assert [i for i, (one, other) in enumerate(zip(before, after, strict=True)) if one != other] == [2, 5]
        assert after[2].endswith("o")
        assert after[5].endswith("ojn.")


@pytest.mark.parametrize("kind", ENTRIES)
def test_an_example_is_short(kind: str) -> None:
    text = (FOLDER / f"{ENTRIES[kind].replace('.', '/')}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("kind", ENTRIES)
def test_every_example_is_shown_on_its_page(kind: str) -> None:
    page = (FOLDER.parents[1] / "docs" / "extend" / f"{kind}.md").read_text(encoding="utf-8")
    assert f'--8<-- "examples/extending/{ENTRIES[kind].replace(".", "/")}.py"' in page
