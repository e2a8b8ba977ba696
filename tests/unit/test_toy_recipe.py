"""A recipe from outside the package is found and used by its name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.codebook import model_identity
from codeunlearn.codebook.writing import save_model
from codeunlearn.unlearning import RECIPES, ForgetSet, Needs, TopicSearch


@dataclass(frozen=True)
class Toy:
    name: ClassVar[str] = "toy"
    max_codes: int = 3

    def needs(self) -> Needs:
        return Needs()

    def search(self, model: Any, tokenizer: Any, sets: Any, *, seed: int = 0, **_: Any) -> TopicSearch:
        ids, options = tuple(range(self.max_codes)), asdict(self)
        return TopicSearch(ForgetSet(sets.topic.name, ids, model_identity(model), preset="toy", preset_options=options))


RECIPES.register(Toy.name)(Toy)


def test_forget_uses_a_recipe_of_another_package(tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    save_model(tiny_model, tiny_tokenizer, tmp_path / "model")
    out, report = tmp_path / "love.json", tmp_path / "report"
    command = ["forget", str(tmp_path / "model"), "--topic", "love", "--data", "stories", "--device", "cpu"]
    options = ["--preset", "toy", "--max-codes", "2", "--out", str(out), "--report", str(report)]
    assert CliRunner().invoke(app, [*command, *options], catch_exceptions=False).exit_code == 0
    assert json.loads(out.read_text())["ids"] == [0, 1]
