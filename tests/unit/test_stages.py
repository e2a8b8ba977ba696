"""Stages are made once, resume after an interruption, and are never mixed with results of other inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.stages import CHANGED, Stage, StageStore, digest


class Killed(BaseException):
    """Stands for the signal that ends the process."""


class Chain:
    """Three stages, each of which counts how often it was made: train -> search -> scores."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.made: list[str] = []
        self.settings: dict[str, dict[str, Any]] = {
            "train": {"seed": 0, "config": {"epochs": 2.0}},
            "love/0/search": {"s_primes": (8, 24)},
            "love/0/scores": {},
        }
        self.results: dict[str, Any] = {name: {"value": 1} for name in self.settings}
        self.fails = ""

    def stages(self) -> list[Stage]:
        after: dict[str, tuple[str, ...]] = {"love/0/search": ("train",), "love/0/scores": ("love/0/search",)}
        return [
            Stage(name, self.settings[name], after.get(name, ()), self._maker(name), self.out / "models" / name)
            for name in self.settings
        ]

    def run(self, *redo: str) -> list[str]:
        """What was made in this run."""
        self.made = []
        StageStore(self.out, redo).run(self.stages())
        return self.made

    def _maker(self, name: str) -> Callable[[], dict[str, Any]]:
        def make() -> dict[str, Any]:
            if name == self.fails:
                raise Killed
            self.made.append(name)
            folder = self.out / "models" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "file").write_text(str(self.results[name]))
            return self.results[name]

        return make


ALL = ["train", "love/0/search", "love/0/scores"]


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def test_finished_stages_are_never_made_again(chain: Chain) -> None:
    assert chain.run() == ALL
    assert chain.run() == []


def test_an_interrupted_run_goes_on_with_the_stage_that_was_not_finished(chain: Chain) -> None:
    chain.fails = "love/0/search"
    with pytest.raises(Killed):
        chain.run()
    assert not list(chain.out.rglob("search*.json*"))
    chain.fails = ""
    assert chain.run() == ALL[1:]


def test_a_stage_whose_settings_changed_is_refused_in_one_sentence(chain: Chain) -> None:
    chain.run()
    chain.settings["train"]["config"]["epochs"] = 3.0
    with pytest.raises(
        CodeUnlearnError, match=r"The stage train was made with config\.epochs = 2\.0, not 3\.0; .*--redo train"
    ):
        chain.run()
    assert chain.made == []


def test_only_what_rests_on_a_change_is_made_again(chain: Chain) -> None:
    chain.run()
    chain.settings["love/0/search"] = {"s_primes": (8, 24, 40)}
    chain.results["love/0/search"] = {"value": 2}
    assert chain.run(CHANGED) == ALL[1:]
    assert chain.run() == []


def test_a_stage_that_is_made_again_to_the_same_result_changes_nothing_after_it(chain: Chain) -> None:
    chain.run()
    assert chain.run("train") == ["train"]
    chain.results["train"] = {"value": 2}
    assert chain.run("train") == ["train", "love/0/search"]  # whose result is the same again


def test_a_change_of_an_earlier_result_is_noticed_whoever_made_it(chain: Chain) -> None:
    chain.run()
    path = StageStore(chain.out).path("train")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "result": {"value": 5}, "sha256": digest({"value": 5})}))
    with pytest.raises(CodeUnlearnError, match="search was made with another result of the stage train"):
        chain.run()


def test_all_stages_of_a_topic_can_be_asked_for_by_its_name(chain: Chain) -> None:
    chain.run()
    assert chain.run("love") == ALL[1:]
    with pytest.raises(CodeUnlearnError, match="There is no stage 'lov'; see the stages"):
        chain.run("lov")


def test_only_the_stages_that_are_named_are_made(chain: Chain) -> None:
    StageStore(chain.out, only=["train"]).run(chain.stages())
    assert chain.made == ["train"]
    StageStore(chain.out, only=["love"]).run(chain.stages())
    assert chain.made == ALL


def test_a_stage_alone_is_refused_while_what_it_rests_on_is_not_finished(chain: Chain) -> None:
    with pytest.raises(
        CodeUnlearnError, match="The stage train, which comes before, is to do; make it first: --only train"
    ):
        StageStore(chain.out, only=["love"]).run(chain.stages())
    assert chain.made == []


def test_a_stage_alone_is_refused_where_an_earlier_one_was_made_with_other_settings(chain: Chain) -> None:
    StageStore(chain.out, only=["train"]).run(chain.stages())
    chain.settings["train"] = {"seed": 1}
    for only in (["love"], ["love/0/scores", "love/0/search"]):
        with pytest.raises(
            CodeUnlearnError, match="train, which comes before, is changed; make it first: --only train"
        ):
            StageStore(chain.out, only=only).run(chain.stages())
    assert chain.made == ["train"]


