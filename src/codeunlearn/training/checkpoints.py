"""Checkpoints that can be told whole from damaged: each has a list of its files with their digests, which is written last."""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import TrainerState
from transformers.trainer_pt_utils import safe_globals

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import read_json, read_json_object, reason, write_json
from codeunlearn.validation import Shape, validated

FILES = "files.json"
WEIGHTS, STATE = "model.safetensors", "trainer_state.json"
_NEEDED = (WEIGHTS, STATE, "optimizer.pt", "scheduler.pt")
_NAME = re.compile(r"checkpoint-(\d+)")
_NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
_FORMAT = 1


class _State(Shape):
    """What the Trainer reads of its own state."""

    model_config = ConfigDict(extra="ignore")

    global_step: int
    max_steps: int
    epoch: float | None
    log_history: list[dict[str, Any]]


class _File(Shape):
    bytes: int
    sha256: str


class _Files(Shape):
    format: int
    files: dict[str, _File]


def checkpoints(out: Path) -> list[Path]:
    """The checkpoints of the training into ``out``, whole or not, newest first."""
    found = [(int(match[1]), path) for path in (out / "checkpoints").glob("*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found, reverse=True)]


def seal(folder: Path) -> None:
    """Writes down what a checkpoint consists of, once all of it is written.

    What a crash of the machine takes of it shows in the digests, so it is not waited for until all is on the disk.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.name != FILES}
    write_json(folder / FILES, {"format": _FORMAT, "files": {name: _described(path) for name, path in files.items()}})


def fault_of(folder: Path, model: nn.Module, other: Iterable[str] = ()) -> str:
    """Why a checkpoint cannot be resumed from, in words; empty for a whole one.

    One of an older version, which has no list of its files, is judged by opening each of them as the Trainer will.

    Args:
        model: what is trained; the checkpoint must hold its tensors and no others.
        other: names of further files that it needs.
    """
    try:
        for name in (*_NEEDED, *other):
            if not (folder / name).is_file():
                return f"it has no {name}"
        if (folder / FILES).exists():
            _compare(folder)
        for path in sorted(folder.iterdir()):
            _open(path)
        _check_weights(folder / WEIGHTS, model)
    except (CodeUnlearnError, OSError) as error:
        return reason(error)
    return ""


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _compare(folder: Path) -> None:
    listed = validated(_Files, read_json(folder / FILES), FILES)
    for name, file in listed.files.items():
        path = folder / Path(name).name
        if not path.is_file() or _described(path) != file.model_dump():
            raise CodeUnlearnError(f"{path.name} is not as it was written")


def _check_weights(path: Path, model: nn.Module) -> None:
    saved, state = _shapes_in(path), model.state_dict()
    if any(name not in state or tuple(state[name].shape) != shape for name, shape in saved.items()):
        raise CodeUnlearnError(f"{path.name} is of another model")
    places = {state[name].data_ptr() for name in saved}  # tensors that share their memory are saved once
    if any(tensor.data_ptr() not in places for tensor in state.values()):
        raise CodeUnlearnError(f"{path.name} lacks weights of the model")


def _shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(path, "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CodeUnlearnError(f"{path.name} is cut or damaged") from error


def _open(path: Path) -> None:
    """As the Trainer will; what it unpickles is limited to tensors and plain values."""
    try:
        if path.suffix == ".safetensors":
            _shapes_in(path)
        elif path.suffix == ".json":
            content = read_json_object(path)
            if path.name == STATE:
                TrainerState(**content)
                validated(_State, content, STATE)
        elif path.suffix in (".pt", ".pth"):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            with safe_globals():
                content = torch.load(path, map_location="cpu", weights_only=True)
            if damaged or not isinstance(content, dict):
                raise CodeUnlearnError(f"{path.name} is damaged")
    except (*_NO_ARCHIVE, pickle.UnpicklingError, RuntimeError, TypeError) as error:
        raise CodeUnlearnError(f"{path.name} is cut or damaged") from error
