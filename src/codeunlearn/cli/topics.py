"""``codeunlearn topics``: words of a corpus that can serve as topics, as the paper chooses them."""

from __future__ import annotations

from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, screen


def run(
    *,
    text: options.Text,
    at_least: Annotated[int, typer.Option("--at-least", help="Occurrences a word must have.", min=1)] = 500,
    at_most: Annotated[int, typer.Option("--at-most", help="Occurrences a word may have.", min=1)] = 700,
    pos: Annotated[
        str | None, typer.Option("--pos", help="Parts of speech, separated by commas; NOUN,VERB,ADJ,NAME if absent.")
    ] = None,
    json: options.Json = None,
) -> None:
    """Propose topics: words of a corpus frequency of 500 to 700 (paper, appendix B.1), with counts and parts of speech.

    Forms of one word count together, as a topic takes the word in all its inflections.
    """
    from codeunlearn.corpus.loading import load_pairs
    from codeunlearn.corpus.topic_choice import PARTS_OF_SPEECH, propose_topics
    from codeunlearn.reporting.tables import topics_table

    loaded = load_pairs(text.config())
    screen.print(str(loaded.report), highlight=False)
    proposed = propose_topics(
        loaded.dataset["source"][:], at_least=at_least, at_most=at_most, pos=options.words(pos) or PARTS_OF_SPEECH
    )
    emit_json(json, {"topics": [topic.to_dict() for topic in proposed]}, topics_table(proposed))
