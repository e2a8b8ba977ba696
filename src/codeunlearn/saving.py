"""Saved models: a folder holds one whole model or none, also where a process is killed or two save at a time."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_folder_target, read_json
from codeunlearn.folders import replacing_folder

CONFIG = "config.json"  # without which nothing loads as a model
RECORD = "training.json"  # how the model was made
CARD = "README.md"
_OURS = re.compile(
    r"config\.json|generation_config\.json|training\.json|README\.md|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt"
    r"|(spiece|source|target|sentencepiece\.bpe|tokenizer)\.(model|spm)|chat_template\.(jinja|json)"
)


def is_model_file(name: str) -> bool:
    """Whether a file of this name belongs to a saved model, so that saving another one in its place replaces it."""
    return _OURS.fullmatch(name) is not None


def holds_model(folder: Path) -> bool:
    """Whether something in the folder would be opened as a model."""
    return (folder / CONFIG).is_file()


def check_model_target(out: Path) -> None:
    """Whether a model can be saved in a folder without taking a file of the user's away; to be asked before the work.

    Raises:
        CodeUnlearnError: it cannot be written to, or holds files of these names that are of no model.
    """
    check_folder_target(out)
    if not out.is_dir():
        return
    if holds_model(out):
        if not _is_model_config(out / CONFIG):
            raise CodeUnlearnError(f"{out / CONFIG} is of no model; choose another --out, or remove the file.")
        return
    entries = {entry.name for entry in out.iterdir()}
    strangers = sorted(name for name in entries if is_model_file(name))
    if strangers and not any(name.startswith(".codeunlearn-") or name == "run.json" for name in entries):
        raise CodeUnlearnError(
            f"{out} holds no model but a {strangers[0]}, which a model would replace; choose another --out."
        )


def _is_model_config(path: Path) -> bool:
    try:
        content = read_json(path)
    except CodeUnlearnError:
        return False
    return isinstance(content, dict) and bool({"model_type", "architectures"}.intersection(content))  # pyright: ignore[reportUnknownArgumentType]


@contextmanager
def saving(out: Path) -> Generator[Path]:
    """A folder to save a model in, which becomes the model of ``out`` when the block ends.

    What is to stand beside the model (record, card) is written in the block too. When the block fails, ``out`` is as it was.
    A killed process leaves the old model or the new one, and nothing that opens as a model where there was none.

    Raises:
        CodeUnlearnError: the place cannot be written to, or another process is saving there for too long.
    """
    with replacing_folder(out, is_model_file, CONFIG) as folder:
        yield folder
