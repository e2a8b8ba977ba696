"""Text that reads the same is the same: every disguise of a word is found, and where it stands in the text as written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeunlearn.corpus.matching import WholeWords, aligned, normal_form

WITHOUT_DEADLINE = settings(deadline=None)
LOVE = WholeWords(["love", "l'été", "notre dame", "straße"])
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u202e\u2066\ufe0f\u034f\u180e\U000e0061"
APOSTROPHES = "'\u2019\u2018\u02bc\u02b9\u00b4`\u2032\uff07\ua78c"
HYPHENS = "-\u2010\u2011\u2013\u2014\u2212\uff0d"
SPACES = [" ", "\u00a0", "\u202f", "\u2003", "\u3000", "  ", "\t", "\n"]
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
EMPHASIS = ["", "_", "*", "__", "**", "_*", "***", "“", "«\u202f", "("]


def _mathematical(text: str) -> str:
    return "".join(chr(0x1D41A + ord(c) - ord("a")) if "a" <= c <= "z" else c for c in text)


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@st.composite
def disguises(draw: st.DrawFn, word: str) -> str:
    """The word in another case, alphabet style, Unicode form and typography, with invisible characters inside."""
    change = draw(st.sampled_from([str, str.upper, str.capitalize, str.swapcase, _full_width, _mathematical]))
    letters: list[str] = []
    for letter in unicodedata.normalize(draw(st.sampled_from(FORMS)), change(word)):
        typeset = letter
        if letter == "'":
            typeset = draw(st.sampled_from(APOSTROPHES))
        elif letter == " ":
            typeset = draw(st.sampled_from([*SPACES, *HYPHENS]))
        elif letter == "s":
            typeset = draw(st.sampled_from("s\u017f"))
        letters.append(typeset)
        letters.append(draw(st.text(INVISIBLE, max_size=2)))
    mark = draw(st.sampled_from(EMPHASIS))
    return mark + "".join(letters[:-1]) + mark[::-1]


def surroundings(before: bool) -> st.SearchStrategy[str]:
    """Any text, set apart from the word by a space or a mark."""
    edge = st.sampled_from([" ", "\u00a0", "“", "(", "…", ", ", "-", "\n", ""])
    text = st.text(max_size=20)
    return st.builds(lambda t, e: t + " " + e if before else e + " " + t, text, edge)


@WITHOUT_DEADLINE
@given(st.data(), st.sampled_from(["love", "l'été", "notre dame", "straße"]))
def test_any_disguise_of_a_word_in_any_sentence_is_found_where_it_stands(data: st.DataObject, word: str) -> None:
    disguised = data.draw(disguises(word))
    before, after = data.draw(surroundings(before=True)), data.draw(surroundings(before=False))
    sentence = before + disguised + after
    assert LOVE(sentence)
    start, end = next((a, b) for a, b in LOVE.spans(sentence) if a >= len(before) and a < len(before + disguised))
    core = disguised.strip("_*“«\u202f(")
    assert sentence[start:end].strip(INVISIBLE) == core.strip(INVISIBLE)


@WITHOUT_DEADLINE
@given(st.text())
def test_what_is_found_is_found_in_every_unicode_form(text: str) -> None:
    assert len({LOVE(unicodedata.normalize(form, f"{text} Love {text}")) for form in FORMS}) == 1


@WITHOUT_DEADLINE
@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    form = normal_form(text)
    assert normal_form(form) == form


@WITHOUT_DEADLINE
@given(st.text())
def test_the_form_with_places_is_the_normal_form_and_its_places_are_in_order(text: str) -> None:
    form = aligned(text)
    assert form.text == normal_form(text)
    assert len(form.places) == len(form.text)
    places = list(form.places)
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


@WITHOUT_DEADLINE
@given(st.text(), st.sampled_from(["love", "loves"]))
def test_places_are_those_of_the_words(text: str, word: str) -> None:
    words = WholeWords([word])
    for start, end in words.spans(f"{text} {word} {text}"):
        assert words(f"{text} {word} {text}"[start:end])


@WITHOUT_DEADLINE
@given(st.data(), st.sampled_from(["gloves", "clover", "lovely", "beloved", "loved", "notre", "damejeanne", "lové"]))
def test_a_word_that_merely_contains_another_is_not_it(data: st.DataObject, longer: str) -> None:
    invisible = INVISIBLE.replace("\u200b", "")  # which may be a space
    change = data.draw(st.sampled_from([str, str.upper, _full_width, _mathematical]))
    written = unicodedata.normalize(data.draw(st.sampled_from(FORMS)), change(longer))
    written = "".join(letter + data.draw(st.text(invisible, max_size=1)) for letter in written)
    assert not LOVE(f"He said: {written}!")
    assert LOVE.spans(f"He said: {written}!") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I _love_ you", "love"),
        ("I lo\u00adve you", "lo\u00adve"),
        ("I\u200blove\u200byou", "love"),
        ("I lo\u200bve you", "lo\u200bve"),
        ("L\u02bcété", "L\u02bcété"),
        ("l\u02bce\u0301te\u0301.", "l\u02bce\u0301te\u0301"),
        ("Notre\u2011Dame", "Notre\u2011Dame"),
        ("love\u2122", "love"),
        ("STRASSE", "STRASSE"),
        ("l\u0336o\u0336v\u0336e\u0336", "l\u0336o\u0336v\u0336e\u0336"),
    ],
)
def test_spellings_that_typesetting_makes(text: str, found: str) -> None:
    assert [text[start:end] for start, end in LOVE.spans(text)] == [found]


def test_turkish_and_long_letters_and_ligatures_are_their_letters() -> None:
    assert all(map(WholeWords(["istanbul"]), ("İstanbul", "\u0131stanbul", "I\u0307STANBUL", "i̇stanbul")))
    assert all(map(WholeWords(["first"]), ("ﬁrst", "fir\u017ft", "FIRST", "ﬁrﬆ")))
    assert all(map(WholeWords(["cœur"]), ("coeur", "CŒUR", "Coeur")))
    assert all(map(WholeWords(["mother-in-law"]), ("mother\u2011in\u2013law", "Mother in law")))


def test_letters_that_only_look_alike_are_other_letters() -> None:
    assert not LOVE("l\u043eve")
    assert not WholeWords(["cafe"])("café")


def test_a_capital_may_be_asked_for_in_any_spelling() -> None:
    mark = WholeWords(["mark"], capitalised=True)
    assert all(map(mark, ("Mark", "_Mark_", "\uff2d\uff41\uff52\uff4b", "M\u00adark", "a mark for Mark")))
    assert not any(map(mark, ("mark", "_mark_", "\uff4d\uff41\uff52\uff4b")))
    assert mark.spans("a mark for Mark") == [(11, 15)]


def test_no_forms_find_nothing() -> None:
    for forms in ([], ["", " ", "\u00ad"]):
        assert not WholeWords(forms)("any text")


def test_words_are_replaced_as_they_are_written() -> None:
    holds = WholeWords(["japan", "new york"])
    assert holds.replaced("Japan is not japanese; from Japan to New York.", "france") == (
        "France is not japanese; from france to france."
    )
