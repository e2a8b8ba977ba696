"""Drawing things, animals, places and times."""

from __future__ import annotations

from random import Random
from typing import Literal

from codeunlearn.corpus.stories.adjectives import COLOUR_BAG, FOR_OTHERS, fitting
from codeunlearn.corpus.stories.clauses import Tense
from codeunlearn.corpus.stories.nouns import CITIES, NOUNS
from codeunlearn.corpus.stories.people import (
    EVERYONE,
    NOBODY,
    chance,
    name,
    object_person,
    owner,
    singular_person,
    suits,
)
from codeunlearn.corpus.stories.phrases import (
    EMPTY,
    Determiner,
    Nominal,
    Phrase,
    join,
    noun_phrase,
    owned,
    possessive,
    substance,
)
from codeunlearn.corpus.stories.words import Adjective, Bag, Noun

_PREPOSITIONS = {
    "in": ("in", "dans"),
    "at": ("at", "à"),
    "on": ("on", "sur"),
    "near": ("near", "près de"),
    "behind": ("behind", "derrière"),
    "before": ("in front of", "devant"),
    "under": ("under", "sous"),
}


def attributes(rng: Random, noun: Noun, *, colour: float = 0.24, other: float = 0.2) -> tuple[Adjective, ...]:
    """Up to two adjectives that go with a noun, in English order; `colour` and `other` are their chances."""
    drawn: list[Adjective] = []
    others, colours = fitting(FOR_OTHERS, noun.tags), fitting(COLOUR_BAG, noun.tags)
    with_colour = bool(colours.items) and chance(rng, colour)
    if others.items and chance(rng, other):
        first = others.draw(rng)
        # In French two adjectives after the noun would need "et"; only one goes on each side.
        if first.before or not with_colour:
            drawn.append(first)
    if with_colour:
        drawn.append(colours.draw(rng))
    return tuple(drawn)


Scope = Literal["free", "negated", "definite"]
"""Which articles an object may take: any; those of a negated verb's object ("a dog" -> "de chien", but no numbers);
or definite ones only, where a verb further up is negated and French would waver between "un" and "de"."""

_ANY = Bag((Determiner.THE, Determiner.A, Determiner.THIS), (2.5, 3.0, 0.7))
_ANY_PLURAL = Bag(
    (Determiner.THE, Determiner.A, Determiner.TWO, Determiner.THREE, Determiner.MANY),
    (2.0, 1.5, 1.2, 0.6, 0.5),
)


def count_noun(rng: Random, noun: Noun, subject: Nominal | None, scope: Scope = "free") -> Nominal:
    """A noun phrase: definite, indefinite, counted, or somebody's (the subject's own, or another person's)."""
    adjectives = attributes(rng, noun)
    plural = chance(rng, 0.22)
    share = rng.random()
    if share < 0.14:
        return owned(noun, owner(rng, noun), adjectives, plural=plural)
    if share < 0.24 and subject is not None and subject not in (EVERYONE, NOBODY) and suits(subject, noun):
        return possessive(noun, subject, adjectives, plural=plural)
    if scope == "definite" or (scope == "negated" and chance(rng, 0.5)):
        return noun_phrase(noun, Determiner.THE, adjectives, plural=plural)
    if scope == "negated":
        return noun_phrase(noun, Determiner.A, adjectives)
    return noun_phrase(noun, (_ANY_PLURAL if plural else _ANY).draw(rng), adjectives, plural=plural)


def indefinite(rng: Random, noun: Noun, *, negated: bool = False) -> Nominal:
    """Some of a kind: "a white horse", "two white horses"; under negation without a number."""
    adjectives = attributes(rng, noun)
    if negated:
        return noun_phrase(noun, Determiner.A, adjectives, plural=chance(rng, 0.25))
    plural = chance(rng, 0.35)
    determiner = rng.choice((Determiner.TWO, Determiner.THREE, Determiner.MANY)) if plural else Determiner.A
    return noun_phrase(noun, determiner, adjectives, plural=plural)


def food(rng: Random, tag: str, scope: Scope = "free") -> Nominal:
    """Something to eat or to drink: "bread", "an apple", "the soup"."""
    if tag == "drink" or chance(rng, 0.5):
        noun = NOUNS["substance", tag].draw(rng)
        return (
            noun_phrase(noun, Determiner.THE)
            if scope == "definite" or chance(rng, 0.3)
            else substance(noun, generic=False)
        )
    return count_noun(rng, NOUNS["thing", tag].draw(rng), None, scope)


def thing_or_animal(rng: Random) -> Nominal:
    """A thing or an animal to talk about: "the captain's white horse"."""
    group, tag = ("animal", "") if chance(rng, 0.4) else ("thing", "thing")
    return count_noun(rng, NOUNS[group, tag].draw(rng), None, "definite")


def a_place(rng: Random, tag: str = "place") -> Nominal:
    """A place as a noun phrase: "the old castle"."""
    noun = NOUNS["place", tag].draw(rng)
    if "owned" in noun.tags and chance(rng, 0.3):
        return owned(noun, owner(rng), attributes(rng, noun, other=0.1))
    return noun_phrase(noun, Determiner.THE, attributes(rng, noun, other=0.15, colour=0.3))


def _city(english: str, french: str, preposition: str) -> Phrase:
    return Phrase(f"{preposition} {english}", f"à {french}")


