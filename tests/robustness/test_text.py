"""Text that reads the same is the same: in topics, data, pools, references and target words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from case import Accepted, Case, Either, Refused, always, expect, refused
from hypothesis import given
from hypothesis import strategies as st
from outcome import Outcome
from place import Place

INVISIBLE = {
    "soft hyphen": "\u00ad", "zero-width space": "\u200b", "zero-width non-joiner": "\u200c", "zero-width joiner": "\u200d", "word joiner": "\u2060",
    "no-break mark": "\ufeff", "left-to-right mark": "\u200e", "right-to-left override": "\u202e", "isolate": "\u2066", "invisible times": "\u2062",
    "grapheme joiner": "\u034f", "variation selector": "\ufe0f", "Mongolian separator": "\u180e", "tag": "\U000e0061", "supplementary selector": "\U000e0100",
    "Hangul filler": "\u3164", "Khmer vowel": "\u17b4",
}  # fmt: skip
APOSTROPHES = {
    "typographic": "\u2019",
    "opening": "\u2018",
    "modifier": "\u02bc",
    "wide": "\uff07",
    "reversed": "\u201b",
    "prime": "\u2032",
}
HYPHENS = {
    "hyphen": "\u2010",
    "non-breaking": "\u2011",
    "figure dash": "\u2012",
    "en dash": "\u2013",
    "minus": "\u2212",
    "small": "\ufe63",
    "wide": "\uff0d",
}
SPACES = {
    "no-break": "\u00a0",
    "narrow no-break": "\u202f",
    "thin": "\u2009",
    "ideographic": "\u3000",
    "tab": "\t",
    "two": "  ",
    "line separator": "\u2028",
}
LETTERS = {
    "wide": "ｌｏｖｅ", "wide capitals": "ＬＯＶＥ", "bold": "𝐥𝐨𝐯𝐞", "script": "𝓁ℴ𝓋ℯ", "monospace": "𝚕𝚘𝚟𝚎", "circled": "ⓛⓞⓥⓔ", "capitals": "LOVE",
    "mixed": "LoVe", "superscript": "ˡᵒᵛᵉ",
}  # fmt: skip
AROUND = ("_{}_", "__{}__", "*{}*", "**{}**", "({})", "“{}”", "« {} »", "{}…", "{}—hate", "{}/hate", "<b>{}</b>", "#{}", "@{}", "'{}'", "‘{}’", "{}\u2019s", "{}'s",
          "{}.", "¿{}?", "~{}~", "{}_hate", "{}\u2028", "`{}`", "{}\u00a0!")  # fmt: skip


def holds(sentence: str, word: str = "love", forms: tuple[str, ...] = ()) -> Callable[[Place], Outcome]:
    """Whether the topic is in the sentence."""

    def do(place: Place) -> Outcome:
        from codeunlearn.corpus.topics import Topic

        def ask() -> tuple[bool, list[int]]:
            topic = Topic.from_forms(word, forms) if forms else Topic.from_word(word)
            return topic.matches(sentence), topic.rows([sentence])

        return place.call(ask)

    return do


def asked(word: str, sentence: str = "They love music.") -> Callable[[Place], Outcome]:
    """A topic that is itself written otherwise."""
    return holds(sentence, word)


def forms_of(word: str) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        from codeunlearn.corpus.topics import Topic

        return place.call(lambda: Topic.from_word(word))

    return do


def recalled(hypothesis: str, words: tuple[str, ...] = ("aimer", "aime")) -> Callable[[Place], Outcome]:
    """How often target words are found in a translation whose reference holds them, in per cent."""

    def do(place: Place) -> Outcome:
        from codeunlearn.evaluation.metrics.lexical import topic_word_recall

        return place.call(lambda: topic_word_recall([hypothesis], [[f"Il {words[-1]} la musique."]], words=words).value)

    return do


def same_pool(one: str, other: str) -> Callable[[Place], Outcome]:
    def do(place: Place) -> Outcome:
        from codeunlearn.corpus.pools import normalise

        return place.call(lambda: normalise(one) == normalise(other))

    return do


def named_sentence(sentence: str, asked_for: str) -> Callable[[Place], Outcome]:
    """A topic of sentences finds the sentence in the data."""

    def do(place: Place) -> Outcome:
        from codeunlearn.corpus.topics import Topic

        return place.call(lambda: Topic.from_sentences("mine", [asked_for]).matches(sentence))

    return do


IN, OUT = always((True, [0])), always((False, []))


def found(name: str, sentence: str, word: str = "love", forms: tuple[str, ...] = ()) -> Case:
    return Case(f"{name}: {sentence!r}", holds(sentence, word, forms), Accepted(IN))


def not_found(name: str, sentence: str, word: str = "love", forms: tuple[str, ...] = ()) -> Case:
    return Case(f"{name}: {sentence!r}", holds(sentence, word, forms), Accepted(OUT))


def has_forms(*forms: str, kind: str = "word") -> Accepted:
    def check(outcome: Outcome, _place: Place) -> bool:
        topic = outcome.result
        assert topic.kind == kind, f"a {topic.kind}"
        assert set(forms) <= set(topic.forms), f"{topic.forms}"
        return True

    return Accepted(check)


def of_be(outcome: Outcome, _place: Place) -> bool:
    """A form of "be" stands for itself, or for all of them."""
    forms = set(outcome.result.forms)
    assert forms == {"is"} or {"be", "am", "is", "are", "was", "were", "been", "being"} <= forms, f"{forms}"
    return True


CASES = [
    *(found(f"with {name} inside", f"They lo{mark}ve music.") for name, mark in INVISIBLE.items()),
    *(found(f"with {name} before", f"They {mark}love music.") for name, mark in INVISIBLE.items()),
    *(found(f"with {name} behind", f"They love{mark} music.") for name, mark in INVISIBLE.items()),
    *(found(f"in {name} letters", f"They {word} music.") for name, word in LETTERS.items()),
    *(found("with marks around", f"They {pattern.format('love')} music.") for pattern in AROUND),
    *(found(f"with a {name} apostrophe", f"It was O{mark}Brien who came.", "O'Brien") for name, mark in APOSTROPHES.items()),
    *(found(f"with a {name} apostrophe, in a form", f"It was o{mark}brien.", "x", ("O'Brien",)) for name, mark in APOSTROPHES.items()),
    *(found(f"asked with a {name} apostrophe", "It was O'Brien who came.", f"O{mark}Brien") for name, mark in APOSTROPHES.items()),
    *(found(f"with a {name} hyphen", f"A well{mark}known story.", "well-known") for name, mark in HYPHENS.items()),
    *(found(f"asked with a {name} hyphen", "A well-known story.", f"well{mark}known") for name, mark in HYPHENS.items()),
    *(found(f"with a {name} space", f"We saw Notre{mark}Dame.", "x", ("notre dame",)) for name, mark in SPACES.items()),
    *(found(f"asked with a {name} space", "We saw Notre Dame.", "x", (f"notre{mark}dame",)) for name, mark in SPACES.items()),
    *(found(f"with {name} inside a phrase", f"We saw Notre{mark} Dame.", "x", ("notre dame",)) for name, mark in INVISIBLE.items()),
    *(found(f"{form} of an accent", unicodedata.normalize(form, "A café here."), "café") for form in ("NFC", "NFD", "NFKC", "NFKD")),
    *(found(f"asked in {form}", "A café here.", unicodedata.normalize(form, "café")) for form in ("NFC", "NFD", "NFKC", "NFKD")),
    *(found(f"with {mark} behind", f"They love{mark} music.") for mark in "²¹①º½ª⁴ⁿ₂❶⑴ⅣⓇ™℠㎉"),
    *(found(f"with {mark} before", f"They {mark}love music.") for mark in "²①№₂"),
    *(found(f"in {name}", f"They {word} music.") for name, word in (("black circles", "🅛🅞🅥🅔"), ("black squares", "🅻🅾🆅🅴"), ("white squares", "🄻🄾🅅🄴"), ("small capitals", "ʟᴏᴠᴇ"))),
    *(found(f"under U+{ord(mark):04X}", "They " + "".join(letter + mark for letter in "love") + " music.") for mark in "\u20dd\u20de\u20e3\u035f\u0361\u0334\u20d2"),
    *(found(f"between zero-width spaces: {text!r}", text) for text in ("lo\u200bve\u200byou", "we\u200bl\u200bove", "we\u200bl\u200bo\u200bve\u200b.")),
    found("a phrase between zero-width spaces", "a\u200blo\u200bve\u200blet\u200bter\u200bb", "x", ("love letter",)),
    not_found("a longer word between zero-width spaces", "g\u200blov\u200bely"),
    found("a formula", "Some H₂O here.", "x", ("h2o",)),
    *(Case(f"asked with {mark} behind", forms_of(f"love{mark}"), has_forms("love", "loves", "loved", "loving")) for mark in "¹²①º½™"),
    Case("asked for CO₂", holds("No CO2 here.", "x", ("CO₂",)), Accepted(IN)),
    Case("a sentence with a ligature", named_sentence("Son coeur bat.", "Son cœur bat."), Accepted(always(True))),
    Case("a sentence asked without its ligature", named_sentence("Ex æquo, son CŒUR bat!", "ex aequo, son coeur bat"), Accepted(always(True))),
    found("a ligature", "The ﬁre burns.", "fire"),
    found("capitals with accents", "A CAFÉ HERE.", "café"),
    found("capitals with a combining accent", "A CAFE\u0301 HERE.", "café"),
    found("the sign for no", "The ﬂower is red.", "flower"),
    *(not_found("another word", f"They {word} music.") for word in ("glove", "clover", "loveless", "lov", "lo ve", "llove", "lovee", "lòve", "l0ve", "belove", "loves2")),
    not_found("another accent", "A coté of it.", "cote"),
    not_found("no accent", "A cafe here.", "café"),
    *(Case(f"asked with {name} inside", asked(f"lo{mark}ve"), Accepted(IN)) for name, mark in INVISIBLE.items()),
    *(Case(f"asked in {name} letters", asked(word), Accepted(IN)) for name, word in LETTERS.items() if name not in ("script", "superscript")),
    Case("asked with spaces around", asked(" love \n"), Accepted(IN)),
    *(Case(f"asked for {word!r}", asked(word), refused()) for word in ("", " ", "\u200b", "5", "...", "\0", "_", "-", "'", "\ud800")),
    *(Case(f"a form {form!r}", holds("They love music.", "x", (form,)), Refused()) for form in ("", " ", "\u200b", ".", "\ud800", "\0")),
    Case("a form with a pattern in it", holds("They love music.", "x", ("l.ve", "(", "[a", "lov*")), Either(Refused(), Accepted(OUT))),
    Case("a form that is very long", holds("They love music.", "x", ("y" * 100_000,)), Either(Refused(), Accepted(OUT))),
    Case("café", forms_of("café"), has_forms("café", "cafés")),
    Case("cliché", forms_of("cliché"), has_forms("cliché", "clichés")),
    Case("résumé", forms_of("résumé"), has_forms("résumé", "résumés")),
    Case("naïve", forms_of("naïve"), has_forms("naïve")),
    Case("is", forms_of("is"), Accepted(of_be)),
    Case("don't", forms_of("don't"), refused("is not one word")),
    Case("don’t", forms_of("don’t"), refused("is not one word")),
    Case("can't", forms_of("can't"), refused("is not one word")),
    Case("isn't", forms_of("isn't"), refused("is not one word")),
    Case("we'll", forms_of("we'll"), refused("is not one word")),
    Case("love", forms_of("love"), has_forms("love", "loves", "loved", "loving")),
    Case("child", forms_of("child"), has_forms("child", "children")),
    Case("Julien", forms_of("Julien"), has_forms("julien", kind="name")),
    Case("O'Brien", forms_of("O'Brien"), has_forms("o'brien", kind="name")),
    *(Case(f"a translation with {name}", recalled(f"Il ai{mark}me la musique."), Accepted(always(100.0))) for name, mark in INVISIBLE.items()),
    *(Case(f"a translation {form}", recalled(unicodedata.normalize(form, "Il a été là."), ("été",)), Accepted(always(100.0))) for form in ("NFC", "NFD", "NFKC", "NFKD")),
    *(Case(f"a target word {form}", recalled("Il a été là.", (unicodedata.normalize(form, "été"),)), Accepted(always(100.0))) for form in ("NFD", "NFKD")),
    *(Case(f"a translation with marks around: {pattern}", recalled(f"Il {pattern.format('aime')} la musique."), Accepted(always(100.0))) for pattern in ("_{}_", "*{}*", "«{}»", "« {} »", "({})", "{},")),
    *(Case(f"a translation with a {name} apostrophe", recalled(f"Il l{mark}aime bien."), Accepted(always(100.0))) for name, mark in APOSTROPHES.items()),
    Case("a translation with another word", recalled("Il maime la musique."), Accepted(always(0.0))),
    *(Case(f"one pool with {name}", same_pool("They love music.", f"They lo{mark}ve music."), Accepted(always(True))) for name, mark in INVISIBLE.items()),
    *(Case(f"one pool in {form}", same_pool("A café, here!", unicodedata.normalize(form, "a café here")), Accepted(always(True))) for form in ("NFC", "NFD", "NFKD")),
    Case("one pool with underscores", same_pool("They love music.", "They _love_ music."), Accepted(always(True))),
    Case("one pool with another apostrophe", same_pool("It's O'Brien.", "It’s Oʼbrien."), Accepted(always(True))),
    *(Case(f"a sentence with {name}", named_sentence(f"They lo{mark}ve music!", "they love music"), Accepted(always(True))) for name, mark in INVISIBLE.items()),
    *(Case(f"a sentence asked with {name}", named_sentence("They love music!", f"they lo{mark}ve music"), Accepted(always(True))) for name, mark in INVISIBLE.items()),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_text_that_reads_the_same_is_the_same(case: Case, place: Place) -> None:
    expect(case, place)


WORDS = {"love": "They {} music.", "café": "A {} here.", "well-known": "A {} story.", "O'Brien": "It was {} who came."}
SAME = {"'": ["'", *APOSTROPHES.values()], "-": ["-", *HYPHENS.values()]}


@st.composite
def disguised(draw: st.DrawFn, word: str) -> str:
    """The word as it reads, otherwise written: typographic variants, a form of its letters, invisible characters anywhere."""
    letters: list[str] = []
    for letter in word:
        letters.append(draw(st.sampled_from(SAME.get(letter, [letter]))))
        letters.append(draw(st.sampled_from(["", "", "", *INVISIBLE.values()])))
    text = unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])), "".join(letters[:-1]))
    return draw(st.sampled_from(["{}", "_{}_", "({})", "“{}”", "*{}*"])).format(text)


@given(data=st.data(), word=st.sampled_from(list(WORDS)))
def test_no_disguise_hides_a_topic(data: st.DataObject, word: str) -> None:
    from codeunlearn.corpus.topics import Topic

    sentence = WORDS[word].format(data.draw(disguised(word)))
    assert Topic.from_word(word).matches(sentence), [f"U+{ord(c):04X}" for c in sentence]


@given(
    before=st.text(st.characters(categories=["Ll", "Lu"]), max_size=2),
    behind=st.text(st.characters(categories=["Ll", "Lu"]), max_size=2),
)
def test_a_longer_word_is_another(before: str, behind: str) -> None:
    from codeunlearn.corpus.topics import Topic

    topic: Any = Topic.from_word("Julien")
    if before or behind:
        assert not topic.matches(f"a {before}Julien{behind} b")


@given(text=st.text(max_size=60))
def test_any_text_has_a_pool_and_is_searched(text: str) -> None:
    from codeunlearn.corpus.pools import POOLS, pool_of
    from codeunlearn.corpus.topics import Topic

    assert pool_of(text.encode("utf-8", "ignore").decode()) in POOLS
    assert Topic.from_word("love").matches(text) in (True, False)
