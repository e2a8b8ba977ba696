"""Named stages that are made once: each leaves one JSON file, written last, with all that its result depends on.

A stage whose file is there is finished and never made again. If what it depends on has changed since, it is refused, or
made again where that is asked for. What it depends on are its settings and the results of the stages before it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codeunlearn.device import processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import as_json, inside, is_file_name, write_json
from codeunlearn.record import environment, now
from codeunlearn.validation import read_state

CHANGED = "changed"
"""Asked for in place of a name: every stage whose inputs have changed is made again."""
State = Literal["finished", "changed", "to do"]
_FORMAT = 1
_SINCE = frozenset({"other_files"})  # settings that stages of older versions did not note
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Stage:
    """One step of a reproduction.

    Attributes:
        name: such as ``joint-0`` or ``love/0/search``.
        settings: all that its result depends on besides the stages before it; JSON-ready.
        after: names of the stages whose results it uses.
        make: makes the result, JSON-ready; it may leave files in ``folder``.
        folder: what is removed when the stage is made again; None for none.
        together: several processes make it together (`accelerate launch`); otherwise one of them does.
    """

    name: str
    settings: Mapping[str, Any]
    after: tuple[str, ...]
    make: Callable[[], dict[str, Any]]
    folder: Path | None = None
    together: bool = False


@dataclass(frozen=True)
class _Inputs:
    settings: dict[str, Any]
    after: dict[str, str]


@dataclass(frozen=True)
class _Record:
    """The file of a finished stage; older versions noted no digest of the result."""

    format: int
    depends_on: _Inputs
    result: dict[str, Any]
    seconds: float
    environment: dict[str, Any]
    sha256: str = ""


class StageStore:
    """The stages of one folder: what is finished, and the making of what is not.

    Args:
        out: the folder; stages lie in ``out/stages``.
        redo: names of stages (or their beginnings up to a ``/``) to make again, or `CHANGED`.
        only: names of stages (or their beginnings) beside which none is made; what they rest on must be finished. Empty
            for all stages.
        say: told about every stage that is made.
    """

    def __init__(
        self,
        out: Path,
        redo: Sequence[str] = (),
        only: Sequence[str] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.out, self._redo, self._only, self._say = out, tuple(redo), tuple(only), say
        self._redone: set[str] = set()
        if redo and processes().number > 1:
            raise CodeUnlearnError("Stages are made again by one process; start it without a launcher for --redo.")

    def path(self, name: str) -> Path:
        """The file of a stage.

        Raises:
            CodeUnlearnError: the name leads elsewhere.
        """
        if not all(map(is_file_name, name.split("/"))):
            raise CodeUnlearnError(f"{name!r} is no name of a stage, for its file would lie elsewhere.")
        return self.out / "stages" / f"{name}.json"

    def is_finished(self, name: str) -> bool:
        return self.path(name).exists()

    def result(self, name: str) -> dict[str, Any]:
        """What a finished stage left.

        Raises:
            CodeUnlearnError: it is not finished, or its file is damaged.
        """
        return self._record(name).result

    def seconds(self, name: str) -> float:
        """How long it took to make, since its last start."""
        return self._record(name).seconds

    def environment(self, name: str) -> dict[str, Any]:
        """Versions and machine with which it was made."""
        return self._record(name).environment

    def state(self, stage: Stage) -> State:
        """Whether the stage is finished, and still for the inputs of now; nothing is made."""
        if not self.is_finished(stage.name):
            return "to do"
        if not all(map(self.is_finished, stage.after)):
            return "changed"
        return "changed" if self._difference(stage) else "finished"

    def run(self, stages: Sequence[Stage]) -> None:
        """Makes all that is not finished, in order.

        Raises:
            CodeUnlearnError: a stage is finished but its inputs have changed, one that is named does not exist, what a stage
                alone rests on is not finished, or one would lie outside of the folder.
        """
        for stage in stages:
            self._check_places(stage)
        names = {stage.name for stage in stages}
        for asked in (*(asked for asked in self._redo if asked != CHANGED), *self._only):
            if not any(_is_asked(name, asked) for name in names):
                raise CodeUnlearnError(
                    f"There is no stage {asked!r}; see the stages: codeunlearn reproduce ... --plan."
                )
        stages = self._chosen(stages) if self._only else stages
        groups = list(dict.fromkeys(_group(stage.name) for stage in stages if not stage.together))
        for place, stage in enumerate(stages):
            if (
                stage.together
            ):  # so that no process waits in a collective, whose time is bounded, for another's own stages
                for earlier in stages[:place]:
                    self._await(earlier.name)
            if self._needs_making(stage):
                self._make(stage, 0 if stage.together else groups.index(_group(stage.name)))
        for stage in stages:
            self._await(stage.name)

    def _chosen(self, stages: Sequence[Stage]) -> list[Stage]:
        """The stages that ``only`` names, where all they rest on is finished and up to date."""
        chosen = [stage for stage in stages if any(_is_asked(stage.name, asked) for asked in self._only)]
        known = {stage.name: stage for stage in stages}
        seen = {stage.name for stage in chosen}
        for asked in self._redo:
            if asked != CHANGED and not any(_is_asked(name, asked) for name in seen):
                raise CodeUnlearnError(f"The stage {asked} of --redo is none of those of --only; name it there too.")
        waiting = {name for stage in chosen for name in stage.after}
        while waiting := waiting - seen:
            name = waiting.pop()
            seen.add(name)
            if (state := self.state(known[name])) != "finished":
                how = f"--only {name} --redo {name}" if state == "changed" else f"--only {name}"
                raise CodeUnlearnError(f"The stage {name}, which comes before, is {state}; make it first: {how}.")
            waiting |= set(known[name].after)
        return chosen

    def _check_places(self, stage: Stage) -> None:
        """Nothing is written or removed that does not lie in the folder of the reproduction, whatever a stage is called."""
        self.path(stage.name)
        if stage.folder is not None:
            inside(self.out, stage.folder)

    def _needs_making(self, stage: Stage) -> bool:
        if not self.is_finished(stage.name):
            return True
        asked = any(_is_asked(stage.name, name) for name in self._redo)
        difference = self._difference(stage)
        if difference and not (asked or CHANGED in self._redo or self._redone.intersection(stage.after)):
            raise CodeUnlearnError(
                f"The stage {stage.name} was made with {difference}; choose another --out, or make it and what rests on "
                f"it again: --redo {stage.name} (--redo {CHANGED}: all such stages)."
            )
        if asked or difference:
            self._remove(stage)
            return True
        return False

    def _remove(self, stage: Stage) -> None:
        self._redone.add(stage.name)
        file, folder = inside(self.out, self.path(stage.name)), stage.folder
        file.unlink()
        if folder is not None and folder.exists():
            shutil.rmtree(inside(self.out, folder))

    def _make(self, stage: Stage, turn: int) -> None:
        rank, number = processes()
        if not stage.together and turn % number != rank:
            return
        depends_on = self._depends_on(stage)
        self._say(stage.name)
        began = time.perf_counter()
        result = stage.make()
        if stage.together and rank:
            return
        record = {
            "format": _FORMAT,
            "stage": stage.name,
            "depends_on": depends_on,
            "result": result,
            "sha256": digest(result),
            "seconds": round(time.perf_counter() - began, 1),
            "made": now(),
            "environment": environment(),
        }
        write_json(self.path(stage.name), record)

    def _await(self, name: str) -> None:
        """Until another process has made it."""
        while processes().number > 1 and not self.is_finished(name):
            time.sleep(_POLL_SECONDS)

    def _record(self, name: str) -> _Record:
        path = self.path(name)
        if not path.exists():
            raise CodeUnlearnError(f"The stage {name} is not finished; give the command again to finish it.")
        record = read_state(_Record, path, "remove it and give the command again")
        if record.format != _FORMAT:
            raise CodeUnlearnError(f"{path} is of another format; remove it and give the command again.")
        if record.sha256 not in ("", digest(record.result)):
            raise CodeUnlearnError(
                f"{path} is damaged: its result is not as it was; remove it and give the command again."
            )
        return record

    def _depends_on(self, stage: Stage) -> dict[str, Any]:
        for name in stage.after:
            self._await(name)
        results = {name: digest(self.result(name)) for name in stage.after}
        return as_json({"settings": stage.settings, "after": results})

    def _difference(self, stage: Stage) -> str:
        """In words, the first thing that has changed; empty for nothing."""
        then, now = self._record(stage.name).depends_on, self._depends_on(stage)
        for name in sorted({*then.after, *now["after"]}):
            if then.after.get(name) != now["after"].get(name):
                return f"another result of the stage {name}"
        old, new = _flat(then.settings), _flat(now["settings"])
        unknown_then = {name for name in new if name.rpartition(".")[2] in _SINCE} - old.keys()
        for name in sorted({*old, *new} - unknown_then):
            if old.get(name) != new.get(name):
                return f"{name} = {_short(old.get(name))}, not {_short(new.get(name))}"
        return ""


def digest(content: Any) -> str:
    """SHA-256 of JSON-ready content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(as_json(content), sort_keys=True).encode()).hexdigest()


def _group(name: str) -> str:
    """Stages of one group are made by one process, for they use one another's results."""
    return name.rpartition("/")[0] or name


def _is_asked(name: str, asked: str) -> bool:
    return name == asked or name.startswith(f"{asked}/")


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
