"""Actions in forks of this process, which has imported all that takes long: a fork costs milliseconds, a process seconds."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killing import Writes
from outcome import SURROUNDINGS, Outcome

KILLED = -signal.SIGKILL
SECONDS = 120.0


@dataclass(frozen=True)
class Ended:
    """How a fork ended.

    Attributes:
        status: 0, or the negative of the signal that ended it.
        outcome: what its action returned; None where it was killed.
        writes: how many writes below the watched folder there were, where it was not killed.
    """

    status: int
    outcome: Outcome | None
    writes: int = 0


def prepare() -> None:
    """To be called before the first fork, and before anything is computed: a fork has only one of its parent's threads."""
    import huggingface_hub
    import pyarrow
    import torch

    os.environ.update(SURROUNDINGS)
    huggingface_hub.constants.HF_HUB_OFFLINE = True  # it read the environment when it was imported
    torch.set_num_threads(1)
    pyarrow.set_cpu_count(1)


class Fork:
    """One action in a fork that has begun.

    Args:
        action: what it does; its result goes back to this process.
        root: writes below are counted; None for no counting.
        number: of the write before which it dies; 0 lets it live.
        start: a time of `time.time` to wait for, so that several begin together.
    """

    def __init__(
        self, action: Callable[[], Outcome], root: Path | None = None, number: int = 0, start: float = 0.0
    ) -> None:
        handle, self._path = tempfile.mkstemp(prefix="fork-")
        os.close(handle)
        self.began = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(action, root, number, start)

    def _child(self, action: Callable[[], Outcome], root: Path | None, number: int, start: float) -> None:
        status = 1
        try:
            os.setsid()
            writes = Writes(root, number) if root is not None else None
            time.sleep(max(0.0, start - time.time()))
            outcome = action()
            Path(self._path).write_bytes(pickle.dumps((outcome, writes.seen if writes else 0)))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def wait(self, seconds: float = SECONDS) -> Ended:
        """How it ended; one that does not end is killed."""
        status = self._status(seconds)
        content = Path(self._path).read_bytes()
        Path(self._path).unlink()
        outcome, writes = pickle.loads(content) if content else (None, 0)  # written by this very program
        if outcome is None and status == KILLED and time.monotonic() - self.began > seconds:
            outcome = Outcome("no end", trace=f"no end within {seconds:g} s")
        return Ended(status, outcome, writes)

    def _status(self, seconds: float) -> int:
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() - self.began > seconds:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.003)


def in_fork(action: Callable[[], Outcome], root: Path | None = None, number: int = 0) -> Ended:
    return Fork(action, root, number).wait()


def at_once(actions: Sequence[Callable[[], Outcome]], delays: Sequence[float]) -> list[Ended]:
    """All of them together, each after its delay in seconds."""
    start = time.time() + 0.05
    forks = [Fork(action, start=start + delay) for action, delay in zip(actions, delays, strict=True)]
    return [fork.wait() for fork in forks]


def computed(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a fork, so that this process stays as it is."""
    ended = in_fork(lambda: Outcome("done", result=function(*arguments)))
    assert ended.outcome is not None, f"{function} failed"
    return ended.outcome.result
