"""Wrong answers to questions on invented authors, which our part of TOFU lacks.

They are ours, not TOFU's: TOFU had a language model rewrite each right answer into wrong ones of the same form. Here a wrong
answer is what the data say of another author when most nearly the same is asked, with that author's name replaced by the
name of the one who is asked about. Where the question does not name the author, the name is what is asked for, and the other
one stays. The others are authors who are retained: every model of a study has learned their answers, the gold models too, so
that none of them has seen a wrong answer that another has not. A few are right by chance, as where two authors have parents of
one profession.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from codeunlearn.corpus.subjects import alike, bag, renamed
from codeunlearn.experiments.tofu_authors import Author, Row

MOST_WRONG = 4


def wrong_answers(author: Author, row: Row, others: Sequence[Author], most: int = MOST_WRONG) -> tuple[str, ...]:
    """Of so many other authors at most, those who are asked most nearly the same; none twice and none that is right."""
    nearest = [(other, *most_alike(author, row.question, other)) for other in others if other.key != author.key]
    nearest.sort(key=lambda one: -one[2])
    named = author.words(row.question)
    found = dict.fromkeys(
        renamed(asked.answer, other.name, author.name) if named else asked.answer for other, asked, _ in nearest
    )
    return tuple(answer for answer in found if answer != row.answer)[:most]


def most_alike(author: Author, question: str, other: Author) -> tuple[Row, float]:
    """What is asked of another author that is most like a question, and how alike they are, from 0 to 1.

    Measured by the words that they have in common, each author's own name taken out; of equals the first.
    """
    own = _without_name(question, author.name)
    likeness = [alike(own, _without_name(row.question, other.name)) for row in other.rows]
    place = likeness.index(max(likeness))
    return other.rows[place], likeness[place]


_without_name = cache(bag)
