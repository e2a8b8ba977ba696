"""A training that goes on, or a finished one that is used again, must have been asked for with the same options."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from codeunlearn.device import processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import plain, write_json

RECORD = "training.json"  # written last: a folder with a record holds a finished model
REQUEST = "run.json"  # written first: what was asked for
_FREE = ("device", "save_steps", "log_steps")  # may differ between the starts of one training


def last_checkpoint(out: Path) -> str | None:
    """The newest whole checkpoint below ``out``, or None."""
    found = (out / "checkpoints").glob("checkpoint-*/trainer_state.json")
    newest = max(found, key=lambda state: int(state.parent.name.rpartition("-")[2]), default=None)
    return str(newest.parent) if newest else None


def begin(out: Path, request: dict[str, Any], *, reuse: bool = False) -> dict[str, Any] | None:
    """Notes what is asked for, before anything is trained.

    Args:
        out: folder of the model to be.
        request: options by name, nested as may be.
        reuse: a finished model that was asked for with the same options is wanted, not refused.

    Returns:
        the record of a finished model that can be used again; None when there is something to train.

    Raises:
        CodeUnlearnError: ``out`` holds a finished model, or one begun with other options.
    """
    if (out / RECORD).exists() and not reuse:
        raise CodeUnlearnError(f"{out} already holds a finished model; choose another --out or remove it.")
    asked, path = _flat(json.loads(json.dumps(plain(request)))), out / REQUEST
    if path.exists() and ((out / RECORD).exists() or last_checkpoint(out)):
        _refuse_other(out, json.loads(path.read_text(encoding="utf-8")), asked)
    elif processes().rank == 0:
        write_json(path, asked)
    return json.loads((out / RECORD).read_text(encoding="utf-8")) if (out / RECORD).exists() else None


def weights_digest(folder: str) -> str | None:
    """SHA-256 of the weights in a folder; None for a name that is no folder."""
    files = sorted(Path(folder).glob("*.safetensors"))
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest() if files else None


def _refuse_other(out: Path, begun: dict[str, Any], asked: dict[str, Any]) -> None:
    for name in sorted({*begun, *asked}):
        if name not in _FREE and begun.get(name) != asked.get(name):
            raise CodeUnlearnError(
                f"{out} was begun with {name} = {begun.get(name)}, not {asked.get(name)}; give the options that it was "
                "begun with, or choose another --out."
            )


def _flat(nested: dict[str, Any]) -> dict[str, Any]:
    """Options by their own names; ``build`` and ``data`` share some with ``config``, so those keep their group's."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            prefix = "" if name in ("config", "shape") else f"{name}."
            flat |= {f"{prefix}{inner}": v for inner, v in _flat(value).items()}
        else:
            flat[name] = value
    return flat
