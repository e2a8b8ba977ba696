"""Parallel text from a file or the Hub, as a ``datasets.Dataset`` with the columns ``source`` and ``target``.

Bad rows are counted and skipped, never guessed at: a side that is missing, bytes that are not UTF-8, a sentence that is
longer than any translation model reads at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from datasets import Dataset

from codeunlearn.corpus.columns import Pair, choose_columns
from codeunlearn.corpus.lines import Skip, is_unicode
from codeunlearn.corpus.matching import normal_form
from codeunlearn.corpus.pools import Pool, split_pools
from codeunlearn.corpus.rows import EXPECTED, Table, file_table, hub_table
from codeunlearn.corpus.samples import SAMPLES
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import exists

MAX_CHARACTERS = 1500
ROWS_THAT_SHOW_FAULTS = 1000


@dataclass
class LoadReport:
    """What was read and what was left out.

    Attributes:
        data: the file or data set, as the user named it.
        kept: rows in the result.
        columns: names of the source and the target column; empty for a text that ships with the package.
        skipped: rows left out, by reason.
    """

    data: str
    kept: int = 0
    columns: tuple[str, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict[str, int])

    def skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.skipped.items()))
        chosen = f", columns {', '.join(self.columns)}" if self.columns else ""
        return f"{self.kept:,} pairs from {self.data}{chosen}" + (f" (skipped: {left_out})" if left_out else "")


@dataclass(frozen=True)
class LoadedPairs:
    """Parallel text and the account of how it was read."""

    dataset: Dataset
    report: LoadReport


@dataclass(frozen=True)
class DataConfig:
    """Where parallel text comes from.

    Attributes:
        data: the name of a text that ships with the package (`codeunlearn.corpus.samples`), a local .tsv, .csv, .jsonl
            (each also .gz) or .parquet file, or a Hub data set.
        config: the Hub data set's configuration, such as ``en-fr``.
        source_column: the English side's name, or its number from 1; guessed when absent.
        target_column: the French side's name or number; guessed when absent.
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
        CodeUnlearnError: the file is missing, empty, damaged, of an unknown kind, or has no two columns of text that are
            asked for or can be guessed; a column of constants or of numbers is none.
    """
    config = DataConfig(config) if isinstance(config, str) else config
    if config.config is not None and (config.data in SAMPLES or Path(config.data).exists()):
        raise CodeUnlearnError(
            f"{config.data} is no Hub data set, so it has no configuration {config.config!r}; leave --data-config out."
        )
    report = LoadReport(config.data)
    if config.data in SAMPLES:
        return _loaded(SAMPLES[config.data].pairs(config.limit), report)
    table = _table(config, report.skip)
    sample = list(islice(table.rows, ROWS_THAT_SHOW_FAULTS))
    if not sample:
        raise _nothing_usable(report)
    columns = choose_columns(table.columns, config.source_column, config.target_column, sample, config.data)
    report.columns = (columns[0].shown, columns[1].shown)
    usable = _usable(chain(sample, table.rows), columns, config.max_characters, report.skip)
    pairs = list(islice(usable, config.limit))
    if not pairs:
        raise _nothing_usable(report)
    return _loaded(pairs, report)


def filled_pools(dataset: Dataset, needed: Iterable[Pool], where: str) -> dict[Pool, Dataset]:
    """The pools of parallel text, of which those needed hold sentences.

    Args:
        where: the file or data set, for the message.

    Raises:
        CodeUnlearnError: a needed pool is empty, as those of very few sentences often are.
    """
    pools = split_pools(dataset)
    for pool in needed:
        if not len(pools[pool]):
            sizes = ", ".join(f"{len(rows)} for {name}" for name, rows in pools.items())
            raise CodeUnlearnError(
                f"{where} has no sentence in the {pool} pool ({sizes}): a sentence's pool is decided by a hash of it, so "
                "give more sentences."
            )
    return pools


def _nothing_usable(report: LoadReport) -> CodeUnlearnError:
    return CodeUnlearnError(f"{report.data} holds no usable sentence pair ({report}); {EXPECTED}.")


def _loaded(pairs: list[tuple[str, str]], report: LoadReport) -> LoadedPairs:
    report.kept = len(pairs)
    return LoadedPairs(Dataset.from_dict({"source": [p[0] for p in pairs], "target": [p[1] for p in pairs]}), report)


def _table(config: DataConfig, skip: Skip) -> Table:
    path = Path(config.data)
    if exists(path):
        return file_table(path, config.source_column, config.target_column, skip)
    if path.suffix or config.data.count("/") > 1 or config.data.startswith((".", "/")):
        raise CodeUnlearnError(f"There is no file {config.data}; {EXPECTED}.")
    return hub_table(config.data, config.config)


def _usable(rows: Iterable[Any], columns: Pair, most: int, skip: Skip) -> Iterator[tuple[str, str]]:
    for row in rows:
        source, target = columns[0].value(row), columns[1].value(row)
        if not (isinstance(source, str) and isinstance(target, str) and _is_seen(source) and _is_seen(target)):
            skip("with a side missing")
        elif max(len(source), len(target)) > most:
            skip(f"longer than {most} characters")
        elif not (is_unicode(source) and is_unicode(target)):
            skip("not UTF-8")
        elif "\0" in source or "\0" in target:
            skip("with a null character")
        else:
            yield source.strip(), target.strip()


def _is_seen(text: str) -> bool:
    """Whether anything of it shows: soft hyphens and zero-width spaces alone are no sentence."""
    return any("!" <= character <= "~" for character in text) or bool(normal_form(text).strip())
