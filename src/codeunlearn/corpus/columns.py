"""Which two columns of a table are the parallel text: named, numbered or guessed, and never metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from codeunlearn.errors import CodeUnlearnError

Place = tuple[str | int, ...]
"""The way from a row to a value: names of nested records, or the number of a cell."""

GUESSES = (("source", "target"), ("en", "fr"), ("english", "french"), ("src", "tgt"))
NESTED = "translation"
HOW_TO_NAME = "name two columns with --source-column and --target-column, by name or by number"
LONGEST_SHOWN = 40
_ROWS_THAT_SHOW_A_CONSTANT = 3


@dataclass(frozen=True)
class Column:
    """A column of text.

    Attributes:
        name: as users name it; that of a nested one has dots: ``translation.en``.
        place: where its value is in a row.
    """

    name: str
    place: Place

    def value(self, row: Any) -> Any:
        """None where the row does not have the column."""
        for step in self.place:
            if isinstance(row, dict):
                row = cast(dict[Any, Any], row).get(step)
            elif isinstance(row, list) and isinstance(step, int) and step < len(cast(list[Any], row)):
                row = cast(list[Any], row)[step]
            else:
                return None
        return row

    @property
    def shown(self) -> str:
        """The name for a message: on one line and not long, whatever a file has as its header."""
        name = self.name if self.name.isprintable() else repr(self.name)[1:-1]
        return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 3]}..."

    @property
    def leaf(self) -> str:
        """The innermost name as it is compared: without the space around it and whatever its case."""
        return folded(str(self.place[-1]) if len(self.place) > 1 else self.name)


Pair = tuple[Column, Column]


def folded(name: str) -> str:
    return name.strip().lower()


def looks_like_header(cells: Sequence[str], source: str | None, target: str | None) -> bool:
    """Whether a first line names columns: those that were asked for, or where none were, a usual pair."""
    names = [folded(cell) for cell in cells]
    if source is None or target is None:
        return any(set(guess) <= set(names) for guess in GUESSES)
    usual = {name for guess in GUESSES for name in guess}
    asked = {folded(source), folded(target)}
    return asked <= set(names) or bool(usual & set(names)) or any(_number(name) is None for name in asked)


def choose_columns(
    columns: Sequence[Column], source: str | None, target: str | None, sample: Sequence[Any], where: str
) -> Pair:
    """The two columns of the parallel text.

    Args:
        source: name or 1-based number of the source column; guessed if absent. A name that is a number comes first.
        sample: rows by which columns of constants and numbers are known.
        where: the file or data set, for messages.

    Raises:
        CodeUnlearnError: a column is not there, not unique or holds no sentences, or none can be guessed.
    """
    if source is None and target is None:
        return _guessed(columns, sample, where)
    if not (source and target):
        raise CodeUnlearnError("Name both columns: --source-column and --target-column go together.")
    pair = _asked(columns, source, where), _asked(columns, target, where)
    if pair[0].place == pair[1].place:
        raise CodeUnlearnError(f"{where}: {source!r} and {target!r} are the same column; name two.")
    if found := _fault(pair, sample):
        raise CodeUnlearnError(f"{where}: {found}; name a column of sentences.")
    return pair


def _asked(columns: Sequence[Column], wanted: str, where: str) -> Column:
    """By the name as written, else by its innermost part, else in any case, else by number."""
    matches: tuple[Callable[[Column], bool], ...] = (
        lambda column: column.name == wanted,
        lambda column: column.place[-1] == wanted,
        lambda column: folded(column.name) == folded(wanted),
        lambda column: column.leaf == folded(wanted),
    )
    for match in matches:
        found = [column for column in columns if match(column)]
        if len(found) > 1:
            named = ", ".join(f"{columns.index(column) + 1} ({column.shown})" for column in found)
            raise CodeUnlearnError(f"{where} has {len(found)} columns {wanted!r}; give the number of one: {named}.")
        if found:
            return found[0]
    number = _number(wanted)
    if number is None or not 1 <= number <= len(columns):
        raise CodeUnlearnError(f"{where} has no column {wanted!r}; it has {listed(columns)}.")
    return columns[number - 1]


def _guessed(columns: Sequence[Column], sample: Sequence[Any], where: str) -> Pair:
    faults: list[str] = []
    for pair in _candidates(columns):
        fault = _fault(pair, sample)
        if fault is None:
            return pair
        faults.append(fault)
    why = f", and {faults[0]}" if faults else ""
    raise CodeUnlearnError(f"{where} has the columns {listed(columns)}{why}; {HOW_TO_NAME}.")


def _candidates(columns: Sequence[Column]) -> Iterator[Pair]:
    """Usual pairs, those of a nested ``translation`` first and otherwise nested ones last; without names 1 and 2."""
    if len(columns) > 1 and all(column.name == str(i) for i, column in enumerate(columns, start=1)):
        yield columns[0], columns[1]
        return
    translation = [c for c in columns if len(c.place) > 1 and folded(str(c.place[-2])) == NESTED]
    top = [c for c in columns if len(c.place) == 1]
    for group, guess in product((translation, top, columns), GUESSES):
        found = [[c for c in group if c.leaf == name] for name in guess]
        if all(len(of_name) == 1 for of_name in found):
            yield found[0][0], found[1][0]


def _fault(pair: Pair, sample: Sequence[Any]) -> str | None:
    for column in pair:
        values = [value for row in sample if (value := column.value(row)) not in (None, "")]
        texts = {value for value in values if isinstance(value, str)}
        if values and not any(character.isalpha() for text in texts for character in text):
            return f"column '{column.shown}' holds no words, only such as {_shown(values[0])}"
        if len(values) >= _ROWS_THAT_SHOW_A_CONSTANT and len(texts) == 1:
            return f"column '{column.shown}' holds {_shown(values[0])} in every row"
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _number(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() and len(name) < 6 else None


def listed(columns: Sequence[Column]) -> str:
    """Their names for a message, no more than a line."""
    names = [column.shown for column in columns[:20]]
    return ", ".join(names) + (", ..." if len(columns) > len(names) else "")
