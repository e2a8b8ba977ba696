"""Runs a command or a call in this process and says how it ended: done, refused in a sentence, a traceback, or no end."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import stat
import sys
import traceback
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import typer

Kind = Literal["done", "refused", "traceback", "no end"]
SECONDS = 60.0  # much more than anything needs here, so that a busy machine fails nothing
SURROUNDINGS = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "2000"}
"""Nothing is asked of a network, forks are safe, and messages are not broken into lines by a narrow screen."""
_FRAME = "│╭╮╰╯─ \n"  # what typer draws around a usage error


@dataclass(frozen=True)
class Outcome:
    """How something ended.

    Attributes:
        kind: ``done``; ``refused`` by `CodeUnlearnError`, or by the command's exit code and an error of its own;
            ``traceback`` for any other exception; ``no end`` where it had to be stopped.
        result: what a call returned; None of a command.
        shown: standard output of a command.
        said: standard error of a command; of a call the message of its error.
        code: exit code of a command.
        trace: the traceback.
        changed: paths in the watched folder that are new, gone or different afterwards.
    """

    kind: Kind
    result: Any = None
    shown: str = ""
    said: str = ""
    code: int = 0
    trace: str = ""
    changed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The refusal: what stands behind ``Error:``, or typer's box in one line."""
        errors = [line for line in self.said.splitlines() if line.startswith("Error: ")]
        if errors:
            return errors[-1].removeprefix("Error: ")
        return self.said if self.code == 0 else " ".join(self.said.split())

    def names(self, name: str) -> bool:
        """Whether the refusal holds the name, or one of several between bars, however it was broken into lines."""
        return any(_unframed(one) in _unframed(self.sentence) for one in name.split("|"))


class _TooLong(BaseException):
    """Raised by the alarm, in a form that no library takes for its own."""


@contextmanager
def time_limit(seconds: float) -> Generator[None]:
    def stop(*_: Any) -> None:
        raise _TooLong

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def call(function: Callable[..., Any], *arguments: Any, seconds: float = SECONDS, **options: Any) -> Outcome:
    """A call of the library."""
    from codeunlearn.errors import CodeUnlearnError

    try:
        with time_limit(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Outcome("done", result=function(*arguments, **options))
    except CodeUnlearnError as error:
        return Outcome("refused", said=str(error))
    except _TooLong:
        return Outcome("no end", trace=f"no end within {seconds:g} s")
    except Exception as error:  # whatever it is, a user would see a traceback
        return Outcome("traceback", said=f"{type(error).__name__}: {error}", trace=traceback.format_exc())


def command(*arguments: object, stdin: bytes = b"", folder: Path | None = None, seconds: float = SECONDS) -> Outcome:
    """The command as a user gives it, but in this process; ``folder`` is where it runs."""
    from codeunlearn.cli.app import main

    _build_once()
    shown, said = _Text("strict"), _Text("backslashreplace")
    kind: Kind = "done"
    code, trace = 0, ""
    with _process(["codeunlearn", *map(str, arguments)], stdin, folder):
        try:
            with redirect_stdout(shown), redirect_stderr(said), time_limit(seconds), warnings.catch_warnings():
                warnings.simplefilter("default")
                main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
            kind = "refused" if code else "done"
        except _TooLong:
            kind, trace = "no end", f"no end within {seconds:g} s"
        except BaseException as error:  # whatever it is, a user would see a traceback
            if isinstance(error, KeyboardInterrupt):
                raise
            kind, trace = "traceback", traceback.format_exc()
    return Outcome(kind, shown=shown.text, said=said.text, code=code, trace=trace)


@cache
def _build_once() -> None:
    """Typer builds its commands at every call, which takes as long as most of what is tried here."""
    from codeunlearn.cli import app as module

    module.app = typer.main.get_command(module.app)  # pyright: ignore[reportAttributeAccessIssue]


class _Text(io.TextIOWrapper):
    """A standard stream as Python makes it, with a buffer for bytes; closing it keeps what was written."""

    def __init__(self, errors: str) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", errors=errors, newline="", write_through=True)

    def close(self) -> None: ...

    @property
    def text(self) -> str:
        return self._bytes.getvalue().decode("utf-8", "replace")


@contextmanager
def _process(argv: list[str], stdin: bytes, folder: Path | None) -> Generator[None]:
    """What a process of its own would have: arguments, input, folder; and what a command changes for all is put back."""
    import torch

    from codeunlearn.cli.console import output, screen

    earlier = sys.argv, sys.stdin, Path.cwd(), signal.getsignal(signal.SIGINT)
    sys.argv, sys.stdin = argv, io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    os.chdir(folder or earlier[2])
    try:
        yield
    finally:
        sys.argv, sys.stdin = earlier[:2]
        os.chdir(earlier[2])
        signal.signal(signal.SIGINT, earlier[3])
        torch.set_flush_denormal(False)
        for console in (screen, output):  # what could not be printed would come out before the next message
            console._buffer.clear()  # pyright: ignore[reportPrivateUsage]


def snapshot(folder: Path) -> dict[str, str]:
    """Every path below the folder with what it is: a digest of a file's content, the target of a link, a kind.

    Lock files are left out: they are empty, stay on purpose and mean nothing.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        name = str(path.relative_to(folder))
        if stat.S_ISREG(mode):
            if not (path.suffix == ".lock" and path.stat().st_size == 0):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(mode):
            found[name] = f"link to {os.readlink(path)}"
        else:
            found[name] = f"kind {stat.S_IFMT(mode):o}"
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


def _unframed(text: str) -> str:
    return "".join(c for c in text if c not in _FRAME).casefold()
