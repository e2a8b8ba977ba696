"""Authors of a file of questions and answers: what is asked of each, and the name, which the file does not say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from codeunlearn.corpus.lines import read_sentences
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.corpus.subjects import find_name
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import reason
from codeunlearn.validation import validated

_SHORTEST_PART = 3


@dataclass(frozen=True)
class Row:
    """One line of a file."""

    author: int | str
    question: str
    answer: str


@dataclass(frozen=True)
class Author:
    """One author.

    Attributes:
        key: number in the file.
        name: see `codeunlearn.corpus.subjects.find_name`.
        rows: questions with their answers.
    """

    key: str
    name: str
    rows: tuple[Row, ...]

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Words of the name that are long enough to say who is meant."""
        return tuple(part for part in self.name.split() if len(part) >= _SHORTEST_PART)

    @cached_property
    def words(self) -> WholeWords:
        """Finds the name and its parts in text."""
        return WholeWords([self.name, *self.parts], capitalised=True)


def read_authors(path: Path) -> list[Author]:
    """Authors in the order of the file.

    Raises:
        CodeUnlearnError: the file cannot be read, a line is no question with its answer and author, an author has no name, or
            there is none.
    """
    found: dict[str, list[Row]] = {}
    for number, line in enumerate(read_sentences(path), start=1):
        if line.strip():
            row = _row(line, f"{path}, line {number}")
            found.setdefault(str(row.author), []).append(row)
    if not found:
        raise CodeUnlearnError(f"{path} holds no author; give lines with author, question and answer.")
    return [Author(key, _name(key, rows, path), tuple(rows)) for key, rows in found.items()]


def _row(line: str, where: str) -> Row:
    try:
        content: Any = json.loads(line)
    except ValueError as error:
        raise CodeUnlearnError(f"{where} is no JSON ({reason(error)}).") from error
    return validated(Row, content, where)


def _name(key: str, rows: Sequence[Row], path: Path) -> str:
    name = find_name(f"{row.question} {row.answer}" for row in rows)
    if not name:
        raise CodeUnlearnError(f"No question or answer in {path} names the author {key} with a first and a last name.")
    return name
