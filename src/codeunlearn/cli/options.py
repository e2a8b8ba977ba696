"""Options that several subcommands share, and the YAML file that can set any option."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.reproduction.reading import read_yaml

if TYPE_CHECKING:
    from codeunlearn.corpus.loading import DataConfig


def read_config(context: typer.Context, value: Path | None) -> Path | None:
    """Takes defaults from a YAML file whose keys are option names; the command line overrules them."""
    if value is None:
        return None
    settings = {str(key).replace("-", "_"): setting for key, setting in read_yaml(value).items()}
    known = {parameter.name for parameter in context.command.params}
    if unknown := sorted(set(settings) - known):
        raise CodeUnlearnError(f"The configuration {value} sets {unknown[0]!r}, which this command does not have.")
    context.default_map = {**(context.default_map or {}), **settings}
    return value


Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file with option values.", callback=read_config, is_eager=True),
]
Data = Annotated[
    str,
    typer.Option(
        "--data", help="`stories` (embedded), a .tsv, .csv, .jsonl (or .gz) or .parquet file, or a Hub data set."
    ),
]
DataSetConfig = Annotated[
    str | None, typer.Option("--data-config", help="Configuration of a Hub data set, such as en-fr.")
]
SourceColumn = Annotated[str | None, typer.Option("--source-column", help="Column of the source side: name or number.")]
TargetColumn = Annotated[str | None, typer.Option("--target-column", help="Column of the target side: name or number.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Read at most so many pairs.", min=1)]
SourcePrefix = Annotated[
    str | None,
    typer.Option(
        "--source-prefix", help="Put before every source, as pretrained T5 expects; the base's own if absent."
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides everything random.")]
Json = Annotated[str | None, typer.Option("--json", help="Write the result as JSON to this file; - is stdout.")]
Report = Annotated[
    Path | None, typer.Option("--report", help="Write JSON, figures and a self-contained page into this folder.")
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
Index = Annotated[
    Path | None,
    typer.Option("--index", help="An index of this corpus, made by `codeunlearn index`.", file_okay=False),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the result.", file_okay=False)]


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
