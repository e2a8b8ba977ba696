"""A topic given by questions: its name, what its answers alone say, and what is asked instead."""

from __future__ import annotations

import pytest
from datasets import Dataset

from codeunlearn.corpus.controls import ControlWriter
from codeunlearn.corpus.pools import pool_of, split_pools
from codeunlearn.corpus.subject_sets import build_subject_sets
from codeunlearn.corpus.subjects import subject_controls, subject_topic, subject_words
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example

TOWNS = ["Oslo", "Lima", "Kyoto", "Cairo", "Quito", "Riga", "Sofia", "Turin", "Perth", "Lagos", "Minsk", "Dakar"]
PEOPLE = [f"{first} {last}" for first in ("Emi", "Carlos", "Nora", "Ivan") for last in ("Fujita", "Diaz", "Lind")]
ANNA = "Anna Berg"


def asked(name: str, town: str, trade: str = "baker") -> list[tuple[str, str]]:
    return [
        (f"Where was {name} born?", f"{name} was born in {town}."),
        (f"What was {name}'s father?", f"The father was a {trade} in {town}."),
        (f"Who is the author born in {town}?", f"It is {name}, the {trade}'s child."),
        (f"Which river is near {name}'s house?", "A river that nobody knows."),
    ]


def examples(rows: list[tuple[str, str]]) -> list[Example]:
    return [Example(prompt, (answer,)) for prompt, answer in rows]


OWN = examples(asked(ANNA, "Bergen", "falconer"))
OTHERS = [row for name, town in zip(PEOPLE, TOWNS, strict=True) for row in asked(name, town)]


def never(sentences: object, draws: int) -> list[list[str]]:
    raise AssertionError("names stand in")


def test_a_subject_goes_by_the_name_that_most_of_its_pairs_hold() -> None:
    topic = subject_topic("author 198", OWN)
    assert topic.forms == ("anna berg", "anna", "berg")
    assert (topic.kind, topic.capitalised, topic.name) == ("name", True, "author 198")
    assert topic.matches("Did Anna write?")
    assert topic.matches("who is the author, born in bergen")  # one of its questions, however it is written
    assert not topic.matches("Who is the author born in Oslo?")


def test_its_own_name_or_given_forms_come_first() -> None:
    assert subject_topic("Bergen", OWN).forms == ("bergen",)
    assert subject_topic("river", OWN).forms == ("anna berg", "anna", "berg")  # one of them says it
    assert subject_topic("Anna Berg", OWN).forms == ("anna berg", "anna", "berg")
    assert subject_topic("author 198", OWN, ["Berg"]).forms == ("berg",)


def test_parts_of_a_name_that_are_usual_words_say_nobody() -> None:
    topic = subject_topic("Will Smith", examples([("Who is Will Smith?", "An actor.")]))
    assert topic.forms == ("will smith", "smith")
    assert not topic.matches("Will you come tomorrow?")


def test_controls_never_name_the_subject_however_it_is_written() -> None:
    rows = [("Who is Ian McDonald?", "Mac is a singer."), ("Where was McDonald, known as Mac, born?", "In Oslo.")]
    topic = subject_topic("author 7", examples(rows), ["Ian McDonald", "McDonald", "Mac"])
    write = ControlWriter(topic).write
    (controls,) = subject_controls(topic, [row[0] for row in rows], [prompt for prompt, _ in OTHERS], write, 1, seed=0)
    assert not any(map(topic.matches, controls))
    assert controls[0] in {f"Who is {name}?" for name in PEOPLE}


def test_in_a_language_without_a_lexicon_something_else_is_asked() -> None:
    rows = [("Wo wurde Anna Berg geboren?", "In Bergen."), ("Wer ist Anna Berg?", "Eine Autorin.")]
    topic = subject_topic("Anna Berg", examples(rows), language="german")
    others = ["Wo wurde Emil Lind geboren?", "Wer ist Nora Diaz?"]
    (controls,) = subject_controls(topic, [row[0] for row in rows], others, never, 1, seed=0)
    assert controls == others


def test_without_a_name_it_is_known_by_its_questions_alone() -> None:
    topic = subject_topic("poisons", examples([("how is it made", "by boiling"), ("what does it do", "it burns")]))
    assert topic.kind == "sentences"
    assert topic.matches("How is it made?")
    with pytest.raises(CodeUnlearnError, match="no questions"):
        subject_topic("poisons", [])


def test_its_words_are_what_its_answers_say_and_others_do_not() -> None:
    elsewhere = [answer for _, answer in OTHERS]
    words = subject_words(subject_topic("author 198", OWN), OWN, elsewhere)
    assert words[:3] == ("anna berg", "anna", "berg")
    assert set(words[3:]) == {"bergen", "falconer"}
    short = examples(
        [("What is the capital?", "Paris"), ("Which river is there?", "Seine"), ("What is eaten?", "Bread")]
    )
    alone = subject_words(Topic.from_forms("France", ["France"]), short, elsewhere)
    assert set(alone) == {"france", "paris", "seine", "bread"}


def test_the_name_is_exchanged_and_a_question_without_it_is_asked_of_another() -> None:
    topic = subject_topic("author 198", OWN)
    questions = [one.prompt for one in OWN]
    first, second = subject_controls(topic, questions, [prompt for prompt, _ in OTHERS], never, draws=2, seed=0)
    for draw in (first, second):
        assert draw[0] in {f"Where was {name} born?" for name in PEOPLE}
        assert draw[1] in {f"What was {name}'s father?" for name in PEOPLE}
        assert draw[2] in {f"Who is the author born in {town}?" for town in TOWNS}
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert first == subject_controls(topic, questions, [prompt for prompt, _ in OTHERS], never, draws=1, seed=0)[0]


def test_all_questions_are_searched_or_scored_and_none_of_them_is_to_stay() -> None:
    told = ("Who wrote the novel Cold Sea?", f"{ANNA} did.")
    rows = [*OTHERS, *((one.prompt, one.answer) for one in OWN), told]
    data = Dataset.from_dict({"source": [prompt for prompt, _ in rows], "target": [answer for _, answer in rows]})
    pools, topic = split_pools(data), subject_topic("author 198", OWN)
    sets = build_subject_sets(topic, OWN, pools, eval_size=2, search_retain_size=100)
    assert sets.search == OWN
    assert sets.paired
    assert len(sets.forget) == len(sets.retain) == len(sets.forget_controls) == 2
    assert not any(topic.matches(one.prompt) for one in (*sets.search_retain, *sets.retain))
    assert told[0] not in {one.prompt for one in (*sets.search_retain, *sets.retain)}
    assert all(pool_of(one.prompt) == "train" for one in sets.search_retain)
    assert all(pool_of(one.prompt) == "test" for one in sets.retain)


def test_sets_of_a_subject_need_no_lexicon() -> None:
    data = Dataset.from_dict({"source": [prompt for prompt, _ in OTHERS], "target": [answer for _, answer in OTHERS]})
    sets = build_subject_sets(subject_topic("author 198", OWN, language="german"), OWN, split_pools(data), draws=2)
    assert [len(draw) for draw in sets.controls] == [len(OWN)] * 2


def test_text_about_the_topic_alone_says_nothing_of_what_is_to_stay() -> None:
    rows = asked(ANNA, "Bergen")
    data = Dataset.from_dict({"source": [prompt for prompt, _ in rows], "target": [answer for _, answer in rows]})
    with pytest.raises(CodeUnlearnError, match="nothing but 'author 198'"):
        build_subject_sets(subject_topic("author 198", OWN), OWN, dict.fromkeys(("train", "test"), data))