def test_a_stage_alone_is_refused_not_awaited_by_several_processes(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(CodeUnlearnError, match="The stage train, which comes before, is to do"):
        StageStore(chain.out, only=["love"]).run(chain.stages())


def test_what_is_made_again_must_be_among_the_stages_alone(chain: Chain) -> None:
    chain.run()
    with pytest.raises(CodeUnlearnError, match="train of --redo is none of those of --only"):
        StageStore(chain.out, redo=["train"], only=["love"]).run(chain.stages())
    with pytest.raises(CodeUnlearnError, match="There is no stage 'changed'"):
        StageStore(chain.out, only=[CHANGED]).run(chain.stages())


def test_what_is_made_again_starts_from_an_empty_folder(chain: Chain) -> None:
    chain.run()
    leftover = chain.out / "models" / "train" / "leftover"
    leftover.write_text("")
    chain.run("train")
    assert not leftover.exists()


def test_a_plan_tells_what_is_finished_and_makes_nothing(chain: Chain) -> None:
    store = StageStore(chain.out)
    assert [store.state(stage) for stage in chain.stages()] == ["to do"] * 3
    chain.run()
    chain.settings["love/0/search"] = {"s_primes": (8,)}
    assert [store.state(stage) for stage in chain.stages()] == ["finished", "changed", "finished"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"value"', '"valeu"'),
        lambda text: text.replace('"seconds": ', '"seconds": "x", "second": '),
        lambda text: text.replace('"depends_on"', '"depends"'),
        lambda text: text.replace('"result": {', '"result": [], "other": {'),
    ],
    ids=["empty", "cut", "a list", "another result", "a wrong type", "a missing key", "a result of another kind"],
)
def test_a_damaged_file_is_said_to_be_damaged(chain: Chain, damage: Callable[[str], str]) -> None:
    chain.run()
    path = StageStore(chain.out).path("train")
    path.write_text(damage(path.read_text()))
    with pytest.raises(CodeUnlearnError, match=r"train\.json.*; remove it and give the command again\.$"):
        chain.run()


def test_a_file_of_an_older_version_has_no_digest_of_its_result(chain: Chain) -> None:
    chain.run()
    path = StageStore(chain.out).path("train")
    record = json.loads(path.read_text())
    del record["sha256"]
    path.write_text(json.dumps(record))
    assert chain.run() == []


def test_several_processes_share_the_stages_out_and_each_topic_stays_with_one(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two processes finds the first one's results and makes what is its own."""
    chain.run()
    first = {name: StageStore(chain.out).path(name) for name in ALL}
    first["love/0/search"].unlink()
    first["love/0/scores"].unlink()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert chain.run() == ["love/0/search", "love/0/scores"]  # `train` is the first group, `love/0` the second
    with pytest.raises(CodeUnlearnError, match="by one process"):
        StageStore(chain.out, ["train"])


@pytest.mark.parametrize("place", ["..", "../beside", "models/link", "models/inner-link", "."])
def test_a_folder_outside_or_behind_a_link_is_refused_before_anything_is_made(tmp_path: Path, place: str) -> None:
    out, beside = tmp_path / "out", tmp_path / "beside"
    for folder in (beside, out / "models" / "real"):
        folder.mkdir(parents=True)
        (folder / "precious").write_text("x")
    (out / "models" / "link").symlink_to(beside)
    (out / "models" / "inner-link").symlink_to(out / "models" / "real")
    made = Stage("made", {}, (), lambda: {"value": 1})
    with pytest.raises(CodeUnlearnError, match="is neither written nor removed"):
        StageStore(out, ["train"]).run([made, Stage("train", {}, (), lambda: {"value": 1}, out / place)])
    assert (beside / "precious").exists()
    assert (out / "models" / "real" / "precious").exists()
    assert not StageStore(out).is_finished("made")


def test_a_stage_whose_file_would_lie_outside_is_neither_made_nor_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "precious.json").write_text("{}")
    for name in ("../../precious", "..", "a/../../../precious", str(tmp_path / "precious"), "", "a\x00b"):
        with pytest.raises(CodeUnlearnError, match="is no name of a stage"):
            StageStore(out, [name]).run([Stage(name, {}, (), lambda: {"value": 1})])
    assert (tmp_path / "precious.json").read_text() == "{}"
    assert not out.exists()
