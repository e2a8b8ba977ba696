"""Files of ours: read with one sentence for what is wrong with them, written whole or not at all."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from codeunlearn.errors import CodeUnlearnError


def exists(path: Path) -> bool:
    """Whether something stands there; False for what can be no name of a file: too long, or with a null byte."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths name the same place, links followed."""
    return one.samefile(other) if exists(one) and exists(other) else one.resolve() == other.resolve()


def check_is_file(path: Path) -> None:
    """Asked before opening, since a pipe would wait for its writer and a device may have no end.

    Raises:
        CodeUnlearnError: there is no such file, or it is a folder, pipe or device.
    """
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        raise CodeUnlearnError(f"There is no file {path}; check the name.") from None
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise CodeUnlearnError(f"{str(path)!r} cannot be read ({reason(error)}).") from error
    if not stat.S_ISREG(kind):
        raise CodeUnlearnError(
            f"{path} is a folder; name a file in it."
            if stat.S_ISDIR(kind)
            else f"{path} is a pipe or device, not a file; write its content to a file first."
        )


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        CodeUnlearnError: there is no such file, it is something else than a file, or its bytes are not UTF-8.
    """
    check_is_file(path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CodeUnlearnError(f"{path} is not UTF-8 text; it may be damaged or of another kind.") from None
    except OSError as error:
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
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        raise CodeUnlearnError(f"{path} is {_kind(mode)}, not a file that can be replaced; name another file.")
    _check_writable(path.parent)


def check_folder_target(path: Path) -> None:
    """Whether a folder can be made or written to at ``path``; a link to a folder stands for that folder.

    Raises:
        CodeUnlearnError: there is something else, or the place cannot be written to.
    """
    mode = _mode(path)
    if mode is not None and not path.is_dir():
        raise CodeUnlearnError(f"{path} is {_kind(mode)}, not a folder; choose another place.")
    _check_writable(path)


def _mode(path: Path) -> int | None:
    """What stands at a path, a link itself; None for nothing."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise CodeUnlearnError(f"{str(path)!r} cannot be written ({reason(error)}); choose another name.") from error


def _check_writable(folder: Path) -> None:
    """The nearest folder above that exists must be one, and let files be made in it."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise CodeUnlearnError(f"{folder} is not a folder; choose another place.")
    try:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError
        tempfile.TemporaryFile(dir=folder).close()  # some file systems say no only when they are tried
    except OSError as error:
        raise CodeUnlearnError(f"{folder} cannot be written to; choose another place.") from error


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A file to write beside ``path``, which becomes ``path`` when the block ends and is removed when it fails.

    A killed process leaves the old file; two at a time leave one of the two whole.

    Raises:
        CodeUnlearnError: as `check_target`, or there is no space.
    """
    check_target(path)
    unfinished = path.with_name(f".codeunlearn-{uuid4().hex[:12]}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
            to_disk(unfinished)
            unfinished.replace(path)
            to_disk(path.parent)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turns what the system says against writing at ``path`` into a sentence.

    Raises:
        CodeUnlearnError: the block could not write, as where there is no space.
    """
    try:
        yield
    except BrokenPipeError:  # of the screen, not of the file
        raise
    except OSError as error:
        raise CodeUnlearnError(f"{path} cannot be written ({reason(error)}).") from error


def named_after(path: Path, ending: str) -> Path:
    """A companion of a JSON file: ``love.json`` and ``love.v2`` with ``.csv`` are ``love.csv`` and ``love.v2.csv``."""
    return path.with_name(path.name.removesuffix(".json") + ending)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file whole or not at all; numbers that JSON cannot hold become null."""
    write_text(path, json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n")


def as_json(content: Any) -> Any:
    """As it comes back from a file: tuples are lists, and keys are text."""
    return json.loads(json.dumps(plain(content)))


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
    """``path``, if what stands there lies in ``folder``, links followed; to be asked before anything there is written or removed.

    Raises:
        CodeUnlearnError: it lies elsewhere, is a link, or is the folder itself.
    """
    root, place = folder.resolve(), path.resolve()
    if path.is_symlink() or place == root or not place.is_relative_to(root):
        raise CodeUnlearnError(
            f"{path} is no file or folder within {folder}, so it is neither written nor removed; look what it is."
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


def to_disk(path: Path) -> None:
    """So that a file's content, or the names in a folder, outlive a crash of the machine."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder on Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing for folders
            raise
    finally:
        os.close(handle)


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISREG, "a file"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISFIFO, "a pipe"),
    )
    return next((name for test, name in kinds if test(mode)), "a device or socket")
