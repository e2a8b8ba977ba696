"""Tables of any kind as columns and lazily read rows: TSV, CSV, JSON Lines, Parquet and data sets of the Hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import load_dataset

from codeunlearn.corpus.columns import Column, Place, looks_like_header
from codeunlearn.corpus.delimited import csv_rows, tsv_rows
from codeunlearn.corpus.lines import Skip, text_lines
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_is_file, reason

ROWS_THAT_SHOW_COLUMNS = 100  # a row of JSON Lines may leave out a column
DEEPEST_COLUMN = 4
KINDS = ".txt, .tsv, .csv, .jsonl (each also .gz) or .parquet"
EXPECTED = (
    "expected two columns of parallel text: a TSV with `source<TAB>target` lines, or CSV, JSON Lines, Parquet or a Hub "
    "data set with columns such as source/target, en/fr, or translation.en/translation.fr; or question/answer, "
    "prompt/completion, document/summary, messages, text/label or text, or a .txt with one document a line"
)


@dataclass(frozen=True)
class Table:
    """Columns and rows; a row is a list of cells or a record with its nested records."""

    columns: Sequence[Column]
    rows: Iterator[Any]


def file_table(path: Path, source: str | None, target: str | None, skip: Skip) -> Table:
    """The table in a local file.

    Args:
        source: the source column that was asked for, by which a first line is known to name columns.
        target: likewise.

    Raises:
        CodeUnlearnError: the file is empty, damaged or of an unknown kind; also while rows are read.
    """
    delimited: dict[str, Callable[[Path, Skip], Iterator[list[str]]]] = {
        ".tsv": tsv_rows, ".txt": tsv_rows, ".csv": csv_rows,
    }  # fmt: skip
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    check_is_file(path)
    if path.stat().st_size == 0:
        raise CodeUnlearnError(f"{path} is empty; {EXPECTED}.")
    if kind == ".txt" and source is None and target is None and not _begins_with_cells(path):
        return Table([Column("text", ("text",))], ({"text": line} for line in text_lines(path, skip)))
    if kind in delimited:
        return _cell_table(delimited[kind](path, skip), path, source, target)
    if kind in (".jsonl", ".json"):
        return _json_table(_json_objects(path, skip))
    if kind == ".parquet" and path.suffix != ".gz":
        return _parquet_table(path)
    raise CodeUnlearnError(f"{path} is of an unknown kind; use {KINDS}.")


def hub_table(name: str, config: str | None) -> Table:
    """The train split of a data set on the Hub.

    Raises:
        CodeUnlearnError: there is none of that name, or it cannot be reached.
    """
    try:
        dataset = load_dataset(name, config, split="train")
    except Exception as error:  # the Hub client raises many unrelated types for "not there" and "no network"
        raise CodeUnlearnError(
            f"{name} is neither a local file nor a Hub data set that can be read here "
            f"({type(error).__name__}: {reason(error)}); check the name, --data-config and the network."
        ) from error
    columns = _schema_columns(dataset.features.arrow_schema)
    return Table(columns, iter(dataset.select_columns(_outermost(columns))))


def _begins_with_cells(path: Path) -> bool:
    """Whether the first line that is not empty has a tab."""
    return "\t" in next((line for line in text_lines(path, lambda _: None) if line.strip()), "")


def _cell_table(rows: Iterator[list[str]], path: Path, source: str | None, target: str | None) -> Table:
    first = next(rows, [])
    if len(first) < 2:
        raise CodeUnlearnError(f"{path} has {len(first)} column in its first line; {EXPECTED}.")
    if looks_like_header(first, source, target):
        return Table([Column(name, (i,)) for i, name in enumerate(first)], rows)
    return Table([Column(str(i + 1), (i,)) for i in range(len(first))], chain([first], rows))


def _json_table(objects: Iterator[dict[str, Any]]) -> Table:
    first = list(islice(objects, ROWS_THAT_SHOW_COLUMNS))
    places = dict.fromkeys(place for row in first for place in _places(row))
    return Table([_column(place) for place in places], chain(first, objects))


def _json_objects(path: Path, skip: Skip) -> Iterator[dict[str, Any]]:
    for line in text_lines(path, skip):
        try:
            # numbers are no sentences: as floats those of thousands of digits are read too
            row: Any = json.loads(line, parse_int=float) if line.strip() else None
        except (ValueError, RecursionError):
            skip("not JSON")
            continue
        if isinstance(row, dict):
            yield cast(dict[str, Any], row)
        else:
            skip("not a JSON object")


def _places(row: dict[str, Any], above: Place = ()) -> Iterator[Place]:
    for name, value in row.items():
        if isinstance(value, dict) and value and len(above) + 1 < DEEPEST_COLUMN:
            yield from _places(cast(dict[str, Any], value), (*above, name))
        else:
            yield (*above, name)


def _column(place: Place) -> Column:
    return Column(".".join(map(str, place)), place)


def _parquet_table(path: Path) -> Table:
    try:
        with pq.ParquetFile(path) as file:
            columns = _schema_columns(file.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _not_parquet(path, error) from error
    return Table(columns, _parquet_rows(path, _outermost(columns)))


def _parquet_rows(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _not_parquet(path, error) from error


def _not_parquet(path: Path, error: Exception) -> CodeUnlearnError:
    return CodeUnlearnError(f"{path} cannot be read as Parquet ({reason(error)}); download or write it again.")


def _schema_columns(schema: Any) -> list[Column]:
    """Its columns, nested ones too; which hold text is known from their values."""

    def places(field: Any, above: Place = ()) -> Iterator[Place]:
        place = (*above, field.name)
        if pa.types.is_struct(field.type) and field.type.num_fields and len(place) < DEEPEST_COLUMN:
            yield from (inner for part in field.type for inner in places(part, place))
        else:
            yield place

    return [_column(place) for field in schema for place in places(field)]


def _outermost(columns: Sequence[Column]) -> list[str]:
    return list(dict.fromkeys(str(column.place[0]) for column in columns))
