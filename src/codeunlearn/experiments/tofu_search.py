"""The sentences on which an invented author's codes are searched: what is asked of the author, beside other authors.

They are those of any topic that is given by questions (`codeunlearn.corpus.subjects`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codeunlearn.corpus.controls import ControlWriter
from codeunlearn.corpus.subjects import subject_controls, subject_words
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.experiments.config import SearchConfig
from codeunlearn.experiments.tofu_authors import Author
from codeunlearn.experiments.tofu_questions import TofuQuestions
from codeunlearn.tasks.base import Example


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
    forms = tuple(form.lower() for form in (author.name, *author.parts))
    topic = Topic(author.name, forms, "name", capitalised=True)
    rows = sorted(author.rows, key=lambda row: not author.words(row.question))[: search.size]
    others = [Example(row.question, (row.answer,)) for other in questions.retain for row in other.rows]
    facts = [Example(one.prompt, (one.answer,)) for name in spared for one in questions.facts[name]]
    write = ControlWriter(topic, seed=seed).write
    controls = subject_controls(
        topic, [row.question for row in rows], [other.prompt for other in others], write, search.draws, seed
    )
    return TopicSets(
        topic=topic,
        search=[Example(written(row.question), (row.answer,)) for row in rows],
        controls=[list(map(written, draw)) for draw in controls],
        paired=True,
        tune=[],
        tune_retain=[],
        forget=[],
        retain=[],
        target_words=subject_words(
            topic, [Example(row.question, (row.answer,)) for row in author.rows], [other.answer for other in others]
        ),
        search_retain=[Example(written(one.prompt), one.answers) for one in (*others, *facts)],
        answer_language="english",
    )
