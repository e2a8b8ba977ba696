"""A state file that was cut or spoiled is named in one sentence, or passed over for a whole one; a run goes on or says why not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from case import Accepted, Case, Check, Either, Refused, expect, made_always, refused, some
from mutations import replaced
from outcome import Outcome, command
from place import Place
from world import World, good, logits

CUTS = (0.0, 0.25, 0.5, 0.75, 0.999)
Spoil = Callable[[Path], Any]


# Good states, made once by the commands themselves.


STEPS = 5


@cache
def trained(world: World) -> Path:
    """A training that was never stopped."""
    good(*TRAIN(world), "--out", world.root / "trained")
    return world.root / "trained"


@cache
def stopped_training(world: World) -> Path:
    """The same training, killed in its fourth step: the checkpoints of the second and the third are there."""
    from transformers import TrainerCallback

    from codeunlearn.training import run

    class Kill(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 4:
                raise _Killed

    class Killed(run.PlainTrainer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.add_callback(Kill())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "PlainTrainer", Killed)
        outcome = command(*TRAIN(world), "--out", world.root / "stopped")
    assert "_Killed" in outcome.trace, outcome
    return world.root / "stopped"


class _Killed(Exception):
    """Stands for the signal."""


def TRAIN(world: World) -> tuple[object, ...]:
    data = ("--data", world.pairs, "--limit", 150, "--base", world.base, "--device", "cpu")
    return ("train", "--plain", *data, "--max-steps", STEPS, "--save-steps", 1, "--batch-tokens", 400, "--epochs", 9)


@cache
def sweep_of(world: World) -> Path:
    out = world.root / "sweep"
    good(*SWEEP(world), "--out", out)
    return out


def SWEEP(world: World) -> tuple[object, ...]:
    sizes = ("--eval-size", 6, "--minimum", 2, "--search-size", 20, "--s-primes", "2,4", "--device", "cpu")
    return (
        "sweep",
        world.model,
        "--topics",
        "love",
        "--data",
        world.pairs,
        "--target-words",
        "love=aimer,aime",
        *sizes,
    )


@cache
def evaluation_of(world: World) -> Path:
    path = world.root / "scores.json"
    sizes = ("--eval-size", 6, "--minimum", 2, "--device", "cpu")
    good(
        "evaluate",
        world.model,
        "--topic",
        "love",
        "--data",
        world.pairs,
        *sizes,
        "--forget",
        world.love,
        "--json",
        path,
    )
    return path


@cache
def sets_of(world: World) -> Path:
    from codeunlearn.corpus.loading import load_pairs
    from codeunlearn.corpus.pools import split_pools
    from codeunlearn.corpus.topic_sets import build_topic_sets
    from codeunlearn.corpus.topics import Topic

    path = world.root / "sets.json"
    pools = split_pools(load_pairs(str(world.pairs)).dataset)
    build_topic_sets(Topic.from_word("love"), pools, search_size=9, tune_size=3, eval_size=3, minimum=2).save(path)
    return path


@cache
def stage_of(world: World) -> Path:
    store(world.root / "stages-of").run(STAGES)
    return world.root / "stages-of"


def store(out: Path) -> Any:
    from codeunlearn.experiments.stages import StageStore

    return StageStore(out)


class _Stages(list[Any]):
    """Two stages, the second after the first; made when they are first asked for, so that importing this is quick."""

    def __iter__(self) -> Any:
        from codeunlearn.experiments.stages import Stage

        first = Stage("a", {"size": 3}, (), lambda: {"value": 7})
        return iter([first, Stage("b", {}, ("a",), lambda: {"value": 8})])


STAGES = _Stages()


# What is done with a spoiled copy of them.


def trains_on(spoil: Spoil) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        out = place.copy(stopped_training(place.world), "out")
        spoil(out)
        return place.run(*TRAIN(place.world), "--out", out)

    return do


def trains_on_finished(place: Place) -> Outcome:
    """All steps are done and the model is not saved yet."""
    out = place.copy(trained(place.world), "out")
    for path in out.iterdir():
        if path.name not in ("checkpoints", "run.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return place.run(*TRAIN(place.world), "--out", out)


def sweeps_on(spoil: Spoil, *more: object) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        out = place.copy(sweep_of(place.world), "out")
        spoil(out)
        return place.run(*SWEEP(place.world), *more, "--out", out)

    return do


def reproduces_on(spoil: Spoil) -> Callable[[Place], Outcome]:
    """The stages again, where the first one's file is spoiled."""

    def do(place: Place) -> Outcome:
        out = place.copy(stage_of(place.world), "out")
        spoil(out)

        def run() -> list[Any]:
            stages = store(out)
            stages.run(STAGES)
            return [stages.state(stage) for stage in STAGES] + [stages.result("a"), stages.result("b")]

        return place.call(run)

    return do


