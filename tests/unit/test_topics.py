"""A topic is the forms of a word, a name, a list of forms, or a set of sentences; it matches whole words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeunlearn.cli.topic_options import read_topic
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("love", {"love", "loves", "loved", "loving"}),
        ("wish", {"wish", "wishes", "wished", "wishing"}),
        ("poor", {"poor", "poorer", "poorest"}),
        ("captain", {"captain", "captains"}),
        ("dog", {"dog", "dogs"}),
        ("book", {"book", "books"}),
        ("child", {"child", "children"}),
        ("good", {"good", "goods", "better", "best"}),
        ("run", {"run", "runs", "ran", "running"}),
        ("three", {"three"}),
        ("be", {"be", "am", "is", "are", "was", "were", "been", "being"}),
        ("have", {"have", "has", "had", "having"}),
        ("do", {"do", "does", "did", "done", "doing"}),
        ("people", {"people", "peoples"}),
        ("caf\u00e9", {"caf\u00e9", "caf\u00e9s"}),
        ("clich\u00e9", {"clich\u00e9", "clich\u00e9s"}),
        ("r\u00e9sum\u00e9", {"r\u00e9sum\u00e9", "r\u00e9sum\u00e9s"}),
        ("na\u00efve", {"na\u00efve"}),
        ("emoji", {"emoji", "emojis"}),
        ("tv", {"tv", "tvs"}),
        ("mother-in-law", {"mother-in-law", "mothers-in-law"}),
        ("passer-by", {"passer-by", "passers-by"}),
        ("ice-cream", {"ice-cream", "ice-creams"}),
        ("o'clock", {"o'clock"}),
        ("ma'am", {"ma'am"}),
        ("covid-19", {"covid-19"}),
        ("3d", {"3d"}),
        ("i", {"i"}),
    ],
)
def test_a_word_becomes_the_inflections_it_is_used_in(word: str, forms: set[str]) -> None:
    topic = Topic.from_word(word)
    assert set(topic.forms) == forms
    assert topic.forms[0] == word
    assert topic.kind == "word"


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ("books", "book"),
        ("Loved", "love"),
        ("LOVE", "love"),
        *((form, "be") for form in ("am", "is", "are", "was", "were", "been", "being")),
        ("did", "do"),
        ("doing", "do"),
        ("has", "have"),
        ("going", "go"),
        ("children", "child"),
        ("men", "man"),
        ("better", "good"),
        ("caf\u00e9s", "caf\u00e9"),
        ("cafe\u0301", "caf\u00e9"),
        ("mothers-in-law", "mother-in-law"),
        ("mother\u2011in\u2011law", "mother-in-law"),
        ("emojis", "emoji"),
        ("o\u02bcclock", "o'clock"),
    ],
)
def test_an_inflected_form_or_another_spelling_leads_to_the_same_forms(form: str, word: str) -> None:
    assert set(Topic.from_word(form).forms) == set(Topic.from_word(word).forms)


@pytest.mark.parametrize("word", ["don't", "don\u2019t", "isn't", "I'm", "we'll", "Tom's", "let's"])
def test_a_contraction_is_refused_as_two_words(word: str) -> None:
    with pytest.raises(CodeUnlearnError, match=r"is not one word but .*; name one of them"):
        Topic.from_word(word)
    listed = Topic.from_forms("listed", [word])
    assert listed.kind == "word" or word == "Tom's"
    assert listed.matches(f"I said {word}!")


@pytest.mark.parametrize("word", ["IT", "US", "WHO", "CAN"])
def test_an_abbreviation_that_is_a_pronoun_or_auxiliary_in_lower_case_is_refused(word: str) -> None:
    with pytest.raises(CodeUnlearnError, match=f"would take '{word.lower()}' with it"):
        Topic.from_word(word)
    assert Topic.from_word(word.lower()).kind == "word"


@pytest.mark.parametrize("word", ["Julien", "julien", "Boston", "boston", "Rochester", "Tom", "Mark", "Rose"])
def test_a_name_has_only_itself(word: str) -> None:
    topic = Topic.from_word(word)
    assert topic.kind == "name"
    assert topic.forms == (word.lower(),)


@pytest.mark.parametrize("word", ["Captain", "Poor", "Wish", "White", "Black", "mark", "rose", "Love"])
def test_a_capital_alone_makes_no_name(word: str) -> None:
    assert Topic.from_word(word).kind == "word"


def test_the_kind_can_be_told() -> None:
    assert Topic.from_word("Hope", kind="name").forms == ("hope",)
    assert "hoping" in Topic.from_word("Hope").forms
    assert Topic.from_word("Mark", kind="word").matches("We marked it.")


def test_topics_match_whole_words_in_any_case() -> None:
    love = Topic.from_word("love")
    for sentence in ("I LOVE you.", "Love's labour", "a love-letter", "She\tloved him", "“love”", "love_1"):
        assert love.matches(sentence)
    for sentence in ("my gloves", "a lovely day", "clover", "love1", "Lover!"):
        assert not love.matches(sentence)


@pytest.mark.parametrize(
    "disguised",
    [
        "_love_",
        "*Love*",
        "lo\u00adve",
        "l\u200bo\u200cv\u200de",
        "\uff2c\uff2f\uff36\uff25",
        "\ufefflove",
        "love\ufe0f",
        "love\u2019s",
    ],
)
def test_topics_are_found_however_they_are_written(disguised: str) -> None:
    love = Topic.from_word("love")
    assert love.matches(f"My {disguised} is gone.")
    assert love.rows(["none", f"My {disguised} is gone."]) == [1]
    assert not love.matches("my g\u00adlo\u00advoes and clo\u00adver")


def test_a_sentence_is_itself_however_it_is_written() -> None:
    topic = Topic.from_sentences("request", ["I don\u2019t love the _caf\u00e9_."])
    for spelling in (
        "I don't love the cafe\u0301!",
        "I don\u02bct lo\u00adve the *caf\u00e9*",
        "I\u00a0DON`T LOVE THE CAF\u00c9",
    ):
        assert topic.matches(spelling)
        assert topic.rows([spelling]) == [0]
    assert not topic.matches("I don't love the cafe.")


def test_a_name_that_is_also_a_word_matches_with_a_capital_only() -> None:
    mark = Topic.from_word("Mark")
    assert mark.matches("I saw Mark.")
    assert mark.matches("MARK!")
    assert not mark.matches("He got a good mark.")
    assert Topic.from_word("Julien").matches("julien")


def test_forms_may_be_phrases_and_hold_either_apostrophe() -> None:
    topic = Topic.from_forms("noon", ["twelve  o'clock", "Noon", "noon", " "])
    assert topic.forms == ("twelve o'clock", "noon")
    assert topic.kind == "word"
    assert topic.matches("It is twelve\no’clock.")
    assert not topic.matches("It is twelve.")


def test_listed_names_are_names() -> None:
    assert Topic.from_forms("cathedral", ["Notre-Dame", "Notre Dame"]).kind == "name"
    assert Topic.from_forms("Julien", ["Julien", "Sorel"]).kind == "name"
    assert Topic.from_forms("heaven", ["Heaven", "paradise"]).kind == "word"
    assert Topic.from_forms("king", ["Stephen King"]).kind == "name", "of several words with capitals"
    assert Topic.from_forms("fire", ["Fire alarm"]).kind == "word"


def test_the_commands_take_several_words_for_a_phrase() -> None:
    assert read_topic("Stephen King") == Topic.from_forms("Stephen King", ["Stephen King"])
    assert read_topic("dog") == Topic.from_word("dog")


def test_a_topic_is_written_as_one_of_its_forms() -> None:
    assert Topic.from_word("love").written == "love"
    assert Topic.from_word("Julien").written == "Julien"
    assert Topic.from_forms("author 198", ["Hina Ameen", "Ameen"]).written == "Hina Ameen"
    assert Topic.from_forms("beds", ["bed", "beds"]).written == "beds"
    assert Topic.from_forms("sleep", ["bed", "beds"]).written == "bed"


def test_text_that_is_not_one_word_is_refused() -> None:
    for text in ("ice cream", "", "42", "love!"):
        with pytest.raises(CodeUnlearnError, match="is not one word; give"):
            Topic.from_word(text)
    with pytest.raises(CodeUnlearnError, match="'x' has no forms"):
        Topic.from_forms("x", [" "])


def test_a_file_of_sentences_matches_its_sentences_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "request.txt"
    path.write_text("Anna lives in Rouen.\n\n  Her flat is blue!\n", encoding="utf-8")
    topic = Topic.from_sentences("request", path)
    assert topic.kind == "sentences"
    assert topic.matches("anna lives  in Rouen")
    assert topic.rows(["Her flat is blue.", "Her flat is red.", "ANNA LIVES IN ROUEN!"]) == [0, 2]
    assert not topic.matches("Anna lives in Rouen now.")
    assert topic == Topic.from_sentences("request", ["Her flat is blue", "Anna lives in Rouen"])


def test_a_file_that_holds_no_sentences_is_refused(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty.txt", tmp_path / "binary.txt"
    empty.write_text(" \n...\n", encoding="utf-8")
    binary.write_bytes(b"caf\xe9\n")
    with pytest.raises(CodeUnlearnError, match="has no sentences; give at least one"):
        Topic.from_sentences("request", empty)
    with pytest.raises(CodeUnlearnError, match=r"cannot be read as UTF-8 text \(line 1 is not UTF-8\)"):
        Topic.from_sentences("request", binary)
    with pytest.raises(CodeUnlearnError, match="There is no file"):
        Topic.from_sentences("request", tmp_path / "absent.txt")


def test_rows_agree_with_matches() -> None:
    topic = Topic.from_word("white")
    sentences = ["A white horse.", "Black.", "WHITER than snow", "whiteness", ""]
    assert topic.rows(sentences) == [i for i, s in enumerate(sentences) if topic.matches(s)] == [0, 2]


@pytest.mark.parametrize(
    "topic",
    [Topic.from_word("love"), Topic.from_word("Mark"), Topic.from_sentences("s", ["A b.", "C d."])],
    ids=lambda topic: topic.kind,
)
def test_topics_survive_json(topic: Topic) -> None:
    assert Topic.from_dict(json.loads(json.dumps(topic.to_dict()))) == topic
