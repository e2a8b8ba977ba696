"""A reproduction's searches: every size of its configuration gets the largest step that the recipe has up to it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codeunlearn.experiments import searches
from codeunlearn.experiments.searches import make_searches, read_searches
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.unlearning import ForgetSet
from codeunlearn.unlearning.recipes.base import Step, TopicSearch

SETS: Any = SimpleNamespace(search=["one", "two"])


def forget_set(codes: int) -> ForgetSet:
    return ForgetSet("love", tuple(range(codes)), "0" * 64, num_codes=128)


class Canned:
    """Finds 13 codes, of which steps are beginnings, or a set for every S'; counts its searches."""

    def __init__(self, step_name: str) -> None:
        self.step_name, self.asked = step_name, list[tuple[int, ...]]()

    def search(self, *_: Any, steps: tuple[int, ...], **__: Any) -> TopicSearch:
        self.asked.append(tuple(steps))
        kept = dict.fromkeys(min(size, 13) for size in steps) if self.step_name == "codes" else steps
        found = tuple(Step(size, str(size), forget_set(size)) for size in kept)
        return TopicSearch(found[-1].forget_set, steps=found, step_name=self.step_name)


def found_by(recipe: Canned, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[searches.TimedSearch]:
    monkeypatch.setattr(searches, "make_recipe", lambda _: recipe)
    store = StageStore(folder)
    store.run([Stage("search", {}, (), lambda: make_searches(None, None, SETS, "canned", (4, 8, 32), 0))])
    return read_searches(store, "search")


def test_every_s_prime_has_a_search_and_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = Canned("S'")
    found = found_by(recipe, monkeypatch, tmp_path)
    assert recipe.asked == [(4, 8, 32), (4,), (8,), (32,)]
    assert [one.system for one in found] == ["S'=4", "S'=8", "S'=32"]
    assert [len(one.forget_set) for one in found] == [4, 8, 32]


def test_beginnings_of_one_list_need_one_search_and_end_where_the_list_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = Canned("codes")
    found = found_by(recipe, monkeypatch, tmp_path)
    assert recipe.asked == [(4, 8, 32)]
    assert [one.system for one in found] == ["codes=4", "codes=8", "codes=32"]
    assert [len(one.forget_set) for one in found] == [4, 8, 13]


def test_searches_of_older_versions_are_read(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    old = {"s_prime": 8, "seconds": 1.0, "sentences": 100, "forget_set": forget_set(8).to_dict()}
    store.run([Stage("search", {}, (), lambda: {"searches": [old]})])
    (found,) = read_searches(store, "search")
    assert (found.size, found.system) == (8, "S'=8")
