"""The curve of topic loss against retained loss: its points, its readings, its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation import curve as curves
from codeunlearn.evaluation.curve import Curve, Point, curve
from codeunlearn.evaluation.systems import system_of
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.tasks.base import Example, View
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.unlearning import ForgetSet
from codeunlearn.unlearning.recipes.base import beginnings

POINT = Point(1, "1 code", 1, 8, 80.0, 70.0, 90.0, 0.0, 0.0, 0.0, -0.1, 0.1)
CURVE = Curve(
    "dog", "recommended", "codes", 80.0, 10, 10,
    [
        replace(POINT, codes=2, recall=40.0, topic_loss=50.0, retain_chrf_delta=-0.1),
        replace(POINT, codes=8, recall=2.0, topic_loss=97.5, retain_chrf_delta=-0.4),
        replace(POINT, codes=20, recall=0.0, topic_loss=100.0, retain_chrf_delta=-2.0),
    ],
)  # fmt: skip


def test_the_fewest_codes_that_reach_a_loss() -> None:
    assert [point.codes if (point := CURVE.at_loss(loss)) else None for loss in (50, 75, 95, 99)] == [2, 8, 8, 20]
    assert replace(CURVE, points=CURVE.points[:1]).at_loss(95) is None


def test_the_most_that_a_budget_buys() -> None:
    assert [point.codes if (point := CURVE.within(budget)) else None for budget in (0.05, 0.2, 0.5, 5)] == [
        None,
        2,
        8,
        20,
    ]


def test_a_curve_survives_its_file(tmp_path: Path) -> None:
    CURVE.save(tmp_path / "curve.json")
    assert Curve.load(tmp_path / "curve.json") == CURVE
    assert (tmp_path / "curve.csv").read_text().count("\n") == 4


def test_beginnings_are_nested_and_end_with_the_whole() -> None:
    whole = ForgetSet(topic="dog", ids=(5, 3, 9), fingerprint="x")
    assert [one.forget_set.ids for one in beginnings(whole, [1, 2, 2, 40])] == [(5,), (5, 3), (5, 3, 9)]


Says = Callable[[int], list[str]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Curve]:
    """The curve of a model that is a function from the number of deleted codes to answers; every prompt is reached."""

    class All:
        def __init__(self, view: View, prompts: Sequence[str]) -> None:
            self.model, self.prompts = view.model, prompts

        def after(self, forget_set: ForgetSet, before: Any, ask: Any, mode: Any) -> Any:
            self.model.deleted = len(forget_set)
            self.model.tried.append(len(forget_set))
            return ask(range(len(self.prompts)))

    class Asked:
        name = "asked"
        languages = ("english", "french")

        def answer(self, view: View, prompts: Sequence[str], *_: Any) -> Any:
            return SimpleNamespace(texts=view.model.says(view.model.deleted))

        def forced(self, view: View, prompts: Sequence[str], answers: Sequence[str], **_: Any) -> list[ForcedTokens]:
            return [ForcedTokens(np.log([0.5]), np.array([1]), [(0, len(answer))]) for answer in answers]

    monkeypatch.setattr(curves, "Reached", All)

    def make(says: Says, forget: TestSet, retain: TestSet, sizes: list[int], whole: ForgetSet, **options: Any) -> Curve:
        model = SimpleNamespace(says=says, deleted=0, tried=[])
        task: Any = Asked()
        found = curve(
            task,
            [forget, retain],
            system_of("", "before", model, None),
            beginnings(whole, [*sizes, len(whole)]),
            **options,
        )
        assert model.tried == [point.codes for point in found.points]
        return found

    return make


def says(gone: int) -> list[str]:
    """The topic's word while fewer than two codes are deleted, and little else from three on."""
    rest = "un chat" if gone > 2 else "un chat noir"
    return ["un chien" if gone < 2 else rest] * 4 + [rest] * 4


def test_every_point_is_the_model_with_these_codes_deleted(drawn: Callable[..., Curve]) -> None:
    forget = TestSet("forget", [Example("a dog", ("un chien",))] * 4, ("chien",))
    retain = TestSet("retain", [Example("a cat", ("un chat noir",))] * 4)
    whole = ForgetSet(topic="dog", ids=(5, 3, 9), fingerprint="x")
    found = drawn(says, forget, retain, [1, 2], whole)
    assert [point.topic_loss for point in found.points] == [0.0, 100.0, 100.0]
    assert [point.retain_changed for point in found.points] == [0.0, 0.0, 100.0]
    assert found.points[2].retain_chrf_delta < -10
    with pytest.raises(CodeUnlearnError, match="no codes"):
        drawn(says, forget, retain, [], ForgetSet(topic="dog", ids=(), fingerprint="x"))
    with pytest.raises(CodeUnlearnError, match="--target-words"):
        drawn(says, replace(forget, words=("oiseau",)), retain, [1], whole)
    with pytest.raises(CodeUnlearnError, match="none are known; give them: --target-words"):
        drawn(says, replace(forget, words=()), retain, [1], whole)


def test_no_further_step_is_tried_once_the_topic_has_lost_enough(drawn: Callable[..., Curve]) -> None:
    forget = TestSet("forget", [Example("a dog", ("un chien",))] * 4, ("chien",))
    retain = TestSet("retain", [Example("a cat", ("un chat noir",))] * 4)
    whole = ForgetSet(topic="dog", ids=(5, 3, 9), fingerprint="x")
    found = drawn(says, forget, retain, [1, 2], whole, enough=95)
    assert [point.codes for point in found.points] == [1, 2]


def test_a_loss_has_the_interval_of_the_quotient_of_two_recalls(drawn: Callable[..., Curve]) -> None:
    """Of 40 sentences 30 hold the word before and 12 after; against a bootstrap of the quotient by hand."""
    before = np.repeat([1.0, 0.0], [30, 10])
    after = np.repeat([1.0, 0.0], [12, 28])

    def some(gone: int) -> list[str]:
        said = before if gone == 0 else after if gone == 1 else 0 * after
        return [*("un chien" if one else "un chat" for one in said), "un chat noir"]

    forget = TestSet("forget", [Example("a dog", ("un chien",))] * 40, ("chien",))
    retain = TestSet("retain", [Example("a cat", ("un chat noir",))])
    whole = ForgetSet(topic="dog", ids=(5, 3), fingerprint="x")
    part, all_of_it = drawn(some, forget, retain, [1], whole).points
    rows = np.random.default_rng(1).integers(0, 40, size=(20_000, 40))
    low, high = np.quantile(100 * (1 - after[rows].sum(1) / before[rows].sum(1)), [0.025, 0.975])
    assert part.topic_loss == pytest.approx(60)
    assert (part.topic_loss_low, part.topic_loss_high) == (pytest.approx(low, abs=2), pytest.approx(high, abs=2))
    # None of 40 says it any more: Wilson's upper end for 0 of 40 is 8.8 %, of a recall that was 75 %.
    assert all_of_it.topic_loss == all_of_it.topic_loss_high == 100
    assert all_of_it.topic_loss_low == pytest.approx(100 * (1 - 0.0876 / 0.75), abs=0.1)
