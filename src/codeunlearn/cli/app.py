"""The command ``codeunlearn``: one file per subcommand, assembled here.

Subcommands import what they need when they run, so that ``codeunlearn --help`` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import typer

from codeunlearn import __version__
from codeunlearn.cli import (
    apply,
    build,
    classify,
    demo,
    evaluate,
    forget,
    generate,
    recall,
    reproduce,
    restore,
    show,
    sweep,
    topics,
    train,
    translate,
)
from codeunlearn.cli.console import output, say, screen
from codeunlearn.cli.options import spread
from codeunlearn.cli.targets import checked
from codeunlearn.device import processes
from codeunlearn.errors import CodeUnlearnError

app = typer.Typer(
    name="codeunlearn",
    help="Training-free topic unlearning: find the codes of a topic, delete them, prove what changed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    demo,
    train,
    build,
    translate,
    generate,
    classify,
    recall,
    forget,
    evaluate,
    sweep,
    apply,
    restore,
    show,
    topics,
    reproduce,
):
    app.command(name=command.__name__.rpartition(".")[2])(checked(spread(command.run)))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codeunlearn {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the subcommand."""


class _Stopped(BaseException):
    """Ctrl-C or a request to end, in a form that no library below takes for its own; what was begun is cleared away.

    Attributes:
        code: of the exit.
    """

    def __init__(self, code: int) -> None:
        self.code = code


def _stop(number: int, _: object) -> None:
    raise _Stopped(128 + number)


def main() -> None:
    """Entry point: a user's mistake is one sentence on the screen, Ctrl-C and SIGTERM a clean stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    screen.quiet = output.quiet = processes().rank > 0  # of several processes, the first speaks
    try:
        app()
    except CodeUnlearnError as error:
        _fail(str(error))
    except _Stopped as stopped:
        say("\nStopped. Nothing is left half-written; train, sweep and reproduce go on when they are given again.")
        sys.exit(stopped.code)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{error.filename or 'The system'}: {error.strerror or error}.")


def _fail(message: str) -> NoReturn:
    say(" ".join(message.splitlines()), heading="Error: ", style="bold red")
    sys.exit(1)
