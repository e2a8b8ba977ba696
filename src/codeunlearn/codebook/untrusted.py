"""What a model's files may ask for: weights and settings, never code.

transformers follows what the small JSON files beside the weights say: classes in Python files, kernels of the Hub,
quantisation backends, adapters of another model, weights under any path. A stranger's folder must not decide that, so
everything of the kind is refused before transformers reads the folder.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from safetensors import safe_open
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # pyright: ignore[reportPrivateImportUsage]
from transformers.utils.hub import cached_file

from codeunlearn.codebook.quantised import QUANTISATION, check_quantisation
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import read_json_object, reason
from codeunlearn.validation import Field, Shape, validated

CONFIG, GENERATION, TOKENIZER = "config.json", "generation_config.json", "tokenizer_config.json"
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_SETTINGS = (CONFIG, GENERATION, TOKENIZER)
_READ = {".json", ".safetensors", ".model", ".txt", ".jinja", ".spm"}
"""Endings of the files in a model's folder that transformers opens."""
_CODE = "auto_map"
"""The key that names classes in Python files beside the weights."""
_NAMES_CODE = {
    _CODE: "Python code of its own",
    "custom_pipelines": "Python code of its own",
    "custom_generate": "Python code of its own",
    "trust_remote_code": "Python code of its own",
    QUANTISATION: "a quantisation backend",
    "kernel_config": "a kernel",
    "use_kernels": "a kernel",
    "fusion_config": "patches of its modules",
    "distributed_config": "a distributed layout",
    "device_map": "a distributed layout",
    "transformers_weights": "weights under another name",
    "gguf_file": "weights under another name",
    "tokenizer_object": "a tokenizer under another name",
    "init_inputs": "a tokenizer under another name",
}
_IMPLEMENTATION = re.compile(r"_?(attn|experts)_implementation(_internal)?")
_IMPLEMENTATIONS = (None, "eager", "sdpa")
_TOKENIZER_CLASS = re.compile(
    r"(?!Auto|Rag)\w+(Tokenizer|TokenizerFast)|TokenizersBackend|PythonBackend|SentencePieceBackend"
)
_BUFFERS = {".codebook.deleted": {"BOOL"}, ".codebook.code_ids": {"I64"}}
_FLOATS = {"F16", "BF16", "F32", "F64"}
_TYPES = {"float32", "float16", "bfloat16", "float64"}


class _Index(Shape, extra="allow"):
    """``model.safetensors.index.json``."""

    weight_map: dict[str, str] = Field(min_length=1)


def check_source(name: str, revision: str | None = None) -> dict[str, dict[str, Any]]:
    """What the model's small files hold, by their names, if nothing in them asks for more than weights and settings.

    Args:
        name: folder or Hub name; of a Hub name the small files are downloaded, as transformers would do next.
        revision: branch, tag or commit of the Hub's.

    Raises:
        CodeUnlearnError: a file cannot be read, lies elsewhere, or asks for code.
    """
    find = _check_folder(Path(name)) if Path(name).is_dir() else _downloaded(name, revision)
    if find("adapter_config.json"):
        raise CodeUnlearnError(
            f"{name} holds an adapter (adapter_config.json); merge it into its model and save that as a model of its own."
        )
    found: dict[str, dict[str, Any]] = {}
    for file in _SETTINGS:
        if (path := find(file)) is not None:
            found[file] = read_json_object(path)
            _check_settings(_without_ignored(found[file]) if file == CONFIG else found[file], f"{file} of {name}")
    check_quantisation(found.get(CONFIG, {}), f"{CONFIG} of {name}")
    if (path := find(_INDEX)) is not None:
        _check_shards(path, name)
    return found


def _without_ignored(settings: dict[str, Any]) -> dict[str, Any]:
    """A ``config.json`` without what does nothing here, or is checked by itself.

    Of a type that transformers has itself, it makes its own classes and never looks at the files that ``auto_map`` names,
    unless ``trust_remote_code`` is given. Many folders of the Hub have both, such as Phi-3's.
    """
    native, code = settings.get("model_type"), settings.get(_CODE)
    ignored = {QUANTISATION}
    if isinstance(native, str) and native in CONFIG_MAPPING_NAMES and isinstance(code, dict):
        ignored.add(_CODE)
    return {key: value for key, value in settings.items() if key not in ignored}


def drop_code(config: Any) -> None:
    """Takes the names of code that was ignored out of a configuration, so that no copy of the model names it."""
    vars(config).pop(_CODE, None)


def _check_settings(settings: dict[str, Any], where: str) -> None:
    for key, value in _nested(settings):
        if key in _NAMES_CODE and value not in (None, False, [], {}):
            raise CodeUnlearnError(f"{where} asks for {_NAMES_CODE[key]} ({key}), which is never loaded from a model.")
        if _IMPLEMENTATION.fullmatch(key) and value not in _IMPLEMENTATIONS:
            raise CodeUnlearnError(f"{where} asks for a kernel ({key}: {value!r}), which is never loaded from a model.")
        if key == "tokenizer_class" and value is not None and not _TOKENIZER_CLASS.fullmatch(str(value)):
            raise CodeUnlearnError(f"{where} names {value!r} as the class of its tokenizer, which is none.")
        if key in ("dtype", "torch_dtype") and value is not None and value not in _TYPES:
            raise CodeUnlearnError(
                f"{where} names {value!r} as the type of its weights; they can be {_listed(_TYPES)}."
            )


