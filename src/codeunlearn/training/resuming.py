"""A training that goes on, or a finished one that is used again, must have been asked for with the same options."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict
from transformers.utils.hub import cached_file

from codeunlearn.device import processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import as_json, read_json_object, write_json
from codeunlearn.saving import CARD, RECORD, check_model_target, holds_model, is_model_file
from codeunlearn.training.checkpoints import checkpoints
from codeunlearn.validation import Shape, read_request, read_state

REQUEST = "run.json"  # written first: what was asked for
_FREE = ("device", "save_steps", "log_steps")  # may differ between the starts of one training
_ASKED = ("kind", "base", "base's weights", "data.data", "data.pairs")  # by every version
_ABSENT: dict[str, Any] = {"source_suffix": "", "chat": False, "whole": False}  # what older versions meant
_CONTENTS = {"data.sha256", "base's other files"}  # which older versions did not note


class _Open(Shape):
    model_config = ConfigDict(extra="ignore")


class _Versions(_Open):
    codeunlearn: str
    torch: str
    transformers: str


class _Pairs(_Open):
    data: str
    kept: int


class _Record(_Open):
    """What the readers of ``training.json`` rely on."""

    kind: Literal["plain", "build", "grow", "joint"]
    base: str
    pairs: _Pairs
    environment: _Versions
    config: dict[str, Any] | None = None
    build: dict[str, Any] | None = None
    steps: int = 0
    source_prefix: str = ""
    unexplained_variance: float | None = None


def is_finished(out: Path) -> bool:
    """Whether ``out`` holds the whole model of a training, with its record."""
    return (out / RECORD).is_file() and holds_model(out)


def read_record(path: Path) -> dict[str, Any]:
    """The content of a ``training.json``.

    Raises:
        CodeUnlearnError: it is damaged.
    """
    read_state(_Record, path, "get the model again, or remove the file: the model works without it")
    return read_json_object(path)


def check_out(out: Path, *, reuse: bool = False) -> None:
    """Whether a training into ``out`` may begin or go on.

    Raises:
        CodeUnlearnError: it cannot be written to, holds a finished model (unless ``reuse``) or a model of something else.
    """
    if holds_model(out) and not reuse and (is_finished(out) or not (out / REQUEST).exists()):
        raise CodeUnlearnError(f"{out} already holds a finished model; choose another --out or remove it.")
    check_model_target(out)


def begin(out: Path, request: dict[str, Any], *, reuse: bool = False) -> dict[str, Any] | None:
    """Notes what is asked for, before anything is trained.

    Args:
        out: folder of the model to be.
        request: options by name, nested as may be.
        reuse: a finished model that was asked for with the same options is wanted, not refused.

    Returns:
        the record of a finished model that can be used again; None when there is something to train.

    Raises:
        CodeUnlearnError: as `check_out`; or what ``out`` holds was begun with other options, or is damaged.
    """
    check_out(out, reuse=reuse)
    asked, path = _flat(as_json(request)), out / REQUEST
    if path.exists() and (is_finished(out) or checkpoints(out)):
        _refuse_other(out, read_request(path, _ASKED, f"remove {out} and train again"), asked)
    elif processes().rank == 0:
        write_json(path, asked)
    return read_record(out / RECORD) if is_finished(out) else None


def forget_request(out: Path) -> None:
    """Removes the note of what was asked for, and the folder, where nothing else was made."""
    if out.is_dir() and [path.name for path in out.iterdir()] == [REQUEST]:
        (out / REQUEST).unlink()
        out.rmdir()


def weights_digest(folder: str) -> str | None:
    """SHA-256 of the weights in a folder; None for a name that is no folder."""
    return _digest(Path(folder).glob("*.safetensors"))


def other_files_digest(base: str) -> str | None:
    """What else a model is: SHA-256 of configuration and tokenizer in a folder, or the revision behind a Hub name."""
    folder = Path(base)
    if not folder.is_dir():
        return _revision(base)
    left_out = (RECORD, CARD)
    return _digest(
        path
        for path in folder.iterdir()
        if is_model_file(path.name) and path.suffix != ".safetensors" and path.name not in left_out
    )


def _digest(paths: Iterable[Path]) -> str | None:
    """Of the contents of files in the order of their names; None for no files."""
    files, digest = sorted(paths), hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest() if files else None


def _revision(name: str) -> str | None:
    if name.count("/") != 1:
        return None
    try:
        path = cached_file(name, "config.json")
    except (OSError, ValueError):  # there is no such model, as its opening will say
        return None
    return Path(path).parent.name if path else None


def _refuse_other(out: Path, begun: dict[str, Any], asked: dict[str, Any]) -> None:
    names = {name for name in {*begun, *asked} if name not in _FREE}
    if missing := _CONTENTS - begun.keys():
        names -= missing
        warnings.warn(
            f"{out} was begun by an older version, which noted data and base by name and size: make sure that they are the same.",
            stacklevel=3,
        )
    elif begun["data.sha256"] == asked["data.sha256"]:
        names -= {name for name in names if name.startswith("data.")}  # equal text, whatever its file is called
    if begun.get("base's weights") and begun["base's weights"] == asked.get("base's weights"):
        names.discard("base")
    begun = _ABSENT | begun if "source_prefix" in begun else begun
    for name in sorted(names):
        if begun.get(name) != asked.get(name):
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
