"""Options that several subcommands share, and the YAML file that can set any option."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import update_wrapper
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from codeunlearn.cli.targets import folder
from codeunlearn.errors import CodeUnlearnError

if TYPE_CHECKING:
    from codeunlearn.corpus.loading import DataConfig


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def spread(run: Callable[..., None]) -> Callable[..., None]:
    """The subcommand with an option for each field of the dataclasses among its parameters; those required come first.

    Where it has no ``config`` of its own, a file may set its options.
    """
    hints: dict[str, Any] = get_type_hints(run, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    own_config = "config" in hints

    def spreading(**values: Any) -> None:
        if not own_config:
            del values["config"]
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        run(**values)

    every = [] if own_config else [inspect.Parameter("config", _KEYWORD, default=None, annotation=Config)]
    for one in inspect.signature(run, eval_str=True).parameters.values():
        group = groups.get(one.name)
        every += [one] if group is None else inspect.signature(group, eval_str=True).parameters.values()
    every.sort(key=lambda one: one.default is not one.empty)
    made: Any = update_wrapper(spreading, run)
    made.__signature__ = inspect.Signature([one.replace(kind=_KEYWORD) for one in every])
    made.__annotations__ = {one.name: one.annotation for one in every}
    return made


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
    hints = get_type_hints(context.command.callback)
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
DataSetConfig = Annotated[
    str | None, typer.Option("--data-config", help="Configuration of a Hub data set, such as en-fr.")
]
Limit = Annotated[int | None, typer.Option("--limit", help="Read at most so many pairs.", min=1, max=2**31 - 1)]
SourcePrefix = Annotated[
    str | None,
    typer.Option(
        "--source-prefix", help="Put before every source, as pretrained T5 expects; the base's own if absent."
    ),
]
SourceSuffix = Annotated[
    str | None, typer.Option("--source-suffix", help="Put behind every prompt; the base's own if absent.")
]
Chat = Annotated[bool, typer.Option("--chat", help="Put the tokenizer's chat template around every prompt.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides everything random.", min=0, max=2**32 - 1)]
Mode = Literal["refill", "drop", "anchor"]
Beams = Annotated[int, typer.Option(help="Beams of the search; 1 is greedy.", min=1)]
SearchSize = Annotated[int, typer.Option(help="Sentences to search with, at most.", min=1)]
EvalSize = Annotated[int, typer.Option(help="Sentences of each set, at most.", min=1)]
Minimum = Annotated[int, typer.Option(help="Fewer sentences than this are an error.", min=1)]
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
Out = Annotated[Path, typer.Option("--out", help="Folder for the result.", parser=folder, metavar="DIRECTORY")]


@dataclass(frozen=True)
class Text:
    """Where the parallel text is."""

    data: Annotated[
        str,
        typer.Option(
            help="`tatoeba` or `stories` (in the package), a .tsv, .csv, .jsonl (or .gz) or .parquet file, or a Hub data set."
        ),
    ]
    data_config: DataSetConfig = None
    source_column: Annotated[str | None, typer.Option(help="Column of the source side: name or number.")] = None
    target_column: Annotated[str | None, typer.Option(help="Column of the target side: name or number.")] = None
    limit: Limit = None
    max_characters: Annotated[
        int | None,
        typer.Option(help="Leave out pairs with a longer side; 1500 if absent.", min=1),
    ] = None

    def config(self) -> DataConfig:
        """The same for `load_pairs`."""
        from codeunlearn.corpus.loading import DataConfig

        columns = self.source_column, self.target_column
        return DataConfig(
            self.data, self.data_config, *columns, self.limit, **given(max_characters=self.max_characters)
        )


@dataclass(frozen=True)
class Purpose:
    """What a model with an encoder and a decoder is for."""

    task: Annotated[
        Literal["translation", "summarization"] | None,
        typer.Option(help="What the model is asked; what data and base say if absent."),
    ] = None
    source_language: Annotated[
        str | None, typer.Option(help="Language of the prompts, such as english or de; what the base says if absent.")
    ] = None
    target_language: Annotated[
        str | None, typer.Option(help="Language of the answers; what the base says, or french, if absent.")
    ] = None


@dataclass(frozen=True)
class TopicWords:
    """What is said about a topic beside its name."""

    forms: Annotated[str | None, typer.Option(help="The topic's surface forms, separated by commas.")] = None
    sentences: Annotated[Path | None, typer.Option(help="File with the topic's sentences, one a line.")] = None
    pairs: Annotated[
        Path | None,
        typer.Option(help="File with questions on the topic and their answers, of any kind that --data takes."),
    ] = None
    target_words: Annotated[
        str | None, typer.Option(help="The topic's words on the target side; learned from the data if absent.")
    ] = None

    def __post_init__(self) -> None:
        if self.sentences is not None and (self.forms is not None or self.pairs is not None):
            other = "--forms" if self.pairs is None else "--pairs"
            raise CodeUnlearnError(f"A topic is given by {other} or by --sentences, not both; leave one out.")


@dataclass(frozen=True)
class Shape:
    """What of a bottleneck differs from the one that fits the base."""

    num_codes: Annotated[int | None, typer.Option(help="K, codes in the codebook.", min=1)] = None
    code_dim: Annotated[int | None, typer.Option(help="F, numbers per code.", min=1)] = None
    top_s: Annotated[int | None, typer.Option(help="S, codes per token.", min=1)] = None
    layer: Annotated[
        int | None,
        typer.Option(
            help="Layer of the bottleneck, from 0; 2 in an encoder, as in the paper, 4 in a decoder if absent.", min=0
        ),
    ] = None
    where: Annotated[
        str | None,
        typer.Option(
            help="Behind its self-attention and residual (attention) or behind the layer (block); the usual if absent."
        ),
    ] = None
    selection: Annotated[
        Literal["nearest", "residual"] | None,
        typer.Option(
            help="The S nearest codes, or one lexical and S - 1 residual codes; the latter in a decoder if absent."
        ),
    ] = None


def given(group: Any = None, **options: Any) -> dict[str, Any]:
    """The options that were set, of a group and others; dataclass defaults stand for the rest."""
    every = {**(asdict(group) if group else {}), **options}
    return {name: value for name, value in every.items() if value is not None}


def words(listed: str | None) -> tuple[str, ...]:
    """The items of a comma-separated list."""
    return tuple(item.strip() for item in (listed or "").split(",") if item.strip())


def command_line() -> str:
    """The command as it was given, for the record; folders are left out of paths."""
    import shlex
    import sys

    parts = [Path(part).name if "/" in part and Path(part).is_absolute() else part for part in sys.argv[1:]]
    return shlex.join(["codeunlearn", *parts])
