"""The sentences on which an invented author's codes are searched: what is asked of the author, beside other authors.

The control of a question that names the author is the same question with another author's name. One without the name (such
as "Who was born in Taipei on ...?") has no word that could be exchanged; its control is what a retained author is asked that
is most like it. So every question has a control of its own and all tests are paired, as recipes want that measure how far an
author is closed. Such a pair differs in other words too, which are in part what is to be forgotten, and in part chance that
falls on both sides alike.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.experiments.config import SearchConfig
from codeunlearn.experiments.tofu_answers import most_alike
from codeunlearn.experiments.tofu_authors import Author, Row, renamed, words_of
from codeunlearn.experiments.tofu_questions import TofuQuestions
from codeunlearn.tasks.base import Example

_IN_ANSWERS = 2
"""A word of an author is in so many of the answers at least."""
_SHORTEST_WORD = 3


def author_sets(
    author: Author,
    questions: TofuQuestions,
    spared: Sequence[str],
    search: SearchConfig,
    *,
    seed: int = 0,
    written: Callable[[str], str] = str,
) -> TopicSets:
    """The sets of one author; nothing in them is scored.

    Args:
        spared: sets of facts that are read as unrelated text, with what is asked of the retained authors.
        search: how many questions, those that name the author first, and controls of each.
        seed: of the names that stand in.
        written: a question as the model reads it.
    """
    rows = sorted(author.rows, key=lambda row: not author.words(row.question))[: search.size]
    controls = [_controls(author, rows, questions.retain, seed, draw) for draw in range(search.draws)]
    unrelated = [Example(row.question, (row.answer,)) for other in questions.retain for row in other.rows]
    unrelated += [Example(one.prompt, (one.answer,)) for name in spared for one in questions.facts[name]]
    others = [other for other in (*questions.forget, *questions.retain) if other.key != author.key]
    forms = tuple(form.lower() for form in (author.name, *author.parts))
    return TopicSets(
        topic=Topic(author.name, forms, "name", capitalised=True),
        search=[Example(written(row.question), (row.answer,)) for row in rows],
        controls=[list(map(written, draw)) for draw in controls],
        paired=True,
        tune=[],
        tune_retain=[],
        forget=[],
        retain=[],
        target_words=author_words(author, others),
        search_retain=[Example(written(one.prompt), one.answers) for one in unrelated],
        answer_language="english",
    )


def author_words(author: Author, others: Sequence[Author]) -> tuple[str, ...]:
    """The parts of the name, and what several of the author's answers say and no answer of another author's."""
    known = {word for other in others for row in other.rows for word in _words(row.answer)}
    counts = Counter(word for row in author.rows for word in _words(row.answer))
    own = [word for word, count in counts.most_common() if count >= _IN_ANSWERS and word not in known]
    return tuple(dict.fromkeys([*(part.lower() for part in author.parts), *own]))


def _controls(author: Author, rows: Sequence[Row], retain: Sequence[Author], seed: int, draw: int) -> list[str]:
    generator = random.Random(f"{seed} {author.key} {draw}")
    found: list[str] = []
    for row in rows:
        instead = generator.choice(retain)
        changed = renamed(row.question, author, instead)
        found.append(changed if changed != row.question else _asked_instead(author, row, retain, draw))
    return found


def _asked_instead(author: Author, row: Row, retain: Sequence[Author], draw: int) -> str:
    """What is asked of a retained author that is most alike, in the second draw what comes next, and so on."""
    nearest = sorted((most_alike(author, row.question, other) for other in retain), key=lambda one: -one[1])
    return nearest[draw % len(nearest)][0].question


def _words(text: str) -> dict[str, None]:
    """Each once, in their order."""
    return dict.fromkeys(word.lower() for word in words_of(text) if len(word) >= _SHORTEST_WORD)
