"""Commands that are killed at a write: what loads afterwards is whole, and the same command finishes the work."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forks import KILLED, computed, in_fork
from model_state import State, fault_of, state_of
from outcome import Outcome, call, command
from tally import Fault, Tally
from world import World, logits

SHAPE = {"num_codes": 32, "code_dim": 8, "top_s": 2, "layer": 1}
Arguments = tuple[object, ...]
Verdict = tuple[Fault | None, str]


@dataclass(frozen=True)
class Job:
    """A command, where it writes, and what may lie there.

    Attributes:
        name: of the command and of what was there before.
        arguments: the command, without its ``--out``.
        before: the folder or file that lay at the target; None for nothing.
        left: judges what lies at the target after a kill.
        finished: judges it after the same command has been given again.
        kept: finished parts below the target, by name with a mark that changes when they are made again.
        most: kills to try, spread over all writes.
    """

    name: str
    arguments: Arguments
    before: Path | None
    left: Callable[[Path], Verdict]
    finished: Callable[[Path], Verdict]
    kept: Callable[[Path], dict[str, Any]] = field(default=lambda _: {})
    most: int = 40


def run(world: World, seed: int, progress: Callable[[str], None]) -> Iterator[Tally]:
    """One tally a job."""
    for job in jobs(world):
        tally = Tally(f"kill: {job.name}")
        for number, total in kills_of(job, random.Random(seed)):
            progress(f"{tally.kind}: write {number} of {total}")
            fault, why = _killed_at(job, number)
            tally.add(fault, f"write {number} of {total}", why, arguments=[str(a) for a in job.arguments])
        yield tally


def kills_of(job: Job, generator: random.Random) -> list[tuple[int, int]]:
    """The writes at which to kill, and how many there are."""
    with _target(job) as target:
        whole = in_fork(lambda: command(*job.arguments, "--out", target), target.parent)
    if whole.outcome is None or whole.outcome.kind != "done":
        raise AssertionError(f"{job.name} fails without a kill: {whole}")
    numbers = range(1, whole.writes + 1)
    some = sorted(generator.sample(numbers, job.most)) if len(numbers) > job.most else list(numbers)
    return [(number, whole.writes) for number in some]


def _killed_at(job: Job, number: int) -> Verdict:
    with _target(job) as target:
        ended = in_fork(lambda: command(*job.arguments, "--out", target), target.parent, number)
        if ended.status != KILLED:
            return None, ""  # it needed fewer writes this time and ended by itself
        verdict = _judged(job.left, target)
        if verdict[0]:
            return verdict
        kept = job.kept(target)
        again = in_fork(lambda: command(*job.arguments, "--out", target)).outcome
        if again is None or not (again.kind == "done" or "already holds" in again.said):
            return _not_finished(again)
        made_again = [name for name, mark in kept.items() if job.kept(target).get(name) != mark]
        if made_again:
            return "something else", f"finished parts were made again: {made_again}"
        return _judged(job.finished, target)


def _judged(judge: Callable[[Path], Verdict], target: Path) -> Verdict:
    """In a fork; what cannot even be read without a traceback is a fault of its own."""
    found = in_fork(lambda: call(judge, target)).outcome
    if found is None or found.kind != "done":
        return "traceback", found.trace or found.said if found else "the process died"
    return found.result


def _not_finished(again: Outcome | None) -> Verdict:
    if again is None or again.kind in ("traceback", "no end"):
        return "traceback", again.trace if again else "the process died"
    return "something else", f"the same command does not finish: {again.said}"


class _target:
    """The place of a job as it is before, in a folder of its own that is gone afterwards."""

    def __init__(self, job: Job) -> None:
        self.job, self.folder = job, Path(tempfile.mkdtemp(prefix="kill-"))

    def __enter__(self) -> Path:
        target = self.folder / "target"
        if self.job.before is not None:
            shutil.copytree(self.job.before, target)
        return target

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def jobs(world: World) -> Iterator[Job]:
    states = {name: computed(state_of, getattr(world, name)) for name in ("model", "forgotten", "committed")}
    model, forgotten, committed = states.values()
    apply, restore = ("apply", world.model, world.love), ("restore", world.forgotten)
    happy = computed(_applied, world, world.happy)
    yield changing("apply to a new folder", apply, None, None, forgotten)
    yield changing("apply over the plain model", apply, world.model, model, forgotten)
    yield changing(
        "apply over the model without another topic",
        ("apply", world.model, world.happy),
        world.forgotten,
        forgotten,
        happy,
    )
    yield changing("apply --commit to a new folder", (*apply, "--commit"), None, None, committed)
    yield changing("apply --commit over the masked model", (*apply, "--commit"), world.forgotten, forgotten, committed)
    yield changing("apply over the committed model", apply, world.committed, committed, forgotten)
    yield changing("restore over the masked model", restore, world.forgotten, forgotten, model)
    yield from making(world)


def _applied(world: World, forget_set: Path) -> State:
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    try:
        done = command("apply", world.model, forget_set, "--out", folder / "target")
        assert done.kind == "done", done
        return state_of(folder / "target")
    finally:
        shutil.rmtree(folder)


def changing(name: str, arguments: Arguments, before: Path | None, old: State | None, new: State) -> Job:
    """A job that turns one model into another: after a kill it is the one or the other."""
    allowed = [new] if old is None else [old, new]
    return Job(
        name,
        arguments,
        before,
        lambda target: fault_of(target, allowed, may_be_missing=old is None),
        lambda target: _first(fault_of(target, [new], may_be_missing=False), _nothing_left(target)),
    )


def _first(*verdicts: Verdict) -> Verdict:
    return next((verdict for verdict in verdicts if verdict[0]), (None, ""))


def _nothing_left(target: Path) -> Verdict:
    """Beside the target and in it lies nothing unfinished but small hidden files and empty hidden folders, which mean nothing."""
    around = [path for path in target.parent.iterdir() if path != target]
    left = [path for path in (*around, *target.rglob("*")) if not _means_nothing(path) and _is_unfinished(path, target)]
    names = [str(path.relative_to(target.parent)) for path in left]
    return ("something else", f"{names} is left") if names else (None, "")


def _means_nothing(path: Path) -> bool:
    if not path.name.startswith("."):
        return False
    if path.is_dir():
        return not any(path.iterdir())
    return path.is_file() and (path.suffix == ".part" or not path.stat().st_size)


def _is_unfinished(path: Path, target: Path) -> bool:
    return path.parent == target.parent or path.name.endswith((".part", ".tmp", "-new", "-old"))


# Jobs that make something new.


def making(world: World) -> Iterator[Job]:
    data = ("--data", world.pairs, "--base", world.base, "--device", "cpu")
    steps = ("--max-steps", 4, "--save-steps", 1, "--batch-tokens", 400, "--epochs", 9)
    shape = tuple(part for name, size in SHAPE.items() for part in (f"--{name.replace('_', '-')}", size))
    yield of_model("train --plain", ("train", "--plain", *data, *steps), most=20)
    yield of_model("train", ("train", *data, *steps, *shape), most=20)
    yield of_model("build", ("build", *data, *shape, "--fit-tokens", 500), most=20)
    search = ("--preset", "paper", "--s-prime", 4, "--minimum", 5, "--alpha", 0.3)
    yield of_files("forget", ("forget", world.model, "--topic", "love", "--data", world.pairs, *search), read=_read_set)
    sizes = ("--eval-size", 6, "--minimum", 2, "--search-size", 20, "--s-primes", "2,4", "--device", "cpu")
    words = ("--target-words", "love=aimer,aime", "--target-words", "old=vieux,vieille")
    sweep = ("sweep", world.model, "--topics", "love,old", "--data", world.pairs, *words, *sizes)
    yield of_files("sweep", sweep, read=_read_sweep, kept=_rows_of, most=8)
    yield of_files(
        "reproduce",
        ("reproduce", _reproduction(world), "--device", "cpu"),
        read=_read_stages,
        parts=("stages/**/*.json",),
        most=16,
    )


def of_model(name: str, arguments: Arguments, most: int) -> Job:
    """A training or a build: what loads is the finished model, and in the end it is what it would have been."""
    whole = computed(_made, arguments)

    def left(target: Path) -> Verdict:
        found = _logits(target)
        return (
            ("loads as whole and is not", "another model")
            if found is not None and not _close(found, whole)
            else (None, "")
        )

    def finished(target: Path) -> Verdict:
        found = _logits(target)
        return (
            ("something else", "another model than without the kill")
            if found is None or not _close(found, whole)
            else _nothing_left(target)
        )

    return Job(name, arguments, None, left, finished, most=most)


def _made(arguments: Arguments) -> Any:
    with _target(Job("", arguments, None, lambda _: (None, ""), lambda _: (None, ""))) as target:
        done = command(*arguments, "--out", target)
        assert done.kind == "done", f"{done.said}{done.trace}"
        return logits(target)


def _logits(target: Path) -> Any:
    from codeunlearn.errors import CodeUnlearnError

    try:
        return logits(target)
    except CodeUnlearnError:
        return None


def _close(one: Any, other: Any) -> bool:
    return one.shape == other.shape and float((one - other).abs().max()) < 1e-4


def of_files(
    name: str,
    arguments: Arguments,
    read: Callable[[Path], Any],
    parts: Sequence[str] = (),
    kept: Callable[[Path], dict[str, Any]] | None = None,
    most: int = 40,
) -> Job:
    """A job whose result is read back: after a kill it is missing or whole.

    Args:
        read: the result, without what differs from run to run; `FileNotFoundError` or a refusal where there is none.
        parts: patterns of files that are finished when they are there.
    """
    whole = computed(_read_made, arguments, read)

    def left(target: Path) -> Verdict:
        found = _read(read, target)
        return (
            ("loads as whole and is not", f"{found}"[:500])
            if found is not None and not _part_of(found, whole)
            else (None, "")
        )

    def finished(target: Path) -> Verdict:
        found = _read(read, target)
        return (
            ("something else", f"another result than without the kill: {found}"[:800])
            if found != whole
            else _nothing_left(target)
        )

    def marks(target: Path) -> dict[str, Any]:
        return {
            str(path.relative_to(target)): path.stat().st_mtime_ns for pattern in parts for path in target.glob(pattern)
        }

    return Job(name, arguments, None, left, finished, kept or marks, most)


def _part_of(found: Any, whole: Any) -> bool:
    """Results that grow, such as a sweep's rows, may hold the first parts only."""
    return found == whole[: len(found)] if isinstance(whole, list) else found == whole


