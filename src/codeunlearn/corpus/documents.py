"""Rows of any table as pairs of a prompt and its answer: two columns of text, running text, a chat, or a text and its label.

A sentence of running text is cut at a space that depends on the sentence alone, so that it is cut alike wherever it stands:
the first part is the prompt, the rest the answer. All pairs of a document stay in one pool.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from codeunlearn.corpus.columns import GUESSES, SUMMARISED, Column, choose_columns
from codeunlearn.corpus.lines import Skip, is_unicode, one_line
from codeunlearn.corpus.matching import normal_form
from codeunlearn.corpus.pools import normalise
from codeunlearn.tasks.sentences import sentences_of

TEXT, MESSAGES, LABEL, WRONG = "text", "messages", "label", "perturbed_answer"
"""Columns that are known by their names."""
FEWEST_WORDS = 4
"""A shorter sentence is not cut."""

Kind = Literal["pairs", "summaries", "text", "messages", "labels"]


class Asked(NamedTuple):
    """A prompt and its answer.

    Attributes:
        wrong: wrong answers.
        document: what all pairs of one document share; empty where pairs stand alone.
    """

    prompt: str
    answer: str
    wrong: tuple[str, ...] = ()
    document: str = ""


@dataclass(frozen=True)
class Reading:
    """How the rows of a table are read.

    Attributes:
        kind: what the rows hold.
        columns: names of the columns that are read, for messages.
        pairs: the pairs of a row, none where it is left out.
    """

    kind: Kind
    columns: tuple[str, ...]
    pairs: Callable[[Any, Skip], Iterator[Asked]]


def reading_of(
    columns: Sequence[Column], source: str | None, target: str | None, sample: Sequence[Any], where: str, most: int
) -> Reading:
    """How a table of these columns is read: as two columns of text if it has such, else as messages, labels or text.

    Args:
        source: name or number of the column of prompts, where two are asked for.
        target: likewise, of answers.
        sample: rows by which columns of constants and numbers are known.
        where: the file or data set, for messages.
        most: characters of a prompt or an answer; longer ones are left out.

    Raises:
        CodeUnlearnError: a column is not there, not unique or holds no sentences, or none can be guessed.
    """
    named: dict[str, Column] = {column.leaf: column for column in reversed(columns)}
    if source is None and target is None and not any(a in named and b in named for a, b in GUESSES):
        if MESSAGES in named:
            column = named[MESSAGES]
            return Reading("messages", (column.shown,), lambda row, skip: _messages(column.value(row), most, skip))
        if TEXT in named and LABEL in named:
            text, label = named[TEXT], named[LABEL]
            return Reading(
                "labels", (text.shown, label.shown),
                lambda row, skip: _pair(text.value(row), _written(label.value(row)), (), most, skip),
            )  # fmt: skip
        if TEXT in named:
            column = named[TEXT]
            return Reading("text", (column.shown,), lambda row, skip: _sentences(column.value(row), most, skip))
    prompt, answer = choose_columns(columns, source, target, sample, where)
    wrong = named.get(WRONG)

    def pairs(row: Any, skip: Skip) -> Iterator[Asked]:
        return _pair(prompt.value(row), answer.value(row), _listed(wrong.value(row)) if wrong else (), most, skip)

    kind: Kind = "summaries" if (prompt.leaf, answer.leaf) in SUMMARISED else "pairs"
    return Reading(kind, (prompt.shown, answer.shown), pairs)


def cut(sentence: str) -> tuple[str, str] | None:
    """A sentence's beginning and its rest, at a space of its middle part that a hash of its words chooses.

    None if it has fewer than `FEWEST_WORDS` words.
    """
    words = one_line(sentence).split(" ")
    if len(words) < FEWEST_WORDS:
        return None
    least = len(words) // 3
    place = least + _hash(sentence) % (len(words) - 2 * least + 1)
    return " ".join(words[:place]), " ".join(words[place:])


def _sentences(document: Any, most: int, skip: Skip) -> Iterator[Asked]:
    if not isinstance(document, str) or not _is_seen(document):
        skip("without text")
        return
    of = f"{_hash(document):016x}"
    for sentence in sentences_of(document):
        parts = cut(sentence)
        if parts is None:
            skip(f"of fewer than {FEWEST_WORDS} words")
        else:
            yield from (one._replace(document=of) for one in _pair(*parts, (), most, skip))


def _messages(turns: Any, most: int, skip: Skip) -> Iterator[Asked]:
    """The assistant's last turn is the answer, and all before it the prompt."""
    said = [(_role(turn), _content(turn)) for turn in cast(list[Any], turns)] if isinstance(turns, list) else []
    last = max((i for i, (role, _) in enumerate(said) if role == "assistant"), default=0)
    if not last:
        skip("without an answer of an assistant")
        return
    yield from _pair("\n\n".join(content for _, content in said[:last]), said[last][1], (), most, skip)


def _role(turn: Any) -> str:
    return str(cast(dict[str, Any], turn).get("role")) if isinstance(turn, dict) else ""


def _content(turn: Any) -> str:
    """Its text, of several parts too."""
    content = cast(dict[str, Any], turn).get("content") if isinstance(turn, dict) else None
    parts: list[Any] = cast(list[Any], content) if isinstance(content, list) else [{"text": content}]
    texts = (cast(dict[str, Any], part).get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _pair(prompt: Any, answer: Any, wrong: tuple[str, ...], most: int, skip: Skip) -> Iterator[Asked]:
    if not (isinstance(prompt, str) and isinstance(answer, str) and _is_seen(prompt) and _is_seen(answer)):
        skip("with a side missing")
    elif max(len(prompt), len(answer)) > most:
        skip(f"longer than {most} characters")
    elif not (is_unicode(prompt) and is_unicode(answer)):
        skip("not UTF-8")
    elif "\0" in prompt or "\0" in answer:
        skip("with a null character")
    else:
        yield Asked(prompt.strip(), answer.strip(), wrong)


def _listed(wrong: Any) -> tuple[str, ...]:
    """Wrong answers, one or several, that can be read."""
    several = cast(list[Any], wrong if isinstance(wrong, list) else [wrong])
    return tuple(one.strip() for one in several if isinstance(one, str) and _is_seen(one) and is_unicode(one))


def _written(label: Any) -> Any:
    """A label that is a number, as text; JSON's are read as floats."""
    return str(int(label)) if isinstance(label, int | float) and label == int(label) else label


def _is_seen(text: str) -> bool:
    """Whether anything of it shows: soft hyphens and zero-width spaces alone are no sentence."""
    return any("!" <= character <= "~" for character in text) or bool(normal_form(text).strip())


def _hash(text: str) -> int:
    """Of what texts have in common that read the same."""
    return int.from_bytes(hashlib.blake2b(normalise(text).encode(), digest_size=8).digest(), "big")
