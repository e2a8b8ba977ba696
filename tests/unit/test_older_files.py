"""Scores, sweeps and curves of older versions stay readable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeunlearn.evaluation.curve import Curve
from codeunlearn.evaluation.scores import Scores

RESULTS = Path(__file__).parents[2] / "docs" / "results"
EVALUATIONS = sorted(
    path
    for path in RESULTS.rglob("*.json")
    if {"scores", "deltas"} <= set(content if isinstance(content := json.loads(path.read_text()), dict) else ())
)


@pytest.mark.parametrize("path", EVALUATIONS, ids=lambda path: path.stem)
def test_evaluations(path: Path, tmp_path: Path) -> None:
    old, scores = json.loads(path.read_text()), Scores.load(path)
    for row in old["scores"]:
        assert scores.value(row["system"], row["set"], row["metric"]) == pytest.approx(row["value"], nan_ok=True)
    for delta in old["deltas"]:
        found = scores.comparison("unlearned", delta["set"], delta["metric"])
        assert found is not None
        assert (found.delta, found.normalised) == (delta["delta"], delta["normalised"])
    assert [sample.prompt for sample in scores.samples] == [example["source"] for example in old["examples"]]
    scores.save(tmp_path / "again.json")
    assert str(Scores.load(tmp_path / "again.json")) == str(scores)


SELECTIONS = sorted((RESULTS / "selection").glob("*-0.json"))


@pytest.mark.parametrize("path", SELECTIONS, ids=lambda path: path.stem)
def test_curves(path: Path, tmp_path: Path) -> None:
    presets = json.loads(path.read_text())["presets"].values()
    for old in (content[pool] for content in presets for pool in ("validation", "test")):
        curve = Curve.from_dict(old)
        assert [point.codes for point in curve.points] == [point["codes"] for point in old["points"]]
        assert [point.recall for point in curve.points] == [point["recall"] for point in old["points"]]
        curve.save(tmp_path / "again.json")
        assert Curve.load(tmp_path / "again.json") == curve