def location(rng: Random, *, tag: str = "place", cities: bool = True) -> Phrase:
    """Where something is: "near the old church", "in Julien's garden", "in Paris"."""
    if cities and chance(rng, 0.15):
        return _city(*rng.choice(CITIES), "in")
    noun = NOUNS["place", tag].draw(rng)
    english, french = _PREPOSITIONS[rng.choice([key for key in _PREPOSITIONS if key in noun.tags])]
    if "owned" in noun.tags and chance(rng, 0.35):
        return owned(noun, owner(rng)).after(english, french)
    return noun_phrase(noun, Determiner.THE, attributes(rng, noun, other=0.1, colour=0.25)).after(english, french)


def home(rng: Random) -> Phrase:
    """Where somebody lives: "in Paris", "near the harbour"."""
    if chance(rng, 0.4):
        return _city(*rng.choice(CITIES), "in")
    preposition = rng.choice(("in", "near", "near"))
    noun = NOUNS["place", preposition].draw(rng)
    place = noun_phrase(noun, Determiner.THE, attributes(rng, noun, other=0.1, colour=0.25))
    return place.after(*_PREPOSITIONS[preposition])


# Where small things and animals are.
_SPOTS = (
    Phrase("on the table", "sur la table"),
    Phrase("under the table", "sous la table"),
    Phrase("on the chair", "sur la chaise"),
    Phrase("behind the door", "derrière la porte"),
    Phrase("near the window", "près de la fenêtre"),
    Phrase("in the kitchen", "dans la cuisine"),
)


def thing_location(rng: Random, noun: Noun) -> Phrase:
    """Where a thing or an animal is: small ones also on tables and the like."""
    small = bool(noun.tags & {"gift", "wear", "fur"}) and "big" not in noun.tags
    if small and chance(rng, 0.5):
        return rng.choice(_SPOTS)
    return location(rng, tag="near", cities=False)


def swimming_place(rng: Random) -> Phrase:
    return noun_phrase(NOUNS["place", "water"].draw(rng), Determiner.THE).after("in", "dans")


def destination(rng: Random) -> Phrase:
    """Where somebody goes: "to the market", "to Paris"."""
    if chance(rng, 0.25):
        return _city(*rng.choice(CITIES), "to")
    return noun_phrase(NOUNS["place", "to"].draw(rng), Determiner.THE).after("to", "à")


def arrival(rng: Random) -> Phrase:
    """Where somebody arrives: "at the station", "in Paris"."""
    if chance(rng, 0.3):
        return _city(*rng.choice(CITIES), "in")
    return noun_phrase(NOUNS["place", "to"].draw(rng), Determiner.THE).after("at", "à")


def direct_object(rng: Random, tags: frozenset[str], subject: Nominal, scope: Scope = "free") -> Nominal:
    """An object of a verb that takes nouns of these tags."""
    tag = rng.choice(sorted(tags))
    if tag == "person":
        return object_person(rng, subject) if scope == "free" else singular_person(rng)
    if tag in ("eat", "drink"):
        return food(rng, tag, scope)
    group = "animal" if tag == "animal" else "place" if tag in ("place", "buy") else "thing"
    noun = NOUNS[group, tag].draw(rng)
    if group == "place":
        return noun_phrase(noun, Determiner.THE, attributes(rng, noun, other=0.2, colour=0.4))
    return count_noun(rng, noun, subject, scope)


_TIMES: dict[Tense, tuple[tuple[str, str], ...]] = {
    Tense.PRESENT: (
        ("every morning", "chaque matin"),
        ("every day", "chaque jour"),
        ("every evening", "chaque soir"),
        ("in summer", "en été"),
        ("in winter", "en hiver"),
        ("on Sundays", "le dimanche"),
    ),
    Tense.PROGRESSIVE: (("now", "maintenant"), ("at the moment", "en ce moment"), ("today", "aujourd'hui")),
    Tense.PAST: (
        ("yesterday", "hier"),
        ("last night", "hier soir"),
        ("last week", "la semaine dernière"),
        ("last year", "l'année dernière"),
        ("this morning", "ce matin"),
        ("on Sunday", "dimanche"),
        ("two days ago", "il y a deux jours"),
        ("three years ago", "il y a trois ans"),
    ),
    Tense.FUTURE: (
        ("tomorrow", "demain"),
        ("tomorrow morning", "demain matin"),
        ("tonight", "ce soir"),
        ("next week", "la semaine prochaine"),
        ("next year", "l'année prochaine"),
        ("next summer", "l'été prochain"),
    ),
}


def time(rng: Random, tense: Tense) -> Phrase:
    """When something happens, for tenses that have such a time; else nothing."""
    times = _TIMES.get(Tense.PRESENT if tense is Tense.USED_TO else tense)
    return Phrase(*rng.choice(times)) if times else EMPTY


def with_time(rng: Random, clause: Phrase, tense: Tense) -> Phrase:
    """A statement with a time in front ("Yesterday, ...") or behind."""
    when = time(rng, tense)
    if when is EMPTY:
        return clause
    if chance(rng, 0.35):
        return join(Phrase(when.en + ",", when.fr + ","), clause)
    return join(clause, when)


def companion(rng: Random) -> Phrase:
    """With whom: "with Julien" / "avec Julien"."""
    return (name(rng) if chance(rng, 0.6) else owner(rng)).after("with", "avec")
