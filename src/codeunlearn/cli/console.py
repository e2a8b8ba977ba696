"""What the command shows: messages and progress go to stderr, results to stdout or a file."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codeunlearn.files import plain, write_json

screen = Console(stderr=True)
output = Console()
STDOUT = "-"


def quiet_libraries() -> None:
    """Their loading bars and notices would drown ours."""
    import datasets
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    logging.getLogger("datasets").setLevel(logging.ERROR)
    warnings.showwarning = _show_warning


def _show_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning):
        screen.print(f"Warning: {message}", style="yellow", markup=False, soft_wrap=True)


def say_if_finished(folder: Path) -> None:
    """Why a stage that takes minutes is over at once."""
    from codeunlearn.training.resuming import RECORD

    if (folder / RECORD).exists():
        screen.print(f"   {folder} is finished and is used again.", markup=False, highlight=False)


def emit_json(target: str | None, content: dict[str, Any]) -> None:
    """Machine-readable output: to a file, to stdout for ``-``, or nowhere."""
    if target == STDOUT:
        sys.stdout.write(json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n")
    elif target:
        write_json(Path(target), content)


@contextmanager
def progress(label: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar as a callback ``(done, total)``; nothing is drawn where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
