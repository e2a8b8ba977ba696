"""Options that several subcommands share, and the YAML file that can set any option."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import typer

from codeunlearn.cli.targets import folder
from codeunlearn.errors import CodeUnlearnError

if TYPE_CHECKING:
    from codeunlearn.corpus.loading import DataConfig


def read_config(context: typer.Context, value: Path | None) -> Path | None:
    """Takes defaults from a YAML file whose keys are option names; the command line overrules them.

    Raises:
        CodeUnlearnError: a key is no option of the command, or its value is not what the option takes.
    """
    if value is None:
        return None
    from codeunlearn.reading import checked, read_yaml

    wanted = _option_types(context)
    settings: dict[str, Any] = {}
    for key, setting in read_yaml(value).items():
        name = key.replace("-", "_")
        if name not in wanted:
            raise CodeUnlearnError(f"The configuration {value} sets {key!r}, which this command does not have.")
        if name in settings:
            raise CodeUnlearnError(f"The configuration {value} sets {key!r} twice, with and without a dash.")
        settings[name] = checked(wanted[name], setting, f"The configuration {value}: {key}")
    context.default_map = {**(context.default_map or {}), **settings}
    return value


def _option_types(context: typer.Context) -> dict[str, Any]:
    """What each option of the command takes, as YAML has it: paths are texts, and lists are tuples."""
    hints = get_type_hints(inspect.unwrap(cast(Callable[..., Any], context.command.callback)))
    names = [str(parameter.name) for parameter in context.command.params]
    return {name: _as_written(hints[name]) for name in names if name in hints and name != "config"}


def _as_written(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(map(_as_written, get_args(hint)))]  # noqa: UP007
    if get_origin(hint) is list:
        return tuple[_as_written(get_args(hint)[0]), ...]
    return str if hint is Path else hint


Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file with option values.", callback=read_config, is_eager=True),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="`tatoeba` or `stories` (in the package), a .tsv, .csv, .jsonl (or .gz) or .parquet file, or a Hub data set.",
    ),
]
DataSetConfig = Annotated[
    str | None, typer.Option("--data-config", help="Configuration of a Hub data set, such as en-fr.")
]
SourceColumn = Annotated[str | None, typer.Option("--source-column", help="Column of the source side: name or number.")]
TargetColumn = Annotated[str | None, typer.Option("--target-column", help="Column of the target side: name or number.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Read at most so many pairs.", min=1, max=2**31 - 1)]
SourcePrefix = Annotated[
    str | None,
    typer.Option(
        "--source-prefix", help="Put before every source, as pretrained T5 expects; the base's own if absent."
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides everything random.", min=0, max=2**32 - 1)]
Json = Annotated[str | None, typer.Option("--json", help="Write the result as JSON to this file; - is stdout.")]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Write JSON, figures and a self-contained page into this folder.",
        parser=folder,
        metavar="DIRECTORY",
    ),
]
TopicName = Annotated[str, typer.Option("--topic", help="The word to forget, or the name of a topic given otherwise.")]
Forms = Annotated[str | None, typer.Option("--forms", help="The topic's surface forms, separated by commas.")]
Sentences = Annotated[Path | None, typer.Option("--sentences", help="File with the topic's sentences, one a line.")]
TargetWords = Annotated[
    str | None,
    typer.Option("--target-words", help="The topic's words on the target side; learned from the data if absent."),
]
Neighbours = Annotated[
    str | None,
    typer.Option("--neighbours", help="Related words to report on, separated by commas; proposed if absent."),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the result.", parser=folder, metavar="DIRECTORY")]


def given(**options: Any) -> dict[str, Any]:
    """The options that were set; dataclass defaults stand for the others."""
    return {name: value for name, value in options.items() if value is not None}


def words(listed: str | None) -> tuple[str, ...]:
    """The items of a comma-separated list."""
    return tuple(item.strip() for item in (listed or "").split(",") if item.strip())


def data_config(
    data: str, config: str | None, source_column: str | None, target_column: str | None, limit: int | None
) -> DataConfig:
    from codeunlearn.corpus.loading import DataConfig

    return DataConfig(data, config, source_column, target_column, limit)


def command_line() -> str:
    """The command as it was given, for the record; folders are left out of paths."""
    import shlex
    import sys

    parts = [Path(part).name if "/" in part and Path(part).is_absolute() else part for part in sys.argv[1:]]
    return shlex.join(["codeunlearn", *parts])
