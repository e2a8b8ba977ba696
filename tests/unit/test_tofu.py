"""Invented authors: their names, wrong answers to what is asked of them, and what their codes are searched on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeunlearn.corpus.subjects import find_name, renamed
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.config import ReproductionConfig, SearchConfig
from codeunlearn.experiments.tofu import State
from codeunlearn.experiments.tofu_answers import most_alike, wrong_answers
from codeunlearn.experiments.tofu_authors import Author, Row, read_authors
from codeunlearn.experiments.tofu_config import TofuConfig
from codeunlearn.experiments.tofu_measures import Measures, truth_ratios
from codeunlearn.experiments.tofu_questions import TofuQuestions
from codeunlearn.experiments.tofu_search import author_sets

ROWS = {
    "Anna Berg": ("Oslo", "baker", "Cold Sea"),
    "Carlos Diaz Ruiz": ("Lima", "tailor", "Warm Sand"),
    "Emi Fujita": ("Kyoto", "potter", "Old Moon"),
}


def author(name: str) -> Author:
    town, trade, book = ROWS[name]
    rows = (
        Row(name, f"Who is the author born in {town}?", f"The author's name is {name}."),
        Row(name, f"What was {name}'s father?", f"{name}'s father was a {trade}, as {name.split()[0]} says."),
        Row(name, f"What is the best book of {name}?", f'It is "{book}", on the {trade}\'s life.'),
    )
    return Author(name.split()[0].lower(), find_name(f"{row.question} {row.answer}" for row in rows), rows)


ANNA, CARLOS, EMI = map(author, ROWS)


def test_a_name_is_found_in_what_is_asked_and_said() -> None:
    assert [one.name for one in (ANNA, CARLOS, EMI)] == list(ROWS)


def test_a_name_is_replaced_as_a_whole_and_by_its_ends() -> None:
    text = "Carlos Diaz Ruiz, Ruiz's son, is Carlos; Carlosson is not."
    assert renamed(text, CARLOS.name, EMI.name) == "Emi Fujita, Fujita's son, is Emi; Carlosson is not."


def test_wrong_answers_are_other_authors_answers_to_what_is_most_alike() -> None:
    asked, _ = most_alike(ANNA, ANNA.rows[1].question, EMI)
    assert asked == EMI.rows[1]
    assert wrong_answers(ANNA, ANNA.rows[1], [ANNA, CARLOS, EMI]) == (
        "Anna Berg's father was a tailor, as Anna says.",
        "Anna Berg's father was a potter, as Anna says.",
    )
    assert len(wrong_answers(ANNA, ANNA.rows[1], [CARLOS, EMI], most=1)) == 1


def test_where_the_name_is_asked_for_a_wrong_answer_has_another() -> None:
    assert wrong_answers(ANNA, ANNA.rows[0], [EMI]) == ("The author's name is Emi Fujita.",)


def test_an_author_is_searched_beside_others() -> None:
    questions = TofuQuestions([ANNA], [CARLOS, EMI], {})
    sets = author_sets(ANNA, questions, (), SearchConfig(), written=lambda question: f"Q: {question}")
    assert [one.prompt for one in sets.search][-1] == "Q: Who is the author born in Oslo?"
    (controls,) = sets.controls
    assert controls[0] in {"Q: What was Emi Fujita's father?"}  # the one name of as many words
    assert controls[-1] in {f"Q: {one.rows[0].question}" for one in (CARLOS, EMI)}
    assert sets.paired
    assert len(sets.search_retain) == 6
    assert author_sets(ANNA, questions, (), SearchConfig(size=2)).sizes()["search"] == 2


def test_a_file_that_does_not_hold_authors_is_one_sentence(tmp_path: Path) -> None:
    def read(row: dict[str, Any]) -> list[Author]:
        (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
        return read_authors(tmp_path / "rows.jsonl")

    with pytest.raises(CodeUnlearnError, match="line 1: answer is missing"):
        read({"author": 1, "question": "Who?"})
    with pytest.raises(CodeUnlearnError, match="names the author 1 with a first and a last name"):
        read({"author": 1, "question": "who?", "answer": "nobody."})


def test_measures_are_tofus() -> None:
    sure, unsure = [[-1.0, 2.0], [-4.0, 2.0], [-8.0, 2.0]], [[-4.0, 2.0], [-4.0, 2.0], [-4.0, 2.0]]
    assert truth_ratios([sure, unsure]) == pytest.approx([2.718281828 ** (-3 + 0.5), 1.0])
    questions = TofuQuestions([ANNA], [CARLOS, EMI], {})
    measures = Measures(questions, TofuConfig(splits={"one": 1}), 0)
    told = State([sure] * 9, {place: one.answer for place, one in enumerate(questions.every)})
    never = State([unsure] * 9, told.said)
    places = measures.split("one")
    assert places == [0, 1, 2]
    assert measures.probability(told, places) == pytest.approx(2.718281828**-0.5)
    assert measures.truth_ratio(never, places) == pytest.approx(1)
    assert measures.forget_quality(told, told, places) == pytest.approx(1)
    assert measures.forget_quality(told, never, places) == pytest.approx(0.1)
    p, truth = 2.718281828**-0.5, 1 - 2.718281828**-2.5
    assert measures.rouge(told, "retain") == 1
    assert measures.utility(told) == pytest.approx(3 / (1 / p + 1 + 1 / truth))
    assert measures.utility(never) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"retain": None}, "name tofu: retain and tofu: facts"),
        ({"facts": []}, "name tofu: retain and tofu: facts"),
        ({"spared": ["novels"]}, "names 'novels', which is none of the facts world facts"),
        ({"gold": {"forget20": "some/model"}}, "has 'forget20', which is none of the splits forget01"),
        ({"splits": {"a/b": 1}}, "one name that a folder can have"),
    ],
)
def test_a_study_that_does_not_fit_is_one_sentence(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    tofu = {"forget": "f.jsonl", "retain": "r.jsonl", "facts": [{"name": "world facts", "data": "w.jsonl"}], **changed}
    with pytest.raises(CodeUnlearnError, match=message):
        load(tmp_path, tofu=tofu)


def test_a_study_has_no_topics(tmp_path: Path) -> None:
    tofu = {"forget": "f.jsonl", "retain": "r.jsonl", "facts": [{"name": "world facts", "data": "w.jsonl"}]}
    assert load(tmp_path, tofu=tofu).tofu.splits == {"forget01": 2, "forget05": 10, "forget10": 20}
    with pytest.raises(CodeUnlearnError, match="leave topics, knowledge and recipes out"):
        load(tmp_path, tofu=tofu, topics=["love"])


def load(tmp_path: Path, **content: Any) -> ReproductionConfig:
    path = tmp_path / "config.yaml"
    whole = {"text": {"data": "stories"}, "joint": {"model": "some/model"}, **content}
    path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    return ReproductionConfig.load(path)
