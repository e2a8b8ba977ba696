"""Rows of TSV and CSV files: which lines are rows, where a row's cells end, and whether the first names columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from codeunlearn.corpus.lines import LONGEST_LINE, Skip, text_lines
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import reason

_SHOWN = 1 << 20
"""Characters of a file by which its quotes, its delimiter and the number of its columns are known."""


def tsv_rows(path: Path, skip: Skip) -> Iterator[list[str]]:
    """Cells of every line. Quotes are text, unless the first MiB shows that they quote: see `_is_quoted`."""
    head, lines = _head(text_lines(path, skip))
    whole = sum(map(len, head)) < _SHOWN
    rows = (
        _quoted_rows(lines, "\t", path)
        if _is_quoted(head, whole)
        else (line.rstrip("\r\n").split("\t") for line in lines)
    )
    return _of_one_width(rows, skip)


def csv_rows(path: Path, skip: Skip) -> Iterator[list[str]]:
    """Cells of every record; the delimiter is that of comma, semicolon and tab that parts the first MiB evenly."""
    head, lines = _head(text_lines(path, skip))
    whole = sum(map(len, head)) < _SHOWN
    even = (delimiter for delimiter in ",;\t" if _parts_evenly(head, delimiter, whole))
    return _of_one_width(_quoted_rows(lines, next(even, ","), path), skip)


def _head(lines: Iterator[str]) -> tuple[list[str], Iterator[str]]:
    """The first lines, and all of them again."""
    head: list[str] = []
    size = 0
    for line in lines:
        head.append(line)
        size += len(line)
        if size >= _SHOWN:
            break
    return head, chain(head, lines)


def _quoted_rows(lines: Iterator[str], delimiter: str, path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(
        max(csv.field_size_limit(), LONGEST_LINE)
    )  # a long field is a long row, to be left out as such
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise CodeUnlearnError(
            f"{path} cannot be read at line {reader.line_num} ({reason(error)}); put a field that holds a quote, a line end "
            "or the delimiter in quotes, and write a quote in it twice."
        ) from error


def _of_one_width(rows: Iterator[list[str]], skip: Skip) -> Iterator[list[str]]:
    """Leaves out rows with more cells than most have, where a stray delimiter has moved the columns."""
    shown = [row for _, row in zip(range(100), rows, strict=False)]
    widths = Counter(len(row) for row in shown)
    width = max(widths, key=lambda w: (widths[w], w), default=0)
    width = max(width, len(shown[0])) if shown else width
    for row in chain(shown, rows):
        if any(row[width:]):
            skip(f"with more than {width} columns")
        else:
            yield row


def _field(delimiter: str) -> re.Pattern[str]:
    """A field with what ends it; one in quotes has its quotes doubled, one without has none."""
    return re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^"{delimiter}\n]*))({delimiter}|\n)')


_UNENDED = re.compile(r'"[^"]*(?:""[^"]*)*"?\Z')


def _parse(head: Sequence[str], delimiter: str, whole: bool) -> list[list[tuple[str, bool]]] | None:
    """Rows of (content, in quotes), or None where the text does not keep to the rules of quoting.

    Args:
        whole: nothing follows the text; else its last row may be cut.
    """
    text = "".join(line.rstrip("\r") + "\n" for line in head)
    pattern, at = _field(delimiter), 0
    rows: list[list[tuple[str, bool]]] = [[]]
    while at < len(text):
        found = pattern.match(text, at)
        if found is None:
            return rows[:-1] if not whole and _UNENDED.match(text, at) else None
        quoted, plain, end = found.groups()
        rows[-1].append((plain, False) if quoted is None else (quoted, True))
        if end == "\n":
            rows.append([])
        at = found.end()
    return rows[:-1]


def _parts_evenly(head: Sequence[str], delimiter: str, whole: bool) -> bool:
    rows = _parse(head, delimiter, whole)
    widths = {len(row) for row in rows or () if row != [("", False)]}
    return len(widths) == 1 and widths != {1}


def _is_quoted(head: Sequence[str], whole: bool) -> bool:
    """Whether quotes in a TSV stand around fields, as programs write them, and not in the text of sentences.

    They do if they stand around every field that holds one and are doubled in it, and it also shows that they are more
    than text: a doubled one, no field without them, or fields over several lines that leave all rows equally wide.
    """
    if not any('"' in line for line in head):
        return False
    rows = _parse(head, "\t", whole)
    if not rows:
        return False
    fields = [field for row in rows for field in row]
    if any(quoted and '""' in content for content, quoted in fields) or all(quoted for _, quoted in fields):
        return True
    plain = {line.count("\t") for line in head if line.strip()}
    return len({len(row) for row in rows}) == 1 and len(plain) > 1
