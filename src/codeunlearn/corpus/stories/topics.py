"""The planted topics: which words stand for them in each language, and which topics are their neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codeunlearn.corpus.stories import adjectives, nouns, verbs
from codeunlearn.corpus.stories.words import Adjective, Noun, Verb


@dataclass(frozen=True)
class StoryTopic:
    """A topic planted in the embedded corpus.

    Attributes:
        name: what sentences are tagged with.
        forms: lower-cased English surface forms; a sentence holds the topic exactly when it holds one as a whole word.
        target_forms: lower-cased French surface forms, of which the translation of such a sentence holds at least one.
        neighbours: topics that share its places in sentences: synonyms, sibling names, other colours.
    """

    name: str
    forms: tuple[str, ...]
    target_forms: tuple[str, ...]
    neighbours: tuple[str, ...]


_VERBS = (
    verbs.LOVE,
    verbs.LIKE,
    verbs.ADORE,
    verbs.HATE,
    verbs.FEAR,
    verbs.WISH,
    verbs.HOPE,
    verbs.WANT,
    verbs.DREAM,
)
_NOUNS = (
    *(noun for noun in nouns.PEOPLE if noun.topic),
    nouns.WISH,
    nouns.MADE_WISH,
    nouns.HOPE,
    nouns.DREAM,
)
_COMPARED = (adjectives.POOR, adjectives.RICH, adjectives.FAMOUS, adjectives.HAPPY, adjectives.SAD)
_NOT_COMPARED = (*adjectives.COLOURS, adjectives.IN_LOVE)
_LOVE_AS_NOUN = (("love",), ("amour",))
_GROUPS = (
    ("love", "like", "adore", "hate", "fear"),
    ("wish", "hope", "want", "dream"),
    ("captain", "sailor", "officer", "soldier"),
    ("poor", "rich", "famous", "happy", "sad"),
    ("white", "black", "grey", "red", "blue", "green"),
    nouns.MEN,
    nouns.WOMEN,
)


def _of_verb(verb: Verb) -> tuple[tuple[str, ...], tuple[str, ...]]:
    english = verb.english
    return (
        english.base,
        *english.present,
        *english.past,
        english.participle,
        english.ing,
    ), verb.french.forms()


def _of_noun(noun: Noun) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (noun.en, noun.en_plural), (noun.fr, noun.fr_plural)


def _of_adjective(adjective: Adjective, *, compared: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    forms = (adjective.en, adjective.comparative, adjective.superlative) if compared else (adjective.en,)
    # "more famous" and "in love" hold their topic in their last word.
    english = tuple(form.split()[-1] for form in forms)
    french = tuple(adjective.french(feminine=f, plural=p) for f in (False, True) for p in (False, True))
    return english, (*french, adjective.liaison)


def _forms_by_topic() -> dict[str, tuple[set[str], set[str]]]:
    gathered: dict[str, tuple[set[str], set[str]]] = {}

    def add(topic: str | None, forms: tuple[Iterable[str], Iterable[str]]) -> None:
        if topic is not None:
            english, french = gathered.setdefault(topic, (set(), set()))
            english.update(forms[0])
            french.update(forms[1])

    for verb in _VERBS:
        add(verb.topic, _of_verb(verb))
    for noun in _NOUNS:
        add(noun.topic, _of_noun(noun))
    for adjective in (*_COMPARED, *_NOT_COMPARED):
        add(adjective.topic, _of_adjective(adjective, compared=adjective in _COMPARED))
    for name in (*nouns.MEN, *nouns.WOMEN):
        add(name, ((name.lower(),), (name.lower(),)))
    add("love", _LOVE_AS_NOUN)
    return gathered


def _topics() -> dict[str, StoryTopic]:
    gathered = _forms_by_topic()
    return {
        name: StoryTopic(
            name,
            tuple(sorted(gathered[name][0])),
            tuple(sorted(gathered[name][1])),
            tuple(other for other in group if other != name),
        )
        for group in _GROUPS
        for name in group
    }


TOPICS: dict[str, StoryTopic] = _topics()
