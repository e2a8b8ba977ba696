"""The curve of topic loss against retained loss: its points, its readings, its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.evaluation.tradeoff import CurvePoint, TradeOff, beginnings, trade_off
from codeunlearn.tasks.base import Example
from codeunlearn.unlearning import ForgetSet

POINT = CurvePoint(1, 8, 80.0, 70.0, 90.0, 0.0, 0.0, 0.0, -0.1, 0.1, 0.0, 0.0)
CURVE = TradeOff(
    "dog", "recommended", 80.0, 10, 10,
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
    assert TradeOff.load(tmp_path / "curve.json") == CURVE
    assert (tmp_path / "curve.csv").read_text().count("\n") == 4


def test_beginnings_are_nested_and_end_with_the_whole() -> None:
    whole = ForgetSet(topic="dog", ids=(5, 3, 9), fingerprint="x")
    assert [one.ids for one in beginnings(whole, [1, 2, 2, 40])] == [(5,), (5, 3), (5, 3, 9)]


class Canned:
    """Translations that say the topic's word while fewer than two codes are deleted, and little else from three on."""

    before = ("un chien",) * 4 + ("un chat noir",) * 4

    def __init__(self) -> None:
        self.sets: list[ForgetSet] = []

    def after(self, forget_set: ForgetSet, mode: Any = None) -> list[str]:
        self.sets.append(forget_set)
        gone = len(forget_set)
        rest = "un chat" if gone > 2 else "un chat noir"
        return ["un chien" if gone < 2 else rest] * 4 + [rest] * 4


def test_every_point_is_the_model_with_these_codes_deleted() -> None:
    forget = TestSet("forget", [Example("a dog", ("un chien",))] * 4, ("chien",))
    retain = TestSet("retain", [Example("a cat", ("un chat noir",))] * 4)
    whole = ForgetSet(topic="dog", ids=(5, 3, 9), fingerprint="x")
    canned: Any = Canned()
    curve = trade_off(canned, beginnings(whole, [1, 2]), forget, retain)
    assert [point.topic_loss for point in curve.points] == [0.0, 100.0, 100.0]
    assert [point.retain_changed for point in curve.points] == [0.0, 0.0, 100.0]
    assert curve.points[2].retain_chrf_delta < -10
    with pytest.raises(CodeUnlearnError, match="no codes"):
        trade_off(canned, [], forget, retain)
    with pytest.raises(CodeUnlearnError, match="--target-words"):
        trade_off(canned, [whole], replace(forget, words=("oiseau",)), retain)
    with pytest.raises(CodeUnlearnError, match="none are known; give them: --target-words"):
        trade_off(canned, [whole], replace(forget, words=()), retain)


def test_no_further_set_is_tried_once_the_topic_has_lost_enough() -> None:
    forget = TestSet("forget", [Example("a dog", ("un chien",))] * 4, ("chien",))
    retain = TestSet("retain", [Example("a cat", ("un chat noir",))] * 4)
    whole = ForgetSet(topic="dog", ids=(5, 3, 9), fingerprint="x")
    canned: Any = Canned()
    curve = trade_off(canned, beginnings(whole, [1, 2]), forget, retain, enough=95)
    assert [point.codes for point in curve.points] == [len(one) for one in canned.sets] == [1, 2]


def test_a_loss_has_the_interval_of_the_quotient_of_two_recalls() -> None:
    """Of 40 sentences 30 hold the word before and 12 after; against a bootstrap of the quotient by hand."""
    before = np.repeat([1.0, 0.0], [30, 10])
    after = np.repeat([1.0, 0.0], [12, 28])

    class Some:
        def __init__(self) -> None:
            self.before = [*("un chien" if said else "un chat" for said in before), "un chat noir"]

        def after(self, forget_set: ForgetSet, mode: Any = None) -> list[str]:
            said = after if len(forget_set) == 1 else 0 * after
            return [*("un chien" if one else "un chat" for one in said), "un chat noir"]

    some: Any = Some()
    forget = TestSet("forget", [Example("a dog", ("un chien",))] * 40, ("chien",))
    retain = TestSet("retain", [Example("a cat", ("un chat noir",))])
    whole = ForgetSet(topic="dog", ids=(5, 3), fingerprint="x")
    part, all_of_it = trade_off(some, beginnings(whole, [1]), forget, retain).points
    rows = np.random.default_rng(1).integers(0, 40, size=(20_000, 40))
    low, high = np.quantile(100 * (1 - after[rows].sum(1) / before[rows].sum(1)), [0.025, 0.975])
    assert part.topic_loss == pytest.approx(60)
    assert (part.topic_loss_low, part.topic_loss_high) == (pytest.approx(low, abs=2), pytest.approx(high, abs=2))
    # None of 40 says it any more: Wilson's upper end for 0 of 40 is 8.8 %, of a recall that was 75 %.
    assert all_of_it.topic_loss == all_of_it.topic_loss_high == 100
    assert all_of_it.topic_loss_low == pytest.approx(100 * (1 - 0.0876 / 0.75), abs=0.1)
