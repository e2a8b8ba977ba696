"""Which two columns of a table are the parallel text: named, numbered or guessed, and never metadata."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, cast

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import shown

Place = tuple[str | int, ...]
"""The way from a row to a value: names of nested records, or the number of a cell."""

_TRANSLATED = (("source", "target"), ("en", "fr"), ("english", "french"), ("src", "tgt"))
_ANSWERED = (("question", "answer"), ("prompt", "completion"))
SUMMARISED = (("document", "summary"), ("article", "highlights"), ("dialogue", "summary"))
"""As XSum, CNN/DailyMail and SAMSum have them."""
GUESSES = (*_TRANSLATED, *_ANSWERED, *SUMMARISED)
_SIDES = (*GUESSES, ("eng", "fra"), ("eng", "fre"), ("text", "label"))
"""Words that name the two sides within longer names, such as ``english_text`` and ``french_text``."""
NESTED = "translation"
HOW_TO_NAME = "name two columns with --source-column and --target-column, by name or by number"
LONGEST_SHOWN = 40
_ROWS_THAT_SHOW_A_CONSTANT = 3
_ROWS_THAT_SHOW_LABELS = 9
_NEARLY_ALL = 0.9
_NAME_OF_COLUMN = re.compile(r"[^\W_]+(?:[ _.-]+[^\W_]+){0,3}")
_IDENTIFIER = re.compile(r"(?=\S*[\d/\\_:@#])\S+")


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
    """Whether a first line names columns: those that were asked for, or where none were, the sides of a pair.

    Longer names that hold those of the two sides count too (``sentence_en``, ``sentence_fr``). They are not guessed from,
    but such a line is no row.
    """
    names = [folded(cell) for cell in cells]
    if _names_sides(names):
        return True
    if source is None or target is None:
        return False
    usual = {name for guess in _TRANSLATED for name in guess}
    asked = {folded(source), folded(target)}
    return asked <= set(names) or bool(usual & set(names)) or any(_number(name) is None for name in asked)


def _names_sides(names: Sequence[str]) -> bool:
    parts = [set(re.split(r"[ _.-]+", name)) if _NAME_OF_COLUMN.fullmatch(name) else set[str]() for name in names]
    return any(one in first and other in second for first, second in permutations(parts, 2) for one, other in _SIDES)


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
    if _unnamed(columns) and len(sample) > 1:
        sample = sample[1:]  # the first row may be a header of names that are not known, and would hide numbers
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
    for candidates in _candidates(columns):
        found = [_fault(pair, sample) or _no_sentences(pair, sample) for pair in candidates]
        usable = [pair for pair, fault in zip(candidates, found, strict=True) if fault is None]
        if len(usable) > 1:
            pairs = " and ".join(f"{one.shown}/{other.shown}" for one, other in usable)
            raise CodeUnlearnError(f"{where} has several pairs of columns that may be meant, {pairs}; {HOW_TO_NAME}.")
        if usable:
            return usable[0]
        faults += [fault for fault in found if fault is not None]
    why = f", and {faults[0]}" if faults else ""
    raise CodeUnlearnError(f"{where} has the columns {listed(columns)}{why}; {HOW_TO_NAME}.")


def _candidates(columns: Sequence[Column]) -> Iterator[list[Pair]]:
    """Usual pairs: of a nested ``translation`` first and otherwise nested ones last; without names 1 and 2."""
    if _unnamed(columns):
        yield [(columns[0], columns[1])]
        return
    translation = [c for c in columns if len(c.place) > 1 and folded(str(c.place[-2])) == NESTED]
    top = [c for c in columns if len(c.place) == 1]
    for group in (translation, top, columns):
        found = [[[c for c in group if c.leaf == name] for name in guess] for guess in GUESSES]
        yield [(first[0], second[0]) for first, second in found if len(first) == len(second) == 1]


def _unnamed(columns: Sequence[Column]) -> bool:
    return len(columns) > 1 and all(column.name == str(i) for i, column in enumerate(columns, start=1))


def _fault(pair: Pair, sample: Sequence[Any]) -> str | None:
    """Why a column cannot be text, even one that was asked for: numbers, or one value for all rows."""
    for column in pair:
        values = _values(column, sample)
        texts = [value for value in values if isinstance(value, str)]
        words = sum(any(map(str.isalpha, text)) for text in texts)
        if values and words <= (1 - _NEARLY_ALL) * len(values):
            return f"column '{column.shown}' holds no words, only such as {shown(values[0], LONGEST_SHOWN)}"
        if len(values) >= _ROWS_THAT_SHOW_A_CONSTANT:
            value, count = Counter(texts).most_common(1)[0]
            if count == len(values):
                return f"column '{column.shown}' holds {shown(value, LONGEST_SHOWN)} in every row"
            if count >= _NEARLY_ALL * len(values):
                return f"column '{column.shown}' holds {shown(value, LONGEST_SHOWN)} in nearly every row"
    return None


def _no_sentences(pair: Pair, sample: Sequence[Any]) -> str | None:
    """Why a column is not to be guessed: labels that come again and again, or names of files, rows and the like.

    Answers may be few and short.
    """
    for column in () if (pair[0].leaf, pair[1].leaf) in _ANSWERED else pair:
        texts = [value.strip() for value in _values(column, sample) if isinstance(value, str)]
        alone = [text for text in texts if text and not any(map(str.isspace, text))]
        if len(texts) < _ROWS_THAT_SHOW_A_CONSTANT or len(alone) < _NEARLY_ALL * len(texts):
            continue
        if sum(bool(_IDENTIFIER.fullmatch(text)) for text in alone) >= _NEARLY_ALL * len(texts):
            return f"column '{column.shown}' holds identifiers such as {shown(alone[0], LONGEST_SHOWN)}"
        if len(texts) >= _ROWS_THAT_SHOW_LABELS and 3 * len(set(alone)) <= len(alone):
            return f"column '{column.shown}' holds labels such as {shown(alone[0], LONGEST_SHOWN)}"
    return None


def _values(column: Column, sample: Sequence[Any]) -> list[Any]:
    return [value for row in sample if (value := column.value(row)) not in (None, "")]


def _number(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() and len(name) < 6 else None


def listed(columns: Sequence[Column]) -> str:
    """Their names for a message, no more than a line."""
    names = [column.shown for column in columns[:20]]
    return ", ".join(names) + (", ..." if len(columns) > len(names) else "")
