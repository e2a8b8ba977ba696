"""The command ``codeunlearn``: one file per subcommand, assembled here.

Subcommands import what they need when they run, so that ``codeunlearn --help`` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys

import typer

from codeunlearn import __version__
from codeunlearn.cli import (
    apply,
    build,
    demo,
    evaluate,
    forget,
    index,
    propose_topics,
    reproduce,
    restore,
    show,
    sweep,
    train,
    translate,
)
from codeunlearn.cli.console import output, screen
from codeunlearn.device import flush_denormals, keep_freed_memory, processes
from codeunlearn.errors import CodeUnlearnError

app = typer.Typer(
    name="codeunlearn",
    help="Training-free topic unlearning: find the codes of a topic, delete them, prove what changed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (demo, train, build, translate, index, forget, evaluate, sweep, apply, restore, show, reproduce):
    app.command(name=command.__name__.rpartition(".")[2])(command.run)
app.command(name="topics")(propose_topics.run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codeunlearn {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the subcommand."""


class _Interrupted(BaseException):
    """Ctrl-C, in a form that no library below takes for its own."""


def _interrupt(*_: object) -> None:
    raise _Interrupted


def main() -> None:
    """Entry point: a user's mistake is one sentence on the screen, Ctrl-C a clean stop."""
    signal.signal(signal.SIGINT, _interrupt)
    flush_denormals()
    keep_freed_memory()
    screen.quiet = output.quiet = processes().rank > 0  # of several processes, the first speaks
    try:
        app()
    except CodeUnlearnError as error:
        _say(str(error))
        sys.exit(1)
    except _Interrupted:
        screen.print("\nStopped. What was finished is kept; the same command goes on from the last checkpoint.")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _say(f"{error.filename or 'The system'}: {error.strerror or error}.")
        sys.exit(1)


def _say(error: str) -> None:
    escaped = error.replace("[", r"\[")
    screen.print(f"[bold red]Error:[/] {escaped}", highlight=False, soft_wrap=True)
