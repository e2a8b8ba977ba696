"""Parallel text, questions or running text from a file or the Hub, as a ``datasets.Dataset`` with ``source`` and ``target``.

What is no translation has the same columns: the prompt is the source and its answer the target (`codeunlearn.corpus.documents`).
There may be two more: ``wrong`` answers, and the ``document`` that keeps pairs in one pool.

Bad rows are counted and skipped, never guessed at: a side that is missing, bytes that are not UTF-8, a sentence that is
longer than any translation model reads at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from datasets import Dataset

from codeunlearn.corpus.documents import Asked, Kind, reading_of
from codeunlearn.corpus.lines import Skip
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
        columns: names of the source and the target column, or of the one that is read; empty for a text that ships with the
            package.
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
    """Pairs and the account of how they were read.

    Attributes:
        kind: what they are pairs of.
    """

    dataset: Dataset
    report: LoadReport
    kind: Kind = "pairs"


@dataclass(frozen=True)
class DataConfig:
    """Where text comes from.

    Attributes:
        data: the name of a text that ships with the package (`codeunlearn.corpus.samples`), a local .txt, .tsv, .csv, .jsonl
            (each also .gz) or .parquet file, or a Hub data set.
        config: the Hub data set's configuration, such as ``en-fr``.
        source_column: name of the prompts' side, the English one of translations, or its number from 1; guessed when absent.
        target_column: name or number of the answers' side, the French one; guessed when absent.
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
    """Reads pairs of a prompt and its answer.

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
        return _loaded([Asked(*pair) for pair in SAMPLES[config.data].pairs(config.limit)], report)
    table = _table(config, report.skip)
    sample = list(islice(table.rows, ROWS_THAT_SHOW_FAULTS))
    if not sample:
        raise _nothing_usable(report)
    asked = config.source_column, config.target_column
    reading = reading_of(table.columns, *asked, sample, config.data, config.max_characters)
    report.columns = reading.columns
    usable = (pair for row in chain(sample, table.rows) for pair in reading.pairs(row, report.skip))
    pairs = list(islice(usable, config.limit))
    if not pairs:
        raise _nothing_usable(report)
    return _loaded(pairs, report, reading.kind)


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
    longer = any(reason.startswith("longer than") for reason in report.skipped)
    mend = "take longer texts with --max-characters" if longer else EXPECTED
    return CodeUnlearnError(f"{report.data} holds no usable sentence pair ({report}); {mend}.")


def _loaded(pairs: list[Asked], report: LoadReport, kind: Kind = "pairs") -> LoadedPairs:
    report.kept = len(pairs)
    columns: dict[str, list[Any]] = {"source": [p.prompt for p in pairs], "target": [p.answer for p in pairs]}
    if any(p.wrong for p in pairs):
        columns["wrong"] = [list(p.wrong) for p in pairs]
    if any(p.document for p in pairs):
        columns["document"] = [p.document for p in pairs]
    return LoadedPairs(Dataset.from_dict(columns), report, kind)


def _table(config: DataConfig, skip: Skip) -> Table:
    path = Path(config.data)
    if exists(path):
        return file_table(path, config.source_column, config.target_column, skip)
    if path.suffix or config.data.count("/") > 1 or config.data.startswith((".", "/")):
        raise CodeUnlearnError(f"There is no file {config.data}; {EXPECTED}.")
    return hub_table(config.data, config.config)
