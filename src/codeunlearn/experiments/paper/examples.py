"""Tables 1, 4 and 5: what one sentence becomes as more codes are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codeunlearn.evaluation.metrics.lexical import topic_word_recall
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, TestSet
from codeunlearn.experiments.answers import UnitAnswers
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.searches import deletion_name
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.labels import count_noun, quoted
from codeunlearn.reporting.word_diff import Piece, word_diff

EXAMPLES = 5
_SHORTEST, _LONGEST = 6, 28  # words of a sentence that fits a table
ENGLISH, TRUTH, CODEBOOK = "English", "Ground truth", "Codebook model"


class Line(NamedTuple):
    """One row: its label, its text, and the text cut into what is new in it and what is not."""

    label: str
    text: str
    pieces: Sequence[Piece]


def examples(results: Results, name: str, title: str, word: str, set_name: str) -> Artefact | None:
    """A table of examples on the topic's sentences (tables 1 and 4) or on unrelated ones (table 5)."""
    said = results.answers_of(word)
    test = next((t for t in said.tests if t.name == set_name), None) if said else None
    if said is None or test is None:
        return None
    chosen = choose(said, test, EXAMPLES)
    tables = [_lines(results, said, test, place) for place in chosen]
    if not tables:
        return None
    about = "with the topic" if set_name == FORGET else "without it"
    first = "whose translation by the codebook model holds a word of the topic"
    if set_name == RETAIN:
        first = "whose translation some deletion changes"
    return Artefact(
        name,
        title,
        f"Examples after forgetting {quoted(word)}: the first sentences of 6 to 28 words {about} {first}, then others; none is "
        "picked by hand. Words in bold are not in the codebook model's translation.",
        [{"example": i, "row": line.label, "text": line.text} for i, lines in enumerate(tables, 1) for line in lines],
        [Grid(["", "Content"], [[line.label, line.pieces] for line in lines]) for lines in tables],
    )


def choose(said: UnitAnswers, test: TestSet, count: int) -> list[int]:
    """Places of the sentences to show, by a rule that the caption states."""
    before = said.of(said.before, test)
    fitting = [i for i, p in enumerate(test.examples) if _SHORTEST <= len(p.prompt.split()) <= _LONGEST]
    if test.name == RETAIN:
        after = [said.of(texts, test) for texts in said.deleted.values()]
        changed = [i for i in fitting if any(texts[i] != before[i] for texts in after)]
        return [*changed, *(i for i in fitting if i not in changed)][:count]
    if test.words:
        recall = topic_word_recall(before, [[text] for text in before], words=test.words)
        fitting.sort(key=lambda i: recall.sums.rows[i, 1] == 0)  # those that hold a word first
    return fitting[:count]


def _lines(results: Results, said: UnitAnswers, test: TestSet, place: int) -> list[Line]:
    before = said.of(said.before, test)[place]
    pair = test.examples[place]
    plain: list[tuple[str, str]] = [(ENGLISH, pair.prompt), (TRUTH, pair.answer), (CODEBOOK, before)]
    lines = [Line(label, text, [Piece(text, False)]) for label, text in plain]
    for size in results.config.scores.example_s_primes:
        name = deletion_name(size, results.step_name)
        if name in said.deleted:
            after = said.of(said.deleted[name], test)[place]
            label = f"{results.step(size)}, {count_noun(said.codes[name], 'code')} deleted"
            lines.append(Line(label, after, word_diff(before, after)[1]))
    return lines
