"""Topics are proposed as the paper chooses them: words of a middle frequency, with what the sets would have of them."""

from __future__ import annotations

import pytest

from codeunlearn.corpus.topic_choice import propose_topics
from codeunlearn.errors import CodeUnlearnError

CORPUS = [
    *(f"The captain saw house number {i}." for i in range(60)),
    *(f"She loves the sea on day {i}." for i in range(30)),
    *(f"They love the sea on day {i}." for i in range(25)),
    *(f"Yesterday Julien came home at {i}." for i in range(40)),
    *(f"A rare heron stood there, {i}." for i in range(5)),
]


def test_words_in_the_range_are_proposed_with_count_and_part_of_speech() -> None:
    found = {topic.word: topic for topic in propose_topics(CORPUS, at_least=20, at_most=70)}
    assert (found["captain"].pos, found["captain"].count) == ("NOUN", 60)
    assert (found["Julien"].pos, found["Julien"].count) == ("NAME", 40)
    assert found["love"].count == 25
    assert "heron" not in found
    assert "the" not in found


def test_an_inflected_form_is_no_topic_of_its_own_and_counts_among_the_sentences() -> None:
    found = {topic.word: topic for topic in propose_topics(CORPUS, at_least=20, at_most=70)}
    assert "loves" not in found
    assert "loves" in found["love"].forms
    assert sum(found["love"].sentences.values()) == 55
    assert set(found["love"].sentences) == {"train", "validation", "test"}


def test_the_most_frequent_comes_first_and_parts_of_speech_can_be_chosen() -> None:
    counts = [topic.count for topic in propose_topics(CORPUS, at_least=20, at_most=70)]
    assert counts == sorted(counts, reverse=True)
    assert {topic.word for topic in propose_topics(CORPUS, at_least=20, at_most=70, pos=["NAME"])} == {"Julien"}


def test_what_cannot_be_proposed_is_said_in_one_sentence() -> None:
    with pytest.raises(CodeUnlearnError, match="No word occurs"):
        propose_topics(CORPUS, at_least=9, at_most=3)
    with pytest.raises(CodeUnlearnError, match="Unknown part of speech 'PRP'"):
        propose_topics(CORPUS, pos=["PRP"])
