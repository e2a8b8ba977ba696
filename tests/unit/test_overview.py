"""The picture of several topics is drawn from their scores, and says what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.scores import Scores
from codeunlearn.reporting.overview import write_overview

RESULTS = Path(__file__).parents[2] / "docs/results/eight-topics"


def test_the_picture_holds_every_topic_and_a_changed_sentence(tmp_path: Path) -> None:
    scores = [Scores.load(RESULTS / f"{name}.json") for name in ("dog", "love")]
    write_overview(scores, tmp_path / "overview.svg")
    assert (tmp_path / "overview.svg").read_text(encoding="utf-8").startswith("<?xml")
    write_overview(scores, tmp_path / "overview.png")
    assert (tmp_path / "overview.png").stat().st_size > 5000


def test_a_topic_without_a_forget_set_is_refused(tmp_path: Path) -> None:
    scores = Scores.load(RESULTS / "dog.json")
    before = replace(scores, systems={name: role for name, role in scores.systems.items() if role == "before"})
    with pytest.raises(CodeUnlearnError, match="without a forget set; give --forget"):
        write_overview([before], tmp_path / "overview.svg")
