"""Processes, threads or coroutines at the same thing at once: the end is one that they could have reached in turn."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from forks import Ended, at_once, computed
from kills import _read_made, _read_set, _read_sweep
from model_state import State, chosen_deleted, fault_of, state_of, state_of_model
from outcome import Outcome, call, command
from tally import Fault, Tally
from world import World

Verdict = tuple[Fault | None, str]
SPREADS = (0.0, 0.03, 0.1, 0.3)  # seconds over which the starts of processes are spread


@dataclass(frozen=True)
class Race:
    """Commands on one target.

    Attributes:
        name: what runs against what.
        commands: without their ``--out``.
        before: what lay at the target.
        judge: the target and how every process ended.
    """

    name: str
    commands: tuple[tuple[object, ...], ...]
    before: Path | None
    judge: Callable[[Path, Sequence[Ended]], Verdict]
    tries: int = 8


def run(world: World, seed: int, progress: Callable[[str], None]) -> Iterator[Tally]:
    """One tally a race of processes, one for readers, one each for threads and coroutines."""
    for race in races(world):
        tally = Tally(f"race: {race.name}")
        for number in range(race.tries):
            progress(f"{tally.kind}: {number + 1} of {race.tries}")
            generator = random.Random(f"{seed} {race.name} {number}")
            delays = [generator.uniform(0, generator.choice(SPREADS)) for _ in race.commands]
            tally.add(*_in_turn(race, delays), delays=delays)
        yield tally
    for name, trial in (
        ("threads in `forgetting`", overlapping_threads),
        ("coroutines in `forgetting`", overlapping_coroutines),
    ):
        tally = Tally(f"race: {name}")
        for number in range(8):
            fault, why = computed(trial, world, f"{seed} {number}")
            tally.add(fault, f"number {number}", why)
        yield tally


def _in_turn(race: Race, delays: Sequence[float]) -> tuple[Fault | None, str, str]:
    folder = Path(tempfile.mkdtemp(prefix="race-"))
    try:
        target = folder / "target"
        if race.before is not None:
            shutil.copytree(race.before, target)
        ended = at_once([partial(_act, arguments, target) for arguments in race.commands], delays)
        fault, why = race.judge(target, ended)
        return fault, f"delays {[round(delay, 3) for delay in delays]}", why
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _act(arguments: tuple[object, ...], target: Path) -> Outcome:
    if arguments[0] == "look":
        return _look(target, arguments[1])
    return command(*arguments, "--out", target)


def _look(target: Path, allowed: Any) -> Outcome:
    """Loads the model again and again while it is written: every time it is one of the whole ones."""
    until = time.monotonic() + 1.5
    seen: list[Any] = []
    while time.monotonic() < until:
        fault, why = fault_of(target, allowed, may_be_missing=False)
        if fault:
            seen.append((fault, why))
            break
    return Outcome("done", result=seen)


def races(world: World) -> Iterator[Race]:
    states = {name: computed(state_of, getattr(world, name)) for name in ("model", "forgotten", "committed")}
    love, happy = ("apply", world.model, world.love), ("apply", world.model, world.happy)
    both = computed(_state_after, (*love, world.happy))
    commit, restore = (*love, "--commit"), ("restore", world.forgotten)
    one, other = states["forgotten"], computed(_state_after, happy)
    plain, committed = states["model"], states["committed"]
    together = (*love, world.happy)
    for name, commands, ends in (
        ("apply against apply", (love, happy), (one, other)),
        ("apply against apply against apply", (love, happy, together), (one, other, both)),
        ("apply against apply --commit", (love, commit), (one, committed)),
        ("apply against restore", (happy, restore), (other, plain)),
        ("restore against restore", (restore, restore), (plain, plain)),
    ):
        yield Race(name, commands, world.forgotten, partial(_one_of, ends))
    yield Race("apply against apply to a new folder", (love, happy), None, partial(_one_of, (one, other)))
    look = ("look", (plain, one))
    yield Race("readers against apply", (love, look, look), world.model, partial(_one_of, (one, None, None)))
    yield from makers(world)


def makers(world: World) -> Iterator[Race]:
    search = (
        "forget",
        world.model,
        "--topic",
        "love",
        "--data",
        world.pairs,
        "--preset",
        "paper",
        "--s-prime",
        4,
        "--minimum",
        5,
        "--alpha",
        0.3,
    )
    sizes = ("--eval-size", 6, "--minimum", 2, "--search-size", 20, "--s-primes", "2,4", "--device", "cpu")
    sweep = (
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
    for name, arguments, read, tries in (
        ("forget against forget", search, _read_set, 4),
        ("sweep against sweep", sweep, _read_sweep, 3),
    ):
        whole = computed(_read_made, arguments, read)
        yield Race(name, (arguments, arguments), None, partial(_reads_as, read, whole), tries)


def _state_after(arguments: tuple[object, ...]) -> State:
    folder = Path(tempfile.mkdtemp(prefix="race-"))
    try:
        done = command(*arguments, "--out", folder / "target")
        assert done.kind == "done", done
        return state_of(folder / "target")
    finally:
        shutil.rmtree(folder)


def _processes(ended: Sequence[Ended]) -> Verdict:
    """Each process did its work or said in one sentence why not, and one at least did it."""
    for one in ended:
        if one.outcome is None or one.outcome.kind in ("traceback", "no end"):
            return "traceback", one.outcome.trace if one.outcome else f"status {one.status}"
        if one.outcome.kind == "refused" and one.outcome.said.count("Error: ") != 1:
            return "something else", one.outcome.said
        if one.outcome.result:
            return one.outcome.result[0]
    if not any(one.outcome is not None and one.outcome.kind == "done" for one in ended):
        return "something else", "no process did its work"
    return None, ""


def _one_of(ends: Sequence[State | None], target: Path, ended: Sequence[Ended]) -> Verdict:
    """The model is what one of those that say they have written it has made."""
    fault, why = _processes(ended)
    if fault:
        return fault, why
    written = [
        end
        for end, one in zip(ends, ended, strict=True)
        if end is not None and one.outcome and one.outcome.kind == "done"
    ]
    return computed(partial(fault_of, may_be_missing=False), target, written)


def _reads_as(read: Callable[[Path], Any], whole: Any, target: Path, ended: Sequence[Ended]) -> Verdict:
    fault, why = _processes(ended)
    if fault:
        return fault, why
    found = computed(call, read, target)
    if found.kind != "done":
        return "something else", found.said or found.trace
    return (None, "") if found.result == whole else ("loads as whole and is not", f"{found.result}"[:500])


# Blocks that overlap in one process.


def _opened(world: World) -> tuple[Any, list[Any], State]:
    from codeunlearn.codebook import load_model
    from codeunlearn.unlearning import ForgetSet

    model = load_model(world.model)
    return model, [ForgetSet.load(world.love), ForgetSet.load(world.happy)], state_of_model(model)


def _inside(model: Any, forget_set: Any, faults: list[Verdict]) -> None:
    """Within a block its codes are deleted, and no slot chooses them."""
    deleted = set(model.bottleneck.codebook.code_ids[model.bottleneck.codebook.deleted].tolist())
    if not set(forget_set.ids) <= deleted:
        faults.append(
            ("chooses a deleted code", f"{sorted(set(forget_set.ids) - deleted)} are not deleted within their block")
        )
    elif chosen_deleted(model):
        faults.append(("chooses a deleted code", "a slot chooses a deleted code"))


def _as_before(model: Any, before: State, faults: list[Verdict]) -> Verdict:
    if faults:
        return faults[0]
    after = state_of_model(model)
    return (None, "") if after.is_like(before) else ("something else", f"after all blocks: {after}")


def overlapping_threads(world: World, seed: str) -> Verdict:
    """Blocks that begin and end in any order: each in a thread of its own, in steps drawn from the seed."""
    from codeunlearn.unlearning import forgetting

    model, sets, before = _opened(world)
    faults: list[Verdict] = []
    barriers = [threading.Event() for _ in range(4)]
    order = random.Random(seed).choice([(0, 1, 0, 1), (0, 1, 1, 0), (1, 0, 1, 0), (1, 0, 0, 1)])
    lock = threading.Lock()

    def work(own: int) -> None:
        first, last = (step for step, who in enumerate(order) if who == own)
        barriers[first - 1].wait() if first else None
        with forgetting(model, sets[own]):
            with lock:
                _inside(model, sets[own], faults)
            barriers[first].set()
            barriers[last - 1].wait()
            with lock:
                _inside(model, sets[own], faults)
        barriers[last].set()

    threads = [threading.Thread(target=work, args=(own,)) for own in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return _as_before(model, before, faults)


def overlapping_coroutines(world: World, seed: str) -> Verdict:
    """Blocks of several coroutines that wait in the middle for times drawn from the seed."""
    from codeunlearn.unlearning import forgetting

    model, sets, before = _opened(world)
    faults: list[Verdict] = []
    generator = random.Random(seed)

    async def work(own: int) -> None:
        await asyncio.sleep(generator.uniform(0, 0.02))
        with forgetting(model, sets[own % 2]):
            _inside(model, sets[own % 2], faults)
            await asyncio.sleep(generator.uniform(0, 0.05))
            _inside(model, sets[own % 2], faults)

    async def all_of_them() -> None:
        await asyncio.gather(*(work(own) for own in range(5)))

    asyncio.run(all_of_them())
    return _as_before(model, before, faults)
