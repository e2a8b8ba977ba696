"""A sweep goes on with the topics that are whole, for the same text and model, known by content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from killing import killed_at_every_write

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.sweep import STATE, TEXT, Sweep, SweepRow, finished_rows
from codeunlearn.evaluation.tradeoff import CurvePoint, TradeOff

DETAILS: dict[str, Any] = {
    "model": "m",
    "fingerprint": "f",
    STATE: {"deleted": []},
    "data": {"data": "text.tsv"},
    TEXT: {"train": "a"},
    "s_primes": [8, 24],
    "seed": 0,
}


def row(topic: str, s_prime: int, after: float = 5.0) -> SweepRow:
    return SweepRow(topic, s_prime, 3, 50, 20, 80.0, after, 0.0, 9.0, -5.0, -0.1, -2.0, 0.5, -0.1, None)


ROWS = [row("love", 8), row("love", 24), row("dog", 8)]


def test_a_topic_is_finished_when_it_has_every_level(tmp_path: Path) -> None:
    Sweep(ROWS, DETAILS).save(tmp_path)
    assert finished_rows(tmp_path, DETAILS) == ROWS[:2]


def test_equal_content_under_other_names_goes_on(tmp_path: Path) -> None:
    Sweep(ROWS, DETAILS).save(tmp_path)
    assert finished_rows(tmp_path, {**DETAILS, "data": {"data": "copy.tsv"}, "model": "copy"})


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
    Sweep(ROWS, DETAILS).save(tmp_path)
    with pytest.raises(CodeUnlearnError, match=rf"sweep\.json was made with another {name}; choose another --out"):
        finished_rows(tmp_path, {**DETAILS, **change})


def test_a_sweep_of_an_older_version_is_compared_by_names_with_a_warning(tmp_path: Path) -> None:
    older = {name: value for name, value in DETAILS.items() if name not in (TEXT, STATE)}
    Sweep(ROWS, older).save(tmp_path)
    warned = pytest.warns(UserWarning, match="noted text and model by name: make sure that they are the same")
    with warned:
        assert finished_rows(tmp_path, DETAILS) == ROWS[:2]
    with warned, pytest.raises(CodeUnlearnError, match="another data"):
        finished_rows(tmp_path, {**DETAILS, "data": {"data": "other.tsv"}})


@pytest.mark.parametrize(
    "content", ["", '{"rows": [', "[]", "{}", '{"rows": [5], "details": {}}', '{"rows": [{}], "details": {}}']
)
def test_a_damaged_sweep_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(CodeUnlearnError, match=r"sweep\.json.*; remove it and give the command again\.$"):
        finished_rows(tmp_path, DETAILS)


def test_undefined_scores_come_back(tmp_path: Path) -> None:
    Sweep([row("love", 8, float("nan"))], DETAILS).save(tmp_path)
    assert str(Sweep.load(tmp_path).rows[0].recall_after) == "nan"
    assert Sweep.load(tmp_path).rows[0].neighbour_chrf_delta is None


def test_a_killed_save_is_made_up_for_by_the_next_run(tmp_path: Path) -> None:
    """The state is written last: what the tables say beyond it is done again."""
    before, after = Sweep(ROWS[:2], DETAILS), Sweep(ROWS, DETAILS)
    before.save(tmp_path)
    for _ in killed_at_every_write(lambda: after.save(tmp_path), tmp_path):
        state = Sweep.load(tmp_path).rows
        assert state in (before.rows, after.rows)
        assert state == before.rows or "dog" in (tmp_path / "sweep.md").read_text()
    assert Sweep.load(tmp_path) == after


def test_a_name_of_a_topic_is_text_in_the_table() -> None:
    table = Sweep([row("a|b ![x](y)", 8)], DETAILS).to_markdown()
    assert r"| `a\|b ![x](y)` | 8 |" in table


@pytest.mark.parametrize(
    ("name", "csv"), [("love", "love.csv"), ("love.v2", "love.v2.csv"), ("a.curve.json", "a.curve.csv")]
)
def test_a_curve_keeps_the_dots_of_its_name(tmp_path: Path, name: str, csv: str) -> None:
    point = CurvePoint(3, 8, 5.0, 0.0, 9.0, 90.0, -5.0, float("nan"), -2.0, 0.5, 1.0, 0.0)
    curve = TradeOff("love", "paper", 50.0, 20, 20, [point])
    curve.save(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {name, csv}
    assert str(TradeOff.load(tmp_path / name)) == str(curve)
    content = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps({**content, "points": [5]}))
    with pytest.raises(CodeUnlearnError, match=r"points\[0\].*; make the curve again"):
        TradeOff.load(tmp_path / name)
