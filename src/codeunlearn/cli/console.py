"""What the command shows: messages and progress go to stderr, results to stdout or a file."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.text import Text

from codeunlearn.files import plain, write_json

STDOUT = "-"
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class PlainConsole(Console):
    """Shows every text as it is, also in tables: no markup, no emoji by name, and nothing that commands a terminal.

    What is to look otherwise is a `Text` with a style.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=segment.text.translate(_CONTROLS))


screen = PlainConsole(stderr=True)
output = PlainConsole()


def say(text: str, *, heading: str = "", style: str = "bold") -> None:
    """A line on the screen, however long, after a heading in a style of its own."""
    screen.print(Text.assemble((heading, style), text), soft_wrap=True)


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
        say("", heading=f"Warning: {message}", style="yellow")


def say_if_finished(folder: Path) -> None:
    """Why a stage that takes minutes is over at once."""
    from codeunlearn.training.resuming import is_finished

    if is_finished(folder):
        say(f"   {folder} is finished and is used again.")


def emit_json(target: str | None, content: dict[str, Any], *tables: RenderableType) -> None:
    """Machine-readable output: to a file, to stdout for ``-``, or nowhere; the tables go to stdout unless that does."""
    if target == STDOUT:
        sys.stdout.write(json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n")
        return
    if target:
        write_json(Path(target), content)
    for table in tables:
        output.print(table)


@contextmanager
def progress(label: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar as a callback ``(done, total)``; nothing is drawn where there is no terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
