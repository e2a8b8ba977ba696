"""Forget sets, scores and counts of one topic are those of version 0.1.0, whatever is rebuilt inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codeunlearn.cli.app import app
from codeunlearn.evaluation.curves import Curves
from codeunlearn.evaluation.scores import Scores

ROOT = Path(__file__).parents[2]
GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/golden/dog.json").read_text(encoding="utf-8"))
DATA = ("--data", "tatoeba", "--device", "cpu")


def codeunlearn(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def model() -> Path:
    return ROOT / "models/en-fr-mini"


@pytest.fixture(scope="module")
def forget_sets(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sets of all recipes."""
    folder = tmp_path_factory.mktemp("golden")
    found = {name: folder / f"{name}.json" for name in GOLDEN["forget"]}
    for name, path in found.items():
        search = ("--preset", name, "--search-size", 120)
        codeunlearn("forget", model, "--topic", "dog", *DATA, *search, "--out", path)
    return found


@pytest.mark.parametrize("recipe", GOLDEN["forget"])
def test_a_recipe_finds_the_codes_that_it_found(forget_sets: dict[str, Path], recipe: str) -> None:
    found, expected = json.loads(forget_sets[recipe].read_text(encoding="utf-8")), GOLDEN["forget"][recipe]
    assert found["ids"] == expected["ids"]
    assert [[e["topic"], e["control"]] for e in found["evidence"]] == expected["counts"]
    for key in ("codes_tested", "n_topic", "n_control"):
        assert found[key] == expected[key], key


def test_systems_score_what_they_scored(model: Path, forget_sets: dict[str, Path], tmp_path: Path) -> None:
    forgotten = ("--forget", forget_sets["recommended"], "--eval-size", 20, "--json", tmp_path / "scores.json")
    codeunlearn("evaluate", model, "--topic", "dog", *DATA, *forgotten)
    scores = Scores.load(tmp_path / "scores.json")
    for place, (value, low, high, count) in GOLDEN["scores"].items():
        row = scores.row(*place.split("/"))
        assert row is not None, place
        assert (row.value, row.low, row.high) == pytest.approx((value, low, high), abs=1e-3, nan_ok=True), place
        assert row.count == count, place


def test_a_sweep_measures_what_it_measured(model: Path, tmp_path: Path) -> None:
    sizes = ("--s-primes", "8,24", "--search-size", 120, "--eval-size", 20, "--out", tmp_path / "sweep")
    codeunlearn("sweep", model, "--topics", "dog", *DATA, *sizes)
    (curve,) = Curves.load(tmp_path / "sweep").curves
    for point in curve.points:
        expected = GOLDEN["sweep"][str(point.size)]
        found = {
            "codes": point.codes,
            "recall_before": curve.recall_before,
            "recall_after": point.recall,
            **{name: getattr(point, name) for name in expected if hasattr(point, name)},
        }
        assert found == pytest.approx(expected, abs=1e-3)
