"""Authors of a file of questions and answers: what is asked of each, and the name, which the file does not say."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from codeunlearn.corpus.lines import read_sentences
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import reason
from codeunlearn.validation import validated

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$")
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
        name: see `find_name`.
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


def find_name(rows: Iterable[Row]) -> str:
    """The sequence of two or three capitalised words that most of the rows hold, the longer of equals; empty without any."""
    counts = Counter(name for row in rows for name in set(_sequences(f"{row.question} {row.answer}")))
    return max(counts, key=lambda name: (counts[name], len(name.split()), name), default="")


def words_of(text: str) -> list[str]:
    """Its words as they are written, without a possessive ending."""
    return [_POSSESSIVE.sub("", word) for word in _WORD.findall(text)]


def renamed(text: str, old: Author, new: Author) -> str:
    """The text with one author's full, last and first name replaced by another's."""
    names = {old.name: new.name}
    for end in (-1, 0):
        names.setdefault(old.name.split()[end], new.name.split()[end])
    longest_first = sorted(names, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<!\w)({pattern})(?!\w)", lambda found: names[found[0]], text)


def _row(line: str, where: str) -> Row:
    try:
        content: Any = json.loads(line)
    except ValueError as error:
        raise CodeUnlearnError(f"{where} is no JSON ({reason(error)}).") from error
    return validated(Row, content, where)


def _name(key: str, rows: Sequence[Row], path: Path) -> str:
    name = find_name(rows)
    if not name:
        raise CodeUnlearnError(f"No question or answer in {path} names the author {key} with a first and a last name.")
    return name


def _sequences(text: str) -> Iterator[str]:
    """All runs of two or three capitalised words that nothing but spaces parts."""
    for piece in re.split(r"[^\w\s'’-]+", text):
        words = words_of(piece)
        for size in (2, 3):
            for start in range(len(words) - size + 1):
                run = words[start : start + size]
                if all(word[0].isupper() for word in run):
                    yield " ".join(run)
