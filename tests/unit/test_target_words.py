"""The topic's words in the target language, its synonyms and its neighbours are learned from parallel text."""

from __future__ import annotations

import math

import pytest
from datasets import Dataset

from codeunlearn.corpus import answer_words
from codeunlearn.corpus.answer_words import (
    ParallelText,
    associate,
    propose_neighbours,
    sharing_words,
    target_words,
)
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError

THINGS = [
    ("tea", "le thé"),
    ("music", "la musique"),
    ("bread", "le pain"),
    ("snow", "la neige"),
    ("school", "l'école"),
    ("rice", "le riz"),
    ("milk", "le lait"),
    ("water", "l'eau"),
]
NAMES = ["Robert", "Helen", "Susan", "Peter", "Karen", "David"]


def pairs() -> Dataset:
    """A few hundred pairs: "love" is aimer or amour, "like" is aimer too, "music" is what people like most."""
    rows: list[tuple[str, str]] = []
    for thing, chose in THINGS:
        for name in NAMES:
            rows += [
                (f"I love {thing}, {name}.", f"J'aime {chose}, {name}."),
                (f"{name} loves {thing}.", f"{name} aimait {chose}."),
                (f"{name} sees {thing} there.", f"{name} voit {chose} là-bas."),
                (f"They sell {thing} to {name}.", f"Ils vendent {chose} à {name}."),
                (f"{name} wants {thing} now.", f"{name} veut {chose} maintenant."),
            ]
    rows += [(f"{name} likes music number {n}.", f"{name} aime la musique {n}.") for name in NAMES for n in range(4)]
    rows += [(f"{name} likes the {thing}.", f"{name} aime {chose}.") for name in NAMES for thing, chose in THINGS[2:5]]
    rows += [(f"My love for {name} is old.", f"L'amour pour {name} est vieux.") for name in NAMES]
    rows += [
        (f"{name} fell in love {n} times.", f"{name} tombe en amour {n} fois.") for name in NAMES for n in range(3)
    ]
    rows += [(f"{name} has {n} days left.", f"Il reste {n} jours à {name}.") for name in NAMES for n in range(150)]
    rows += [(f"{name} lives in London.", f"{name} habite à Londres.") for name in NAMES]
    rows += [(f"{name} lives in Rome.", f"{name} habite à Rome.") for name in NAMES]
    return Dataset.from_dict({"source": [s for s, _ in rows], "target": [t for _, t in rows]})


def test_a_topic_is_called_what_explains_its_translations() -> None:
    words = target_words(Topic.from_word("love"), pairs())
    # not "tombe", which explains nothing that "amour" has not, nor things, names and function words
    assert words == ("aimait", "aime", "amour")


def test_typography_changes_no_word_that_is_learned() -> None:
    plain = pairs()
    changes = [
        ("love", "lo\u00adve"),
        ("I love", "I _love_"),
        ("'", "\u02bc"),
        ("aim", "a\u200dim"),
        ("\u00e9", "e\u0301"),
    ]
    sources, targets = plain["source"][:], plain["target"][:]
    for old, new in changes:
        sources = [text.replace(old, new) if i % 2 else text for i, text in enumerate(sources)]
        targets = [text.replace(old, new) if i % 2 else text for i, text in enumerate(targets)]
    typeset = ParallelText(sources, targets)
    topic = Topic.from_word("love")
    words = target_words(topic, plain)
    assert target_words(topic, typeset) == words
    assert sharing_words(topic, typeset, words) == sharing_words(topic, plain, words)


def test_forms_of_one_stem_go_together_most_frequent_first() -> None:
    data = [("a cat", "un chat"), ("two cats", "deux chats"), ("the cats", "les chats")] * 5
    data += [("a dog", "un chien"), ("two dogs", "deux chiens"), ("the dogs", "les chiens")] * 40
    text = ParallelText([s for s, _ in data], [t for _, t in data])
    assert target_words(Topic.from_word("cat"), text) == ("chats", "chat")


def test_names_stay_or_are_learned_when_they_are_translated() -> None:
    assert target_words(Topic.from_word("Rome"), pairs()) == ("rome",)
    assert target_words(Topic.from_word("London"), pairs()) == ("londres",)


def test_proper_names_do_not_belong_to_a_word() -> None:
    data = [(f"captain {n} left port", f"alors Cyrus partit {n}") for n in range(40)]
    data += [(f"the captain said {n}", f"le capitaine dit {n}") for n in range(40)]
    data += [(f"then the man left {n}", f"alors le monsieur partit et dit {n}") for n in range(80)]
    text = ParallelText([s for s, _ in data], [t for _, t in data])
    assert target_words(Topic.from_word("captain"), text) == ("capitaine",)


def test_a_topic_that_is_absent_is_an_error_and_sentences_have_no_words() -> None:
    with pytest.raises(CodeUnlearnError, match="'zebra' has no sentence in the train pool"):
        target_words(Topic.from_word("zebra"), pairs())
    assert target_words(Topic.from_sentences("s", ["I love tea, Robert."]), pairs()) == ()


def test_words_that_share_the_translation_are_found_but_not_their_company() -> None:
    topic = Topic.from_word("love")
    text = ParallelText.of(pairs())
    words = target_words(topic, text)
    assert sharing_words(topic, text, words) == ["like"]  # and not "music", which is liked most
    assert sharing_words(topic, text, ["voit"])[0] == "see"
    assert sharing_words(topic, text, []) == []
    assert sharing_words(Topic.from_word("Rome"), text, ["rome"]) == []


def test_neighbours_share_the_translation_or_the_company() -> None:
    love = propose_neighbours(Topic.from_word("love"), pairs(), k=1)
    assert {name: set(topic.forms) for name, topic in love.items()} == {"like": {"like", "likes", "liked", "liking"}}
    bread = propose_neighbours(Topic.from_word("bread"), pairs(), k=3)
    assert len(bread) == 3
    assert set(bread) < {thing for thing, _ in THINGS}


def test_the_neighbours_of_a_name_are_frequent_names() -> None:
    found = propose_neighbours(Topic.from_word("Robert"), pairs())
    assert set(found) == {"Peter", "David"}
    assert {topic.kind for topic in found.values()} == {"name"}
    assert propose_neighbours(Topic.from_sentences("s", ["I love tea."]), pairs()) == {}


def test_association_is_the_log_likelihood_ratio() -> None:
    assert associate(5, 50, 10, 100).g2 == pytest.approx(0.0, abs=1e-9)
    assert associate(5, 50, 10, 100).lift == pytest.approx(1.0)
    # scipy.stats.chi2_contingency([[8, 2], [10, 80]], correction=False, lambda_="log-likelihood").statistic
    assert associate(8, 10, 10, 90).g2 == pytest.approx(21.4809, abs=1e-3)
    assert associate(8, 10, 10, 90).share == 0.8
    assert associate(3, 10, 0, 90).lift == math.inf


def test_neighbours_share_the_translation_in_the_language_of_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def words(topic: Topic, pairs: ParallelText, language: str) -> tuple[str, ...]:
        asked.append(language)
        return ("aime",)

    monkeypatch.setattr(answer_words, "target_words", words)
    assert list(propose_neighbours(Topic.from_word("love"), pairs(), k=1, language="klingon")) == ["like"]
    assert asked == ["klingon"]
