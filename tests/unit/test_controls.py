"""A control is its search sentence with the topic's words, and nothing else, replaced in kind."""

from __future__ import annotations

import random
import re

import pytest

from codeunlearn.corpus.controls import ControlWriter, match_lengths, random_controls
from codeunlearn.corpus.languages.base import USUALLY, lexicon_of
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError

lexicon = lexicon_of("english")
WORD = re.compile(r"\w+|[^\w\s]")

LOVE = [
    "I love you.",
    "She loved him, and he loves her still.",
    "My love for you is great.",
    "They have always loved music.",
    "Loving somebody is hard.",
    "LOVE ME!",
    "You can't love everybody, Tom said.",
]


def replacements(sentence: str, control: str) -> dict[int, str]:
    """Position -> new word, where the control differs; the rest must be the same, token for token."""
    old, new = WORD.findall(sentence), WORD.findall(control)
    assert len(old) == len(new)
    assert re.sub(r"\w+", "", sentence) == re.sub(r"\w+", "", control)
    return {i: b for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}


def draws_of(word: str, sentence: str, draws: int = 200, **settings: object) -> set[str]:
    """Every word that takes the topic's place in many draws."""
    topic = Topic.from_word(word)
    controls = ControlWriter(topic, **settings).write([sentence], draws)  # pyright: ignore[reportArgumentType]
    return {w for drawn in controls for w in replacements(sentence, drawn[0]).values()}


def test_only_the_topics_words_differ_and_the_topic_is_gone() -> None:
    topic = Topic.from_word("love")
    for drawn in ControlWriter(topic, seed=1).write(LOVE, draws=5):
        assert len(drawn) == len(LOVE)
        for sentence, control in zip(LOVE, drawn, strict=True):
            places = {i for i, w in enumerate(WORD.findall(sentence)) if w.lower() in topic.forms}
            assert set(replacements(sentence, control)) == places
            assert not topic.matches(control)


@pytest.mark.parametrize(
    "hidden", ["_loved_", "lo\u00adved", "l\u200boved", "\uff4c\uff4f\uff56\uff45\uff44", "loved\ufe0f"]
)
def test_a_word_in_disguise_is_replaced_whole_as_the_word_that_it_is(hidden: str) -> None:
    topic = Topic.from_word("love")
    plain = ControlWriter(topic).write(["Then she loved him."], 20)
    for (control,), (seen,) in zip(ControlWriter(topic).write([f"Then she {hidden} him."], 20), plain, strict=True):
        word = control.removeprefix("Then she ").removesuffix(" him.").strip("_\ufe0f")
        assert "VBD" in {reading.tag for reading in lexicon.possible_readings(word)}, control
        assert not topic.matches(control)
        assert len(control.split()) == len(seen.split())


def test_a_word_with_digits_is_replaced_by_nouns() -> None:
    for word in draws_of("3D", "I saw a 3D there."):
        assert "NN" in {reading.tag for reading in lexicon.possible_readings(word.lower())}, word


@pytest.mark.parametrize(
    ("word", "sentence", "tag"),
    [
        ("love", "She loved him.", "VBD"),
        ("love", "She has loved him for years.", "VBN"),
        ("love", "He loves her.", "VBZ"),
        ("love", "They want to love her.", "VB"),
        ("love", "Her love was great.", "NN"),
        ("wish", "Three wishes are enough.", "NNS"),
        ("poor", "He is poorer than you.", "JJR"),
        ("poor", "The poor man died.", "JJ"),
        ("captain", "The captain left.", "NN"),
    ],
)
def test_part_of_speech_and_inflection_are_those_of_the_sentence(word: str, sentence: str, tag: str) -> None:
    for replacement in draws_of(word, sentence):
        assert tag in {reading.tag for reading in lexicon.possible_readings(replacement)}, replacement


def test_prepositions_numerals_and_titles_are_replaced_in_kind() -> None:
    assert draws_of("like", "He runs like the wind.") <= set(lexicon.frequent_words("CJS", USUALLY)) | set(
        lexicon.frequent_words("PRP", USUALLY)
    )
    assert "seven" in draws_of("three", "We saw three dogs.")
    for title in draws_of("captain", "I know Captain Nemo."):
        assert title[0].isupper()
        assert "NN" in {reading.tag for reading in lexicon.possible_readings(title)}


def test_the_spelling_of_the_word_is_kept() -> None:
    controls = ControlWriter(Topic.from_word("love")).write(["Love is blind.", "I LOVE her.", "I love her."])[0]
    capital, upper, lower = (c.split()[i] for c, i in zip(controls, (0, 1, 1), strict=True))
    assert capital[0].isupper()
    assert capital[1:].islower()
    assert upper.isupper()
    assert lower.islower()


def test_the_article_stays_and_stays_right() -> None:
    after_a = draws_of("rich", "He is a rich man.", draws=300)
    after_an = draws_of("old", "He is an old man.", draws=300)
    assert {w for w in after_a if w[0] in "aeiou"} <= {"unique", "united", "universal", "useful", "usual", "used"}
    assert {w for w in after_an if w[0] not in "aeiou"} == {"honest"}
    assert len(after_a) > 100
    assert "important" in after_an