def _read_made(arguments: Arguments, read: Callable[[Path], Any]) -> Any:
    with _target(Job("", arguments, None, lambda _: (None, ""), lambda _: (None, ""))) as target:
        done = command(*arguments, "--out", target)
        assert done.kind == "done", f"{done.said}{done.trace}"
        return read(target)


def _read(read: Callable[[Path], Any], target: Path) -> Any:
    from codeunlearn.errors import CodeUnlearnError

    try:
        return read(target)
    except (CodeUnlearnError, FileNotFoundError):
        return None


def _read_set(target: Path) -> Any:
    from codeunlearn.unlearning import ForgetSet

    forget_set = ForgetSet.load(target)
    return forget_set.ids, forget_set.forms, [(row.id, row.topic, row.control) for row in forget_set.evidence]


def _read_sweep(target: Path) -> Any:
    from codeunlearn.evaluation.sweep import Sweep

    if not (target / "sweep.json").exists():
        raise FileNotFoundError
    return [repr(row) for row in Sweep.load(target).rows]


def _rows_of(target: Path) -> dict[str, Any]:
    """Topics that are finished: a sweep that goes on does not search them again, which only their times would tell."""
    path = target / "sweep.json"
    return {"rows of the first topic": json.dumps(json.loads(path.read_text())["rows"][:2])} if path.exists() else {}


def _read_stages(target: Path) -> Any:
    """The names of the stages that are finished, and the scores at the end."""
    if not (target / "index.html").exists():
        raise FileNotFoundError
    stages = sorted(str(path.relative_to(target)) for path in target.glob("stages/**/*.json"))
    scores = json.loads((target / "stages" / "love" / "0" / "scores.json").read_text())["result"]
    return json.dumps([stages, scores], sort_keys=True)


def _reproduction(world: World) -> Path:
    steps = {"max_steps": 2, "epochs": 9, "batch_tokens": 400, "save_steps": 1}
    content = {
        "text": {"data": str(world.pairs)},
        "base": {"model": str(world.base)},
        "plain": steps,
        "joint": {"train": steps, "bottleneck": SHAPE, "build": {"fit_tokens": 500}},
        "topics": [{"word": "love", "target_words": ["aimer", "aime"], "neighbours": []}],
        "seeds": [0],
        "search": {"size": 12, "s_primes": [2]},
        "scores": {
            "size": 4, "minimum": 2, "whole": 6, "s_prime": 2, "example_s_primes": [2], "placebo_draws": 1, "usage_size": 30,
        },
    }  # fmt: skip
    path = world.root / "reproduction.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path
