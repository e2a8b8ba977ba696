"""All cases by family, for those who count them outside of pytest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from case import Case, Verdict
from place import Place
from world import World

FAMILIES = ("forget_set_files", "model_folders", "data_files", "yaml", "state_files", "outputs", "text", "options")


@dataclass(frozen=True)
class Judged:
    """One case and what came of it."""

    family: str
    case: str
    verdict: Verdict
    why: str


def cases(family: str) -> list[Case]:
    return import_module(f"test_{family}").CASES


@contextmanager
def new_place(world: World, below: Path) -> Iterator[Place]:
    """A place that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=below))
    try:
        yield Place(folder, world)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(family: str, case: Case, world: World, below: Path) -> Judged:
    with new_place(world, below) as place:
        verdict, why = case.judge(place)
    return Judged(family, case.name, verdict, why)