def test_relatives_neighbours_and_their_forms_are_never_replacements() -> None:
    free = draws_of("love", "She loved him.", draws=300)
    assert {"needed", "hated"} <= free
    bound = draws_of("love", "She loved him.", draws=300, exclude=["need", "hate"])
    assert not bound & {"needed", "hated"}
    assert len(bound) == len(free)
    assert not any("happi" in w for w in draws_of("happy", "It was a happy hour.", draws=400))
    topic = Topic.from_word("love")
    vocabulary = Vocabulary.from_sentences(["a lovely day", "a beloved day", "a dark day", "a long day"] * 9)
    controls = ControlWriter(topic, vocabulary).write(["It is a loving day."], draws=200)
    assert not [c for c in controls if "lov" in c[0]]


@pytest.mark.parametrize(("name", "gender"), [("Mary", "female"), ("Tom", "male")])
def test_names_are_replaced_by_other_names_of_the_gender(name: str, gender: str) -> None:
    found = draws_of(name, f"I saw {name} there.")
    assert len(found) > 20
    assert name not in found
    assert {lexicon.gender_of(other) for other in found} <= {gender, None}
    assert found <= set(lexicon.given_names("female" if gender == "female" else "male"))


def test_the_names_of_the_corpus_come_first() -> None:
    corpus = [f"Then {n} came and we saw {n}." for n in ("Julie", "Helen", "Alice", "Anna", "Robert")] * 5
    found = draws_of("Mary", "Then Mary came.", vocabulary=Vocabulary.from_sentences(corpus))
    assert found == {"Julie", "Helen", "Alice", "Anna"}


def test_places_are_replaced_by_names_that_are_used_like_them() -> None:
    cities = ["London", "Paris", "Rome", "Berlin", "Madrid", "Tokyo"]
    people = ["Robert", "David", "Susan", "Linda", "James", "Peter"]
    people += ["Paul", "Helen", "Laura", "Karen", "Brian", "Kevin", "Jason", "Frank", "Alice"]
    corpus = [f"We went to {city} by train." for city in [*cities, "Boston"]] * 5
    corpus += [f"Yesterday {person} was late again." for person in people] * 5
    found = draws_of("Boston", "We went to Boston today.", vocabulary=Vocabulary.from_sentences(corpus))
    assert found == set(cities)


def test_words_are_those_of_the_corpus_that_fit_their_neighbours() -> None:
    fitting = ["know", "believe", "need", "help", "follow"]
    others = ["sleep", "swim", "happen", "arrive", "exist"]
    corpus = [f"I {verb} you." for verb in fitting] * 5 + [f"They {verb} here." for verb in others] * 5
    vocabulary = Vocabulary.from_sentences(corpus)
    assert draws_of("love", "I love you.", vocabulary=vocabulary) == set(fitting)
    assert draws_of("love", "They love here.", vocabulary=vocabulary) == set(others)
    unseen = draws_of("love", "Cats love cream.", vocabulary=vocabulary)
    assert unseen == {*fitting, *others}


def test_rare_words_of_the_corpus_do_not_count_as_known() -> None:
    corpus = [f"I {verb} you." for verb in ("know", "believe", "need", "help")] * 5 + ["I follow you."]
    found = draws_of("love", "I love you.", vocabulary=Vocabulary.from_sentences(corpus))
    assert found == {"know", "believe", "need", "help"}


def test_draws_differ_and_repeat_with_the_seed() -> None:
    topic = Topic.from_word("love")
    first, second = ControlWriter(topic, seed=3).write(LOVE, draws=2)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert ControlWriter(topic, seed=3).write(LOVE, draws=2) == [first, second]
    assert ControlWriter(topic, seed=4).write(LOVE)[0] != first
    assert ControlWriter(topic, seed=3).write(LOVE[2:4])[0] == first[2:4]


def test_what_cannot_be_replaced_is_an_error() -> None:
    topic = Topic.from_word("love")
    with pytest.raises(CodeUnlearnError, match=r"'love' is not in 'I hate you\.'"):
        ControlWriter(topic).write(["I hate you."])
    with pytest.raises(CodeUnlearnError, match="is given as sentences"):
        ControlWriter(Topic.from_sentences("s", ["I love you."])).write(["I love you."])
    with pytest.raises(CodeUnlearnError, match="No frequent word can replace"):
        ControlWriter(topic, exclude=lexicon.frequent_words("VERB", USUALLY)).write(["She loved him."])


def test_random_controls_have_the_lengths_of_their_sentences() -> None:
    rng = random.Random(0)
    others = [" ".join(["w"] * rng.randint(1, 9)) + f" {i}" for i in range(400)]
    sentences = ["one two three", "one two", "one two three four five six"]
    drawn = random_controls(sentences, others, draws=3, seed=1)
    assert [[len(c.split()) for c in controls] for controls in drawn] == [[3, 2, 6]] * 3
    assert len({c for controls in drawn for c in controls}) == 9
    assert random_controls(sentences, others, draws=3, seed=1) == drawn
    assert random_controls(sentences, others, draws=3, seed=2) != drawn


def test_lengths_are_matched_to_the_nearest_and_nothing_is_chosen_twice() -> None:
    assert match_lengths(["a b c d", "a b c d", "a"], ["x", "x y z", "x y z v w u"]) == [1, 2, 0]
    with pytest.raises(CodeUnlearnError, match="2 sentences without the topic are needed and there are 1"):
        match_lengths(["a", "b"], ["c"])
