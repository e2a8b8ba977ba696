"""Files of ours: read with one sentence for what is wrong with them, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from codeunlearn.errors import CodeUnlearnError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        CodeUnlearnError: there is no such file, it is something else than a file, or its bytes are not UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CodeUnlearnError(f"{path} is not a file; name one.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CodeUnlearnError(f"There is no file {path}; check the name.") from None
    except UnicodeDecodeError:
        raise CodeUnlearnError(f"{path} is not UTF-8 text; it may be damaged or of another kind.") from None
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise CodeUnlearnError(f"{path} cannot be read ({reason(error)}).") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        CodeUnlearnError: as `read_text`, or the text is not JSON, as where a file was cut.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodeUnlearnError(f"{path} is damaged: it is not JSON ({reason(error)}).") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """As `read_json`, for a file that holds ``{...}``."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise CodeUnlearnError(f"{path} is damaged: it holds no JSON object.")
    return content  # pyright: ignore[reportUnknownVariableType]


def check_target(path: Path) -> None:
    """Whether a file can be written at ``path``; to be asked before the work whose result goes there.

    Raises:
        CodeUnlearnError: there is a folder, a device, a pipe or a link, or the place cannot be written to.
    """
    try:
        kind = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        kind = stat.S_IFREG
    except (OSError, ValueError) as error:
        raise CodeUnlearnError(f"{str(path)!r} cannot be written ({reason(error)}); name another file.") from error
    if not stat.S_ISREG(kind):
        raise CodeUnlearnError(f"{path} is {_kind(kind)}, not a file that can be replaced; name another file.")
    _check_writable(path.parent)


def _check_writable(folder: Path) -> None:
    """The nearest folder above that exists must be one, and let files be made in it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise CodeUnlearnError(f"{folder} is a file, not a folder; choose another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CodeUnlearnError(f"{folder} cannot be written to; choose another place.")


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A file to write beside ``path``, which becomes ``path`` when the block ends and is removed when it fails.

    A killed process leaves the old file; two at a time leave one of the two whole.

    Raises:
        CodeUnlearnError: as `check_target`.
    """
    check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        yield unfinished
        _to_disk(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file whole or not at all; numbers that JSON cannot hold become null."""
    write_text(path, json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n")


def plain(content: Any) -> Any:
    """The same content with numbers that JSON cannot hold (nan, infinity) as None."""
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, dict):
        return {key: plain(value) for key, value in cast(dict[Any, Any], content).items()}
    if isinstance(content, (list, tuple)):
        return [plain(item) for item in cast(list[Any], content)]
    return content


def inside(folder: Path, path: Path) -> Path:
    """``path``, if what stands there lies in ``folder``, links followed; to be asked before anything is removed.

    Raises:
        CodeUnlearnError: it lies elsewhere, is a link, or is the folder itself.
    """
    root, place = folder.resolve(), path.resolve()
    if path.is_symlink() or place == root or not place.is_relative_to(root):
        raise CodeUnlearnError(
            f"{path} is no file or folder within {folder}, so that it is not removed; look what it is."
        )
    return path


def is_file_name(name: str) -> bool:
    """Whether a file or folder can be called so: it is one part of a path, not too long and not hidden."""
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= 100
        and name.isprintable()
        and name == name.strip()
        and not name.startswith(".")
        and not set(name) & set("/\\")
    )


def reason(error: BaseException) -> str:
    """The first line of an error, for the end of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def _to_disk(path: Path) -> None:
    """So that a file is not renamed into place before its content would outlive a crash of the machine."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISLNK, "a symbolic link"), (stat.S_ISFIFO, "a pipe"))
    return next((name for test, name in kinds if test(mode)), "a device or socket")
