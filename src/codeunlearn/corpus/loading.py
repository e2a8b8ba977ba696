"""Parallel text from a file or the Hub, as a ``datasets.Dataset`` with the columns ``source`` and ``target``.

Bad rows are counted and skipped, never guessed at: a side that is missing, bytes that are not UTF-8, a sentence that is
longer than any translation model reads at once.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from datasets import Dataset, load_dataset

from codeunlearn.corpus import stories
from codeunlearn.errors import CodeUnlearnError

MAX_CHARACTERS = 1500
STORIES = "stories"
ROWS_THAT_SHOW_COLUMNS = 100  # a row of JSON Lines may leave out a column
_COLUMN_GUESSES = (("source", "target"), ("en", "fr"), ("english", "french"), ("src", "tgt"))
_EXPECTED = (
    "expected two columns of parallel text: a TSV with `source<TAB>target` lines, or JSON Lines, Parquet or a Hub data "
    "set with columns such as source/target, en/fr, or translation.en/translation.fr"
)


@dataclass
class LoadReport:
    """What was read and what was left out.

    Attributes:
        data: the file or data set, as the user named it.
        kept: rows in the result.
        skipped: rows left out, by reason.
    """

    data: str
    kept: int = 0
    skipped: dict[str, int] = field(default_factory=dict[str, int])

    def skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.skipped.items()))
        return f"{self.kept:,} pairs from {self.data}" + (f" (skipped: {left_out})" if left_out else "")


@dataclass(frozen=True)
class LoadedPairs:
    """Parallel text and the account of how it was read."""

    dataset: Dataset
    report: LoadReport


@dataclass(frozen=True)
class DataConfig:
    """Where parallel text comes from.

    Attributes:
        data: ``stories`` (the embedded corpus), a local .tsv, .tsv.gz, .jsonl or .parquet file, or a Hub data set.
        config: the Hub data set's configuration, such as ``en-fr``.
        source_column: name of the English side; guessed when absent.
        target_column: name of the French side; guessed when absent.
        limit: read at most this many usable pairs.
        max_characters: a longer side makes a row over-long.
    """

    data: str
    config: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    limit: int | None = None
    max_characters: int = MAX_CHARACTERS


def load_pairs(config: DataConfig | str) -> LoadedPairs:
    """Reads parallel text.

    Raises:
        CodeUnlearnError: the file is missing, empty, of an unknown kind, or has no two columns of text.
    """
    config = DataConfig(config) if isinstance(config, str) else config
    if config.data == STORIES:
        return _load_stories(config.limit)
    report = LoadReport(config.data)
    pairs = list(islice(_usable(_rows(config, report), config, report), config.limit))
    if not pairs:
        raise CodeUnlearnError(f"{config.data} holds no usable sentence pair ({report}); {_EXPECTED}.")
    report.kept = len(pairs)
    return LoadedPairs(Dataset.from_dict({"source": [p[0] for p in pairs], "target": [p[1] for p in pairs]}), report)


def _load_stories(limit: int | None) -> LoadedPairs:
    pairs = stories.generate() if limit is None else stories.generate(limit)
    columns = {
        "source": [p.source for p in pairs],
        "target": [p.target for p in pairs],
        "topics": [list(p.topics) for p in pairs],
    }
    return LoadedPairs(Dataset.from_dict(columns), LoadReport(STORIES, kept=len(pairs)))


def _usable(rows: Iterable[tuple[Any, Any]], config: DataConfig, report: LoadReport) -> Iterator[tuple[str, str]]:
    for source, target in rows:
        if not (isinstance(source, str) and isinstance(target, str) and source.strip() and target.strip()):
            report.skip("with a side missing")
        elif max(len(source), len(target)) > config.max_characters:
            report.skip(f"longer than {config.max_characters} characters")
        else:
            yield source.strip(), target.strip()


def _rows(config: DataConfig, report: LoadReport) -> Iterator[tuple[Any, Any]]:
    path = Path(config.data)
    name = path.name.removesuffix(".gz")
    local = {".tsv": _tsv_rows, ".txt": _tsv_rows, ".jsonl": _json_rows, ".json": _json_rows}
    if path.is_dir():
        raise CodeUnlearnError(f"{config.data} is a folder; name the .tsv, .jsonl or .parquet file in it.")
    if not path.exists():
        if path.suffix or config.data.count("/") > 1 or config.data.startswith((".", "/")):
            raise CodeUnlearnError(f"There is no file {config.data}; {_EXPECTED}.")
        return _hub_rows(config)
    if path.stat().st_size == 0:
        raise CodeUnlearnError(f"{config.data} is empty; {_EXPECTED}.")
    if path.suffix == ".parquet":
        return _parquet_rows(path, config)
    if Path(name).suffix not in local:
        raise CodeUnlearnError(f"{config.data} is of an unknown kind; use .tsv, .tsv.gz, .jsonl or .parquet.")
    return local[Path(name).suffix](path, config, report)


def _lines(path: Path, report: LoadReport) -> Iterator[str]:
    with cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
        try:
            for raw in file:
                try:
                    yield raw.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
                except UnicodeDecodeError:
                    report.skip("not UTF-8")
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CodeUnlearnError(
                f"{path} is not a whole gzip file ({error}); download or compress it again."
            ) from error


def _tsv_rows(path: Path, config: DataConfig, report: LoadReport) -> Iterator[tuple[Any, Any]]:
    lines = (line.split("\t") for line in _lines(path, report))
    first = next(lines, [])
    if len(first) < 2:
        raise CodeUnlearnError(f"{path} has {len(first)} column in its first line; {_EXPECTED}.")
    if config.source_column or config.target_column:
        left, right = (_index(first, wanted, path) for wanted in _named(config))
    else:
        header = [name.strip().lower() for name in first]
        guess = next((g for g in _COLUMN_GUESSES if set(g) <= set(header)), None)
        left, right = (header.index(name) for name in guess) if guess else (0, 1)
        if not guess:
            yield first[0], first[1]
    for cells in lines:
        yield (cells[left], cells[right]) if len(cells) > max(left, right) else (None, None)


def _named(config: DataConfig) -> tuple[str, str]:
    if not (config.source_column and config.target_column):
        raise CodeUnlearnError("Name both columns: --source-column and --target-column go together.")
    return config.source_column, config.target_column


def _index(header: list[str], wanted: str, path: Path) -> int:
    if wanted not in header:
        raise CodeUnlearnError(f"{path} has no column {wanted!r}; its header has {', '.join(map(repr, header))}.")
    return header.index(wanted)


def _json_rows(path: Path, config: DataConfig, report: LoadReport) -> Iterator[tuple[Any, Any]]:
    objects = _json_objects(path, report)
    first = list(islice(objects, ROWS_THAT_SHOW_COLUMNS))
    if not first:
        return
    columns = _choose_columns(list(dict.fromkeys(name for row in first for name in _flat(row))), config)
    for row in chain(first, objects):
        yield _pick(row, columns)


def _json_objects(path: Path, report: LoadReport) -> Iterator[dict[str, Any]]:
    for line in _lines(path, report):
        try:
            row: Any = json.loads(line) if line.strip() else None
        except json.JSONDecodeError:
            report.skip("not JSON")
            continue
        if isinstance(row, dict):
            yield cast(dict[str, Any], row)
        else:
            report.skip("not a JSON object")


def _parquet_rows(path: Path, config: DataConfig) -> Iterator[tuple[Any, Any]]:
    try:
        dataset = Dataset.from_parquet(str(path))
    except Exception as error:  # datasets wraps pyarrow's errors in types of its own
        raise CodeUnlearnError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0] if str(error) else type(error).__name__}); "
            "download or write it again."
        ) from error
    return _table_rows(dataset, config)


def _hub_rows(config: DataConfig) -> Iterator[tuple[Any, Any]]:
    try:
        dataset = load_dataset(config.data, config.config, split="train")
    except Exception as error:  # the Hub client raises many unrelated types for "not there" and "no network"
        raise CodeUnlearnError(
            f"{config.data} is neither a local file nor a Hub data set that can be read here "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}); check the name, "
            "--data-config and the network."
        ) from error
    return _table_rows(dataset, config)


def _table_rows(dataset: Dataset, config: DataConfig) -> Iterator[tuple[Any, Any]]:
    if not len(dataset):
        raise CodeUnlearnError(f"{config.data} has no rows; {_EXPECTED}.")
    columns = _choose_columns(list(_flat(cast(dict[str, Any], dataset[0]))), config)
    for row in dataset:
        yield _pick(cast(dict[str, Any], row), columns)


def _flat(row: dict[str, Any]) -> Iterator[str]:
    """Column names, those of a nested ``translation`` as ``translation.en``."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in cast(dict[str, Any], value))
        else:
            yield name


def _choose_columns(names: list[str], config: DataConfig) -> tuple[str, str]:
    nested = {name.rpartition(".")[2]: name for name in reversed(names)}
    if config.source_column or config.target_column:
        wanted = _named(config)
        if missing := [w for w in wanted if w not in names and w not in nested]:
            raise CodeUnlearnError(f"{config.data} has no column {missing[0]!r}; it has {', '.join(names)}.")
        return cast(tuple[str, str], tuple(w if w in names else nested[w] for w in wanted))
    for guess in _COLUMN_GUESSES:
        if all(g in nested for g in guess):
            return nested[guess[0]], nested[guess[1]]
    raise CodeUnlearnError(
        f"{config.data} has the columns {', '.join(names)}; name two of them with --source-column and --target-column."
    )


def _pick(row: dict[str, Any], columns: tuple[str, str]) -> tuple[Any, Any]:
    def value(name: str) -> Any:
        outer, _, inner = name.partition(".")
        if name in row or not inner:
            return row.get(name)
        nested = row.get(outer)
        return cast(dict[str, Any], nested).get(inner) if isinstance(nested, dict) else None

    return value(columns[0]), value(columns[1])
