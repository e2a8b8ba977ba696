"""What a commit leaves behind: what lies near a model and still holds what was taken out of it.

Looked at are the model's folder, the new one, the forget sets, and what lies directly in and beside these. Nothing is
deleted. Copies elsewhere, backups and the text itself are not found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from codeunlearn.codebook import require_bottleneck
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import named_after, read_json_object
from codeunlearn.saving import RECORD, holds_model, is_model_file
from codeunlearn.training.checkpoints import checkpoints
from codeunlearn.unlearning.forget_set import FORMAT

_OTHER_WEIGHTS = frozenset({".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf"})
_LARGEST_JSON = 16_000_000  # bytes; a forget set or an evaluation is smaller
_MOST_ENTRIES = 10_000  # of a folder


@dataclass(frozen=True)
class Leftover:
    """A file or folder that still holds something of a topic.

    Attributes:
        path: where it lies.
        holds: what of the topic is in it.
    """

    path: str
    holds: str


@dataclass(frozen=True, eq=False)
class DeletedRows:
    """The rows that a commit is about to take away, by which copies of them are known again.

    Attributes:
        ids: code ids, M of them.
        rows: [M, F] in bf16.
        topics: names of the topics that they are of.
    """

    ids: tuple[int, ...]
    rows: Tensor
    topics: tuple[str, ...]

    @classmethod
    def of(cls, model: Any) -> DeletedRows:
        """Those of a model before its commit."""
        bottleneck = require_bottleneck(model)
        codebook, deleted = bottleneck.codebook, bottleneck.codebook.deleted
        rows = codebook.weight.detach()[deleted].to("cpu", torch.bfloat16).clone()
        topics = tuple(dict.fromkeys(str(entry["topic"]) for entry in bottleneck.config.ledger))
        return cls(tuple(codebook.code_ids[deleted].tolist()), rows, topics)

    def number_in(self, folder: Path) -> int:
        """How many of them the safetensors files of a folder hold, value for value."""
        return sum(map(self._number_in_file, folder.glob("*.safetensors")))

    def _number_in_file(self, path: Path) -> int:
        try:
            with safe_open(path, "pt") as file:
                weight, ids = (
                    next((file.get_tensor(key) for key in file.keys() if key.endswith(name)), None)  # noqa: SIM118
                    for name in ("codebook.weight", "codebook.code_ids")
                )
        except (SafetensorError, OSError):
            return 0
        if weight is None or weight.ndim != 2 or weight.shape[1] != self.rows.shape[1]:
            return 0
        own = range(len(weight)) if ids is None else ids.tolist()
        places = {code: place for place, code in enumerate(own)}
        found = [
            (row, places[code]) for row, code in enumerate(self.ids) if places.get(code, len(weight)) < len(weight)
        ]
        if not found:
            return 0
        mine, theirs = (list(column) for column in zip(*found, strict=True))
        return int((self.rows[mine] == weight[theirs].to(torch.bfloat16)).all(dim=1).sum())


def leftovers(deleted: DeletedRows, origin: str, out: Path, forget_sets: Sequence[Path]) -> list[Leftover]:
    """What still holds the topics after a commit of ``origin`` into ``out``, nearest first.

    Args:
        deleted: from before the commit.
        origin: the model that was committed, a folder or a Hub name.
        out: the folder of the result; its old model, if there was one, is replaced.
        forget_sets: the files by which the topics were forgotten.
    """
    found: dict[str, str] = {}
    source = Path(origin)
    if source.is_dir():
        _add(found, source, _in_model(source, deleted))
        _look_inside(found, source, deleted)
        names = (_base_of(source),)
    else:
        found[origin] = "the model on the Hub and its copy in the cache hold the rows"
        names = ()
    if out.is_dir():
        _look_inside(found, out, deleted)
    for path in forget_sets:
        found[str(path)] = _FORGET_SET
        for companion in (named_after(path, ".curve.json"), named_after(path, ".curve.csv")):
            if companion.is_file():
                found[str(companion)] = "a curve, which names the topic"
    near = dict.fromkeys(
        place.resolve().parent for place in (*([source] if source.is_dir() else []), out, *forget_sets)
    )
    for folder in near:
        for entry in _entries(folder):
            if entry.resolve() not in {Path(known).resolve() for known in (out, *found)}:
                _add(found, entry, _in_entry(entry, deleted, names))
    return [Leftover(path, holds) for path, holds in found.items()]


_FORGET_SET = "a forget set, which holds the topic's forms and tokens"


def _add(found: dict[str, str], path: Path, holds: str) -> None:
    if holds:
        found[str(path)] = holds


def _look_inside(found: dict[str, str], folder: Path, deleted: DeletedRows) -> None:
    """What lies in the folder of a model beside the model's own files."""
    if checkpoints(folder):
        found[str(folder / "checkpoints")] = "checkpoints of the training hold the rows as they were then"
    for entry in _entries(folder):
        if entry.name == ".git":
            found[str(entry)] = "its history keeps earlier versions of the files"
        elif entry.suffix in _OTHER_WEIGHTS:
            found[str(entry)] = "weights in another format, which were not looked into"
        elif entry.name == "plain" and holds_model(entry):
            found[str(entry)] = "the plain model of the training, from which nothing was taken"
        elif not is_model_file(entry.name) and entry.name != "checkpoints":
            _add(found, entry, _in_entry(entry, deleted, ()))


def _in_entry(path: Path, deleted: DeletedRows, bases: Collection[str]) -> str:
    if path.is_dir():
        return _in_folder(path, deleted, bases)
    if path.suffix == ".json" and _topic_of(path, deleted.topics):
        return _FORGET_SET if _content(path).get("format") == FORMAT else "results, which name the topic and its words"
    return ""


def _in_folder(folder: Path, deleted: DeletedRows, bases: Collection[str]) -> str:
    if (folder / "index.json").is_file() and any(folder.glob("codes-*.arrow")):
        return "an index of an older version, which holds the sentences of its text in clear"
    if (folder / "stages").is_dir():
        return "a reproduction, which holds sentences, controls and translations of its topics"
    if any(_topic_of(folder / name, deleted.topics) for name in ("forget_set.json", "evaluation.json")):
        return "a report, which holds the topic's words and example sentences"
    if _sweeps(folder / "sweep.json", deleted.topics):
        return "a sweep, which names the topic and its scores"
    if folder.name in bases and holds_model(folder):
        return "the model from which it was trained, from which nothing was taken"
    return _in_model(folder, deleted)


def _in_model(folder: Path, deleted: DeletedRows) -> str:
    number = deleted.number_in(folder)
    return f"a copy of the model that holds {number:,} of the {len(deleted.ids):,} rows" if number else ""


def _base_of(folder: Path) -> str:
    return str(_content(folder / RECORD).get("base", ""))


def _topic_of(path: Path, topics: Collection[str]) -> bool:
    return path.is_file() and _content(path).get("topic") in topics


def _sweeps(path: Path, topics: Collection[str]) -> bool:
    content = _content(path)
    rows = content.get("curves", content.get("rows"))  # as older versions call them
    return isinstance(rows, list) and any(isinstance(row, dict) and row.get("topic") in topics for row in rows)


def _content(path: Path) -> dict[str, Any]:
    """Of a file of JSON; empty for anything else."""
    try:
        return read_json_object(path) if path.is_file() and path.stat().st_size <= _LARGEST_JSON else {}
    except (CodeUnlearnError, OSError):
        return {}


def _entries(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(folder.iterdir())
    except OSError:
        return
    yield from names[:_MOST_ENTRIES]