def loads(kind: str, make: Callable[[World], Path], spoil: Spoil) -> Callable[[Place], Outcome]:
    """Reading a result file back."""

    def do(place: Place) -> Outcome:
        path = place.copy(make(place.world), "result.json")
        spoil(path)
        return place.call(_reader(kind), path)

    return do


def _reader(kind: str) -> Callable[[Path], Any]:
    from codeunlearn.corpus.topic_sets import TopicSets
    from codeunlearn.evaluation.protocol import TopicEvaluation
    from codeunlearn.evaluation.tradeoff import TradeOff

    return {"scores": TopicEvaluation.load, "sets": TopicSets.load, "curve": TradeOff.load}[kind]


# Ways to spoil.


def cut(name: str, share: float) -> Spoil:
    def spoil(folder: Path) -> None:
        for path in found(folder, name):
            content = path.read_bytes()
            path.write_bytes(content[: int(len(content) * share)])

    return spoil


def found(folder: Path, name: str) -> list[Path]:
    paths = [folder] if not name else sorted(folder.glob(name))
    assert paths, f"there is no {name}: {sorted(str(p) for p in folder.rglob('*'))[:40]}"
    return paths


def of(name: str, content: bytes | str) -> Spoil:
    def spoil(folder: Path) -> None:
        for path in found(folder, name):
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    return spoil


def gone(name: str) -> Spoil:
    return lambda folder: [path.unlink() for path in found(folder, name)]


