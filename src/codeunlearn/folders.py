"""Folders of ours change whole or not at all, and one process at a time writes to them.

A new folder is written beside the old one and takes its place in one step, so that a killed process leaves the old folder
or the new one. What the old folder held besides files of ours goes with it into the new one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_folder_target, to_disk, writing

SAVING_SECONDS = 600.0  # how long a process waits for another one that is saving to the same folder
_PATIENCE = 2.0  # seconds after which it says so
_NEW, _OLD = ".codeunlearn-new", ".codeunlearn-old"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux' renameat2


@contextmanager
def locked(folder: Path, *, wait: float = 0.0) -> Generator[None]:
    """Keeps other processes from a folder, or from what will be one; the lock of a killed process is free.

    The lock is a hidden empty file beside the folder, which stays there.

    Args:
        wait: seconds to wait for another process that has the folder.

    Raises:
        CodeUnlearnError: another process still has it.
    """
    target = folder.resolve()
    with writing(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = _lock_file(target)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o666))  # so that what the system says is not taken for a lock
        lock = FileLock(file, is_singleton=True)  # one for this process, so that blocks can be nested
        try:
            _acquire(lock, folder, wait)
        except Timeout:
            raise CodeUnlearnError(
                f"Another process is writing to {folder}; wait until it has finished, or choose another --out."
            ) from None
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, wait: float) -> None:
    try:
        lock.acquire(timeout=min(wait, _PATIENCE))
    except Timeout:
        if wait <= _PATIENCE:
            raise
        warnings.warn(f"Waiting for another process that is writing to {folder}.", stacklevel=4)
        lock.acquire(timeout=wait - _PATIENCE)


def _lock_file(target: Path) -> str:
    if _can_stand_beside(target):
        return str(_beside(target, ".lock"))
    return str(Path(tempfile.gettempdir()) / f"codeunlearn-{sha256(os.fsencode(target)).hexdigest()[:16]}.lock")


@contextmanager
def replacing_folder(path: Path, ours: Callable[[str], bool], last: str | None = None) -> Generator[Path]:
    """A folder to write in, whose files become those of ``path`` when the block ends; it goes when the block fails.

    A folder that holds files of ours is exchanged for the new one in one step. Where there are none, the files are moved
    in one after the other and ``last`` comes last. Nothing is lost that is not ours.

    Args:
        ours: whether a name in the folder is that of a file of ours, which a new folder replaces or leaves out.
        last: the file without which the others are not taken for a whole, if there is one.

    Raises:
        CodeUnlearnError: the place cannot be written to, or another process has it for too long.
    """
    check_folder_target(path)
    target = path.resolve()
    with locked(path, wait=SAVING_SECONDS), writing(path):
        _recover(target)
        made = not target.exists()
        exchanged = _holds(target, ours) and _can_stand_beside(target)
        if exchanged and Path.cwd().is_relative_to(target):
            raise CodeUnlearnError(
                f"{path} is replaced as a whole, and the command runs in it; run it from elsewhere, or choose another --out."
            )
        if not exchanged and last is not None and (target / last).exists():
            raise CodeUnlearnError(f"{path} cannot be replaced as a whole where it lies; name a new folder in it.")
        new = _beside(target, _NEW) if exchanged else target / _NEW

        def left_out(name: str) -> bool:
            return ours(name) or name == _NEW

        try:
            _make_anew(new)
            yield new
            _tree_to_disk(new)
            if exchanged:
                _carry_over(target, new, left_out)
                _take_place(new, target)
                if new.exists():  # now the old folder, to which something may have come meanwhile
                    _carry_over(new, target, left_out)
            else:
                _move_in(new, target, last)
        finally:
            with suppress(OSError):
                _remove(new)
            if made:
                with suppress(OSError):  # it is not empty, as it should be
                    target.rmdir()


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f".{target.name}{ending}")


def _can_stand_beside(target: Path) -> bool:
    return not os.path.ismount(target) and os.access(target.parent, os.W_OK | os.X_OK)


def _holds(target: Path, ours: Callable[[str], bool]) -> bool:
    return target.is_dir() and any(ours(entry.name) for entry in target.iterdir())


def _make_anew(folder: Path) -> None:
    """What a killed process left there goes."""
    _remove(folder)
    folder.mkdir(parents=True)


def _remove(folder: Path) -> None:
    """Takes a folder away, with folders in it that may not be written to."""
    for place, names, _ in os.walk(folder):
        for name in names:
            inner = Path(place) / name
            if not inner.is_symlink():
                inner.chmod(inner.stat().st_mode | stat.S_IRWXU)
    if folder.exists():
        shutil.rmtree(folder)


def _recover(target: Path) -> None:
    """Puts back a folder that a killed process had moved away and not yet replaced."""
    old = _beside(target, _OLD)
    if old.exists():
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)


def _tree_to_disk(folder: Path) -> None:
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            to_disk(Path(place) / name)
        to_disk(Path(place))


def _carry_over(old: Path, new: Path, ours: Callable[[str], bool]) -> None:
    """Gives the new folder what else the old one holds, by a second name for the same file where there can be one."""
    shutil.copymode(old, new)
    for entry in sorted(old.iterdir()):
        if not ours(entry.name) and not os.path.lexists(new / entry.name):
            _second_name(entry, new / entry.name)


def _second_name(old: Path, new: Path) -> None:
    if os.path.ismount(old):
        raise CodeUnlearnError(f"{old} is the root of another file system; take it away, or choose another --out.")
    if old.is_dir() and not old.is_symlink():
        new.mkdir()
        for entry in sorted(old.iterdir()):
            _second_name(entry, new / entry.name)
        shutil.copystat(old, new)  # at the end: a folder may be one that cannot be written to
        return
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:  # file systems without hard links, and files of others
        shutil.copy2(old, new, follow_symlinks=False)


def _take_place(new: Path, target: Path) -> None:
    """Afterwards ``new`` is what ``target`` was, or is gone."""
    if not _exchange(new, target):
        old = _beside(target, _OLD)
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    to_disk(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Whether two folders have changed places, in one step; False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    sys.audit("os.rename", str(one), str(other), -1, -1)  # as Python's own calls do
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _move_in(new: Path, target: Path, last: str | None) -> None:
    moved: list[Path] = []
    try:
        for entry in sorted(new.iterdir(), key=lambda entry: (entry.name == last, entry.name)):
            if entry.name == last:
                to_disk(target)
            moved.append(entry.replace(target / entry.name))
        to_disk(target)
    except BaseException:
        for path in reversed(moved):
            path.unlink(missing_ok=True)
        raise
