"""A sweep goes on with the topics that are whole, for the same text and model, known by content."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from killing import killed_at_every_write

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.curve import Curve, Point
from codeunlearn.evaluation.curves import STATE, TEXT, Curves, finished_curves

DETAILS: dict[str, Any] = {
    "model": "m",
    "fingerprint": "f",
    STATE: {"deleted": []},
    "data": {"data": "text.tsv"},
    TEXT: {"train": "a"},
    "s_primes": [8, 24],
    "seed": 0,
}


def of_topic(topic: str, after: float = 5.0) -> Curve:
    points = [Point(s, f"S'={s}", 3, s, after, 0.0, 9.0, 90.0, -5.0, -0.1, -2.0, 0.5) for s in (8, 24)]
    return Curve(topic, "paper", "S'", 80.0, 20, 20, points, 50)


CURVES = [of_topic("love"), of_topic("dog")]


def older(path: Path, *rows: tuple[str, int]) -> None:
    """What an older version wrote, one row a topic and S'."""
    values = {"codes": 3, "n_search": 50, "n_forget": 20, "recall_before": 80.0, "recall_after": 5.0, "recall_low": 0.0}
    values |= {"recall_high": 9.0, "forget_chrf_delta": -5.0, "retain_chrf_delta": -0.1, "retain_low": -2.0}
    values |= {"retain_high": 0.5, "retain_bleu_delta": -0.1, "neighbour_chrf_delta": None}
    written = [{"topic": topic, "s_prime": s, **values} for topic, s in rows]
    (path / "sweep.json").write_text(json.dumps({"rows": written, "details": DETAILS}))


def test_a_sweep_of_an_older_version_goes_on_with_the_topics_that_have_every_step(tmp_path: Path) -> None:
    older(tmp_path, ("love", 8), ("love", 24), ("dog", 8))
    (love,) = finished_curves(tmp_path, DETAILS)
    assert (love.topic, [point.size for point in love.points], love.points[0].recall) == ("love", [8, 24], 5.0)


def test_a_finished_topic_is_kept(tmp_path: Path) -> None:
    Curves(CURVES, DETAILS).save(tmp_path)
    assert finished_curves(tmp_path, DETAILS) == CURVES


def test_equal_content_under_other_names_goes_on(tmp_path: Path) -> None:
    Curves(CURVES, DETAILS).save(tmp_path)
    assert finished_curves(tmp_path, {**DETAILS, "data": {"data": "copy.tsv"}, "model": "copy"})


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({TEXT: {"train": "b"}}, "data"),
        ({STATE: {"deleted": [3]}}, "model"),
        ({"fingerprint": "g"}, "fingerprint"),
        ({"seed": 1}, "seed"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, change: dict[str, Any], name: str) -> None:
    Curves(CURVES, DETAILS).save(tmp_path)
    with pytest.raises(CodeUnlearnError, match=rf"sweep\.json was made with another {name}; choose another --out"):
        finished_curves(tmp_path, {**DETAILS, **change})


def test_a_sweep_of_an_older_version_is_compared_by_names_with_a_warning(tmp_path: Path) -> None:
    noted = {name: value for name, value in DETAILS.items() if name not in (TEXT, STATE)}
    Curves(CURVES, noted).save(tmp_path)
    warned = pytest.warns(UserWarning, match="noted text and model by name: make sure that they are the same")
    with warned:
        assert finished_curves(tmp_path, DETAILS) == CURVES
    with warned, pytest.raises(CodeUnlearnError, match="another data"):
        finished_curves(tmp_path, {**DETAILS, "data": {"data": "other.tsv"}})


@pytest.mark.parametrize(
    "content", ["", '{"rows": [', "[]", "{}", '{"rows": [5], "details": {}}', '{"rows": [{}], "details": {}}']
)
def test_a_damaged_sweep_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(CodeUnlearnError, match=r"sweep\.json.*; remove it and give the command again\.$"):
        finished_curves(tmp_path, DETAILS)


def test_undefined_scores_come_back(tmp_path: Path) -> None:
    Curves([of_topic("love", float("nan"))], DETAILS).save(tmp_path)
    (curve,) = Curves.load(tmp_path).curves
    assert str(curve.points[0].recall) == "nan"
    assert curve.points[0].neighbour_chrf_delta is None


def test_a_killed_save_is_made_up_for_by_the_next_run(tmp_path: Path) -> None:
    """The state is written last: what the tables say beyond it is done again."""
    before, after = Curves(CURVES[:1], DETAILS), Curves(CURVES, DETAILS)
    before.save(tmp_path)
    for _ in killed_at_every_write(lambda: after.save(tmp_path), tmp_path):
        state = Curves.load(tmp_path).curves
        assert state in (before.curves, after.curves)
        assert state == before.curves or "dog" in (tmp_path / "sweep.md").read_text()
    assert Curves.load(tmp_path) == after


def test_a_name_of_a_topic_is_text_in_the_table() -> None:
    table = Curves([of_topic("a|b ![x](y)")], DETAILS).to_markdown()
    assert r"| `a\|b ![x](y)` | 8 |" in table


@pytest.mark.parametrize(
    ("name", "csv"), [("love", "love.csv"), ("love.v2", "love.v2.csv"), ("a.curve.json", "a.curve.csv")]
)
def test_a_curve_keeps_the_dots_of_its_name(tmp_path: Path, name: str, csv: str) -> None:
    curve = of_topic("love", float("nan"))
    curve.save(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {name, csv}
    assert str(Curve.load(tmp_path / name)) == str(curve)
    content = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps({**content, "points": [5]}))
    with pytest.raises(CodeUnlearnError, match=r"points.*; make the curve again"):
        Curve.load(tmp_path / name)


def test_a_number_without_its_interval_is_one_sentence(tmp_path: Path) -> None:
    content = json.loads(json.dumps(Curves(CURVES, {}).to_dict()))
    content["curves"][0]["points"][0] |= {"closed": 90.0, "closed_low": None, "closed_high": 95.0}
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    with pytest.raises(CodeUnlearnError, match="closed and its interval stand together"):
        Curves.load(tmp_path)


def test_a_topic_with_fewer_codes_than_were_asked_for_is_finished(tmp_path: Path) -> None:
    """Steps in numbers of codes end with the whole."""
    few, over = replace(CURVES[0], step_name="codes"), replace(CURVES[1], step_name="codes")
    few = replace(few, points=[replace(few.points[0], size=8), replace(few.points[1], size=11)])
    over = replace(over, points=[replace(over.points[0], size=30)])
    Curves([few, over, replace(few, topic="cat", step_name="S'")], DETAILS).save(tmp_path)
    assert finished_curves(tmp_path, DETAILS) == [few]
