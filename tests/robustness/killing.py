"""Processes that die by SIGKILL just before a write of their choice, to see what they leave behind.

Every change to the names below a folder counts, and every opening for writing: Python announces them all to audit hooks.
Files of weights are written by a library in one go; they count once before they exist and once half-written.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers.modeling_utils

_CHANGES = {
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
}
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MOST = 2000


class Writes:
    """Counts the writes of this process below ``root``, and ends it at one of them.

    Args:
        number: of the write before which the process dies, from 1; 0 lets it live.
    """

    def __init__(self, root: Path, number: int = 0) -> None:
        self.root, self.number, self.seen = os.path.realpath(root), number, 0
        sys.addaudithook(self._look)
        self._watch_weights()

    def count(self) -> bool:
        """Whether this is the write at which to die."""
        self.seen += 1
        return self.seen == self.number

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            paths = [path] if isinstance(flags, int) and flags & _FOR_WRITING else []
        else:
            paths = list(arguments[: _CHANGES.get(event, 0)])
        # A name may be relative to a folder that is open; its number comes last.
        folder = arguments[-1] if event in _CHANGES and isinstance(arguments[-1], int) else -1
        if any(self._is_below(path, folder) for path in paths) and self.count():
            die()

    def _is_below(self, path: Any, folder: int) -> bool:
        if isinstance(path, int):
            path = f"/proc/self/fd/{path}"
        text = os.fsdecode(path)
        if not os.path.isabs(text) and folder >= 0:
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        return os.path.abspath(text).startswith(self.root + os.sep)

    def _watch_weights(self) -> None:
        save = safetensors.torch.save_file

        def watched(tensors: Any, filename: Any, *args: Any, **options: Any) -> None:
            if self.count():
                die()
            save(tensors, filename, *args, **options)
            if self.count():
                os.truncate(filename, Path(filename).stat().st_size // 2)
                die()

        safetensors.torch.save_file = watched
        transformers.modeling_utils.safe_save_file = watched  # pyright: ignore[reportPrivateImportUsage]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_fork(action: Callable[[], object], root: Path, number: int = 0) -> int:
    """Runs an action in a fork that dies before its ``number``-th write below ``root``.

    Returns:
        0 when the action ended, -9 when it was killed, 1 when it failed (its traceback is on stderr).
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)  # a fork has only one of its parent's threads
            Writes(root, number)
            action()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at_every_write(action: Callable[[], object], root: Path) -> Iterator[int]:
    """Kills the action at its first write below ``root``, then at its second, until one run ends by itself.

    Between two numbers the caller looks at what is left, and puts things back as they were.

    Yields:
        the number of the write.

    Raises:
        AssertionError: the action failed.
    """
    for number in range(1, _MOST):
        status = in_a_fork(action, root, number)
        assert status in (0, -signal.SIGKILL), f"the action failed when it was to die at its write {number}"
        if status == 0:
            return
        yield number
    raise AssertionError(f"the action still writes after {_MOST} writes")