def put(name: str, *keys: str | int, value: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        for path in found(folder, name):
            content = json.loads(path.read_text())
            path.write_text(json.dumps(replaced(content, keys, value)))

    return spoil


# What is right.


def same_model(_outcome: Outcome, place: Place) -> bool:
    """The training is finished: all its steps, and the model that it would have given without a stop."""
    steps = json.loads((place.path / "out" / "training.json").read_text())["steps"]
    assert steps == STEPS, f"{steps} steps, not {STEPS}"
    far = float((logits(place.path / "out") - logits(trained(place.world))).abs().max())
    assert far < 1e-4, f"the model differs by {far}"
    return True


def same_sweep(_outcome: Outcome, place: Place) -> bool:
    from codeunlearn.evaluation.sweep import Sweep

    one, other = Sweep.load(place.path / "out"), Sweep.load(sweep_of(place.world))
    return [row.s_prime for row in one.rows] == [2, 4] and one.rows == other.rows


def same_stages(outcome: Outcome, _place: Place) -> bool:
    return outcome.result == ["finished", "finished", {"value": 7}, {"value": 8}]


def either(name: str, check: Check) -> Either:
    return Either(Refused((name,)), Accepted(check))


NOT_JSON: dict[str, bytes] = {
    "null": b"null", "a list": b"[]", "a number": b"5", "an empty object": b"{}", "not JSON": b"{x", "not UTF-8": b'{"a": "\xff"}',
    "zero bytes": bytes(50), "deep nesting": b"[" * 100_000,
}  # fmt: skip
NEWEST, BEFORE = "checkpoints/checkpoint-3", "checkpoints/checkpoint-2"
CHECKPOINT = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
CASES = [
    Case("a training goes on", trains_on(lambda _: None), Accepted(same_model)),
    *some(Case(f"run.json cut at {share}", trains_on(cut("run.json", share)), either("run.json", same_model)) for share in CUTS),
    *some(Case(f"run.json: {what}", trains_on(of("run.json", content)), either("run.json|begun with", same_model)) for what, content in NOT_JSON.items()),
    Case("run.json gone", trains_on(gone("run.json")), either("run.json", same_model)),
    Case("run.json of another seed", trains_on(put("run.json", "seed", value=5)), refused("seed")),
    *some(Case(f"newest checkpoint: {name} cut", trains_on(cut(f"{NEWEST}/{name}", 0.5)), Accepted(same_model)) for name in CHECKPOINT),
    *some(Case(f"newest checkpoint: {name} empty", trains_on(cut(f"{NEWEST}/{name}", 0)), Accepted(same_model)) for name in CHECKPOINT),
    *some(Case(f"newest checkpoint: {name} gone", trains_on(gone(f"{NEWEST}/{name}")), Accepted(same_model)) for name in CHECKPOINT),
    Case("no checkpoints", trains_on(lambda out: shutil.rmtree(out / "checkpoints")), Accepted(same_model)),
    Case("stopped after the last step", trains_on_finished, Accepted(same_model)),
    Case("newest checkpoint: state of another kind", trains_on(of(f"{NEWEST}/trainer_state.json", "[]")), Accepted(same_model)),
    Case("newest checkpoint: empty", trains_on(lambda out: [p.unlink() for p in (out / NEWEST).iterdir()]), Accepted(same_model)),
    Case("both checkpoints cut", trains_on(lambda out: (cut(f"{NEWEST}/*.safetensors", 0.5)(out), cut(f"{BEFORE}/*.safetensors", 0.5)(out))), either("checkpoint", same_model)),
    Case("a foreign folder among the checkpoints", trains_on(lambda out: (out / "checkpoints" / "checkpoint-x").mkdir()), Accepted(same_model)),
    Case("a foreign checkpoint with a state", trains_on(lambda out: shutil.copytree(out / NEWEST, out / "checkpoints" / "checkpoint-last")), either("checkpoint", same_model)),
    Case("a sweep goes on", sweeps_on(lambda _: None), Accepted(same_sweep)),
    *some(Case(f"sweep.json cut at {share}", sweeps_on(cut("sweep.json", share)), either("sweep.json", same_sweep)) for share in CUTS),
    *some(Case(f"sweep.json: {what}", sweeps_on(of("sweep.json", content)), either("sweep.json", same_sweep)) for what, content in NOT_JSON.items()),
    *some(
        Case(f"sweep.json: {keys} = {value!r}", sweeps_on(put("sweep.json", *keys, value=value)), either("sweep.json", same_sweep))
        for keys, value in ((("rows",), 5), (("rows",), [5]), (("rows",), [{}]), (("rows", 0, "s_prime"), "2"), (("rows", 0, "topic"), None), (("rows", 0, "recall_after"), "x"), (("rows", 0, "colour"), 1), (("details",), 5), (("details",), {}), (("details", "seed"), "0"))
    ),
    Case("sweep.json with one row gone", sweeps_on(put("sweep.json", "rows", value=[])), either("sweep.json", same_sweep)),
    Case("sweep.json with half a topic", sweeps_on(lambda out: _half(out / "sweep.json")), either("sweep.json", same_sweep)),
    Case("a sweep of other data of the same name", lambda p: other_sweep(p), Refused(("data|text",))),
    *some(Case(f"stage cut at {share}", reproduces_on(cut("stages/a.json", share)), either("a.json", same_stages)) for share in CUTS),
    *some(Case(f"stage: {what}", reproduces_on(of("stages/a.json", content)), either("a.json", same_stages)) for what, content in NOT_JSON.items()),
    *some(
        Case(f"stage: {key} = {value!r}", reproduces_on(put("stages/a.json", key, value=value)), refused("a"))
        for key, value in (("format", 99), ("format", "1"), ("result", 5), ("depends_on", None), ("depends_on", []), ("depends_on", {}), ("seconds", "x"), ("environment", 5), ("result", {"value": 9}))
    ),
    Case("the stages again", reproduces_on(lambda _: None), Accepted(same_stages)),
    *some(
        Case(f"{kind} cut at {share}", loads(kind, make, cut("", share)), refused("result.json"))
        for kind, make in (("scores", evaluation_of), ("sets", sets_of), ("curve", evaluation_of)) for share in CUTS[:-1]
    ),
    *some(
        Case(f"{kind}: {what}", loads(kind, make, of("", content)), refused("result.json"))
        for kind, make in (("scores", evaluation_of), ("sets", sets_of), ("curve", evaluation_of)) for what, content in NOT_JSON.items()
    ),
    *some(
        Case(f"{kind}: {keys} = {value!r}", loads(kind, make, put("", *keys, value=value)), refused("result.json"))
        for kind, make, keys, value in (
            ("scores", evaluation_of, ("scores",), 5), ("scores", evaluation_of, ("scores",), [5]), ("scores", evaluation_of, ("scores", 0), {}),
            ("scores", evaluation_of, ("scores", 0, "value"), "x"), ("scores", evaluation_of, ("topic",), 5), ("scores", evaluation_of, ("sizes",), [1]),
            ("sets", sets_of, ("search",), 5), ("sets", sets_of, ("search",), [5]), ("sets", sets_of, ("search",), [{}]), ("sets", sets_of, ("search", 0, "source"), 5),
            ("sets", sets_of, ("topic",), 5), ("sets", sets_of, ("topic", "kind"), "x"), ("sets", sets_of, ("topic", "forms"), "love"),
            ("sets", sets_of, ("controls",), "x"), ("sets", sets_of, ("target_words",), "aimer"), ("sets", sets_of, ("paired",), "x"),
            ("curve", evaluation_of, ("points",), [5]), ("curve", evaluation_of, ("points",), 5),
        )
    ),
    Case("scores are read", loads("scores", evaluation_of, lambda _: None), Accepted()),
    Case("sets are read", loads("sets", sets_of, lambda _: None), Accepted()),
]  # fmt: skip


def _half(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "rows": content["rows"][:1]}))


def _other_text(place: Place) -> Path:
    """As many sentences as the world's data has, and others."""
    lines = place.world.pairs.read_text().splitlines()[600:]
    return place.write("data/pairs.tsv", "\n".join(lines) + "\n")


def other_sweep(place: Place) -> Outcome:
    """A finished sweep, and the same command on a file of the same name with other sentences."""
    out = place.copy(sweep_of(place.world), "out")
    command = [str(_other_text(place)) if part == place.world.pairs else part for part in SWEEP(place.world)]
    return place.run(*command, "--out", out)


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_a_state_file_is_used_or_passed_over_or_named(case: Case, place: Place) -> None:
    expect(case, place)
