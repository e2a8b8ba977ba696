"""A folder of its own for every case, with copies of the world's files to spoil."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outcome import Outcome, call, changes, command, snapshot
from world import World

Edit = Callable[[Any], Any]
"""Changes the content of a file in place, or returns another in its stead."""


@dataclass(frozen=True)
class Place:
    """Where one case happens.

    Attributes:
        path: an empty folder.
        world: the good files, which no case may change.
    """

    path: Path
    world: World

    def run(self, *arguments: object, stdin: bytes = b"") -> Outcome:
        """A command, run in this folder; what it changed here is in the outcome."""
        before = snapshot(self.path)
        outcome = command(*arguments, stdin=stdin, folder=self.path)
        return replace(outcome, changed=changes(before, snapshot(self.path)))

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Outcome:
        """A call of the library."""
        before = snapshot(self.path)
        outcome = call(function, *arguments, **options)
        return replace(outcome, changed=changes(before, snapshot(self.path)))

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    def copy(self, origin: Path, name: str | None = None) -> Path:
        """A copy of a good file or folder."""
        path = self.path / (name or origin.name)
        if origin.is_dir():
            shutil.copytree(origin, path, symlinks=True)
        else:
            shutil.copy(origin, path)
        return path

    def model(self, name: str = "model", of: str = "model") -> Path:
        """A copy of one of the world's models."""
        return self.copy(getattr(self.world, of), name)

    def json(self, origin: Path, edit: Edit, name: str | None = None) -> Path:
        """A copy of a JSON file with its content changed."""
        content = json.loads(origin.read_text(encoding="utf-8"))
        changed = edit(content)
        return self.write(name or origin.name, json.dumps(content if changed is None else changed, ensure_ascii=True))

    def edit(self, folder: Path, name: str, edit: Edit) -> Path:
        """Changes a JSON file of a folder."""
        path = folder / name
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        changed = edit(content)
        path.write_text(json.dumps(content if changed is None else changed), encoding="utf-8")
        return folder

    def tensors(self, folder: Path, edit: Edit) -> Path:
        """Changes the tensors of a model's folder."""
        from safetensors.torch import load_file, save_file

        path = folder / "model.safetensors"
        tensors = load_file(path)
        changed = edit(tensors)
        save_file(tensors if changed is None else changed, path, metadata={"format": "pt"})
        return folder