def _nested(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """All keys with their values, however deep."""
    waiting: list[Any] = [settings]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from cast(dict[str, Any], part).items()
            waiting.extend(cast(dict[str, Any], part).values())
        elif isinstance(part, list):
            waiting.extend(cast(list[Any], part))


def _check_shards(path: Path, name: str) -> None:
    index = validated(_Index, read_json_object(path), f"{path.name} of {name}")
    for shard in sorted(set(index.weight_map.values())):
        if not re.fullmatch(r"[\w.-]+\.safetensors", shard):
            raise CodeUnlearnError(
                f"{path.name} of {name} takes weights from {shard!r}; they may come from *.safetensors in the folder alone."
            )


def _check_folder(folder: Path) -> Callable[[str], Path | None]:
    """Finds files in a folder whose files are its own."""
    own = folder.resolve()
    # The Hub's cache keeps the files of all revisions of one model in `blobs`, and links to them.
    roots = (own, own.parent.parent / "blobs") if own.parent.name == "snapshots" else (own,)
    for path in sorted(folder.iterdir()):
        if path.suffix not in _READ:
            continue
        if re.match(r"shard-\d+-model-", path.name):
            raise CodeUnlearnError(
                f"{folder} holds a distributed checkpoint ({path.name}); save it as one model first."
            )
        target = path.resolve()
        if not any(target.is_relative_to(root) for root in roots):
            raise CodeUnlearnError(
                f"{path} is a link to a file outside of the model's folder; put the file itself there."
            )
        if target.exists() and not (stat.S_ISREG(target.stat().st_mode) or target.is_dir()):
            raise CodeUnlearnError(f"{path} is neither a file nor a folder; a model cannot be read from it.")

    def find(file: str) -> Path | None:
        return folder / file if (folder / file).exists() else None

    return find


def check_weights(folder: Path) -> None:
    """That a folder holds weights that can be opened safely.

    Raises:
        CodeUnlearnError: it holds none, or pickled ones.
    """
    if (folder / _WEIGHTS).exists() or (folder / _INDEX).exists():
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt"))
    if pickles:
        raise CodeUnlearnError(
            f"The weights in {folder} are pickled ({pickles[0]}), and opening them could run code; save the model again as "
            "safetensors."
        )
    raise CodeUnlearnError(f"The model in {folder} cannot be opened: it holds no {_WEIGHTS}.")


def check_types(folder: Path, *, packed: bool = False) -> None:
    """That each tensor of a model, with or without a bottleneck, is in the kind of numbers that it should be in.

    transformers would convert it in silence.

    Args:
        packed: weights may be quantised ones, in bytes.

    Raises:
        CodeUnlearnError: one is of another type.
    """
    weights = _FLOATS | {"U8"} if packed else _FLOATS
    for path in [folder / _WEIGHTS] if (folder / _WEIGHTS).exists() else sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                wanted = next((types for end, types in _BUFFERS.items() if key.endswith(end)), weights)
                if (found := file.get_slice(key).get_dtype()) not in wanted:
                    raise CodeUnlearnError(
                        f"{path} holds {key} as {found}, and it should be {_listed(wanted)}; it was changed, or not saved by "
                        "codeunlearn."
                    )


def commit_of(name: str, revision: str | None = None) -> str | None:
    """The commit of the Hub that a revision stands for now, so that all files are taken from one; None of a folder."""
    if Path(name).is_dir():
        return None
    path = _downloaded(name, revision)(CONFIG)
    return revision if path is None else path.parent.name


def commit_in_cache(name: str) -> str | None:
    """As `commit_of` of the newest, as it was when it was opened last; None where it never was. Asks no Hub."""
    if Path(name).is_dir():
        return None
    silent = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    path = cached_file(name, CONFIG, local_files_only=True, **silent)
    return None if path is None else Path(path).parent.name


def local_folder(name: str, revision: str | None = None) -> Path:
    """The folder itself, or that in the cache where a Hub model's files are."""
    path = Path(name) if Path(name).is_dir() else _downloaded(name, revision)(CONFIG)
    if path is None:
        raise CodeUnlearnError(f"The model {name} cannot be opened: it has no {CONFIG}.")
    return path if path.is_dir() else path.parent


def _downloaded(name: str, revision: str | None) -> Callable[[str], Path | None]:
    def find(file: str) -> Path | None:
        try:
            path = cached_file(name, file, revision=revision, _raise_exceptions_for_missing_entries=False)
        except (OSError, ValueError) as error:
            raise CodeUnlearnError(f"The model {name} cannot be opened: {reason(error)}.") from error
        return None if path is None else Path(path)

    return find


def _listed(items: set[str]) -> str:
    return ", ".join(sorted(items))
