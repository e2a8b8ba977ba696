"""Drawing people: names, professions, relatives and pronouns as noun phrases."""

from __future__ import annotations

from random import Random

from codeunlearn.corpus.stories.adjectives import FOR_OTHERS, FOR_PEOPLE, OLD, POOR, YOUNG, fitting
from codeunlearn.corpus.stories.agreement import Person
from codeunlearn.corpus.stories.nouns import NAMES, NOUNS
from codeunlearn.corpus.stories.phrases import (
    Clitic,
    Determiner,
    Nominal,
    both,
    kind,
    named,
    noun_phrase,
    owned,
    possessive,
)
from codeunlearn.corpus.stories.words import Adjective, Bag, Noun

I = Nominal("I", "je", Person.FIRST, feminine=False)  # noqa: E741 (the English pronoun)
HE = Nominal("he", "il", Person.THIRD, feminine=False)
SHE = Nominal("she", "elle", Person.THIRD, feminine=True)
THEY = Nominal("they", "ils", Person.THIRD_PLURAL, feminine=False)
EVERYONE = Nominal("everyone", "tout le monde", Person.THIRD, feminine=False, universal=True)
NOBODY = Nominal("nobody", "personne", Person.THIRD, feminine=False, ne=True)
THE_POOR = Nominal("the poor", "les pauvres", Person.THIRD_PLURAL, feminine=False, topics=frozenset(("poor",)))
THE_RICH = Nominal("the rich", "les riches", Person.THIRD_PLURAL, feminine=False, topics=frozenset(("rich",)))
WHO = Nominal("who", "qui", Person.THIRD, feminine=False)

_PRONOUNS = Bag((I, HE, SHE, THEY), (1.4, 1.2, 1.2, 1.0))
_DIRECT_CLITICS = Bag(
    (
        Clitic("him", "le"),
        Clitic("her", "la", feminine=True),
        Clitic("them", "les", plural=True),
        Clitic("me", "me"),
    ),
    (1.0, 1.2, 0.8, 0.6),
)
_INDIRECT_CLITICS = Bag(
    (
        Clitic("him", "lui", direct=False),
        Clitic("her", "lui", direct=False),
        Clitic("them", "leur", direct=False),
        Clitic("me", "me", direct=False),
    )
)
_SINGULAR = Bag((Determiner.THE, Determiner.A, Determiner.THIS), (6.0, 1.6, 0.8))
_PLURAL = Bag((Determiner.THE, Determiner.TWO, Determiner.THREE, Determiner.THIS), (3.5, 1.0, 0.5, 0.5))


def chance(rng: Random, probability: float) -> bool:
    return rng.random() < probability


def pronoun(rng: Random) -> Nominal:
    """A subject pronoun."""
    return _PRONOUNS.draw(rng)


def direct_clitic(rng: Random, subject: Nominal) -> Clitic:
    """An object pronoun that is not "me" where the subject is "I"."""
    while True:
        clitic = _DIRECT_CLITICS.draw(rng)
        if _differ(clitic, subject):
            return clitic


def indirect_clitic(rng: Random, subject: Nominal) -> Clitic:
    """The same for "lui" and "leur"."""
    while True:
        clitic = _INDIRECT_CLITICS.draw(rng)
        if _differ(clitic, subject):
            return clitic


def _differ(clitic: Clitic, subject: Nominal) -> bool:
    return not (clitic.en == "me" and subject.person is Person.FIRST)


def name(rng: Random, *, feminine: bool | None = None) -> Nominal:
    """Somebody by first name."""
    while True:
        drawn = NAMES.draw(rng)
        if feminine is None or drawn.feminine == feminine:
            return named(drawn)


def _attributes(rng: Random, noun: Noun) -> tuple[Adjective, ...]:
    if not chance(rng, 0.25):
        return ()
    drawn = fitting(FOR_PEOPLE, noun.tags).draw(rng)
    if drawn is POOR and "adult" in noun.tags and chance(rng, 0.12):
        return (POOR, YOUNG if chance(rng, 0.5) else OLD)
    if "child" in noun.tags and chance(rng, 0.2):
        return (fitting(FOR_OTHERS, noun.tags).draw(rng),)
    return (drawn,)


def the_person(rng: Random, tag: str = "") -> Nominal:
    """A definite singular person: "the poor captain"."""
    drawn = NOUNS["person", tag].draw(rng)
    return noun_phrase(drawn, Determiner.THE, _attributes(rng, drawn))


def described_person(rng: Random, *, plural_share: float = 0.2) -> Nominal:
    """A person by profession and the like: "two old sailors", "this nurse"."""
    drawn = NOUNS["person", ""].draw(rng)
    plural = chance(rng, plural_share)
    return noun_phrase(drawn, (_PLURAL if plural else _SINGULAR).draw(rng), _attributes(rng, drawn), plural=plural)


def owner(rng: Random, owned_noun: Noun | None = None) -> Nominal:
    """Somebody who can own things: a name or a definite singular person without adjectives."""
    while True:
        who = name(rng) if chance(rng, 0.5) else noun_phrase(NOUNS["person", ""].draw(rng), Determiner.THE)
        if owned_noun is None or suits(who, owned_noun):
            return who


def suits(who: Nominal, noun: Noun) -> bool:
    """Whether somebody may own or wear a thing: dresses belong to women here."""
    return who.feminine or "hers" not in noun.tags


def relative(rng: Random, of: Nominal | None = None, *, singular: bool = False) -> Nominal:
    """A member of somebody's family, or a friend: `of` the given person (a possessive), or somebody named."""
    plural = not singular and chance(rng, 0.12)
    nouns = NOUNS["kin", "many" if plural else ""]
    if of is not None and of.child:
        nouns = nouns.where(lambda each: each.en not in ("son", "daughter"))
    noun = nouns.draw(rng)
    if of is not None:
        return possessive(noun, of, plural=plural)
    if chance(rng, 0.4):
        return possessive(noun, pronoun(rng), plural=plural)
    return owned(noun, owner(rng), plural=plural)


def person(rng: Random, *, names: float = 0.38) -> Nominal:
    """Any person or people except pronouns."""
    if chance(rng, names):
        return name(rng)
    return relative(rng) if chance(rng, 0.16) else described_person(rng)


def singular_person(rng: Random) -> Nominal:
    """A name, or a definite singular person."""
    return name(rng) if chance(rng, 0.5) else the_person(rng)


def definite_person(rng: Random) -> Nominal:
    """Somebody known: a name, "the captain", "his mother"."""
    return relative(rng) if chance(rng, 0.15) else singular_person(rng)


def beloved(rng: Random) -> Nominal:
    """Somebody to be in love with: a grown-up who is not of one's family."""
    return name(rng) if chance(rng, 0.5) else the_person(rng, "adult")


def _all_people(rng: Random) -> Nominal:
    """ "everyone", "nobody", "the poor", "every sailor", "all the sailors", "sailors"."""
    if chance(rng, 0.2):
        return THE_POOR if chance(rng, 0.5) else THE_RICH
    noun = NOUNS["person", ""].draw(rng)
    if chance(rng, 0.3):
        return EVERYONE if chance(rng, 0.5) else NOBODY
    if chance(rng, 0.35):
        return kind(noun)
    every = chance(rng, 0.5)
    return noun_phrase(noun, Determiner.EVERY if every else Determiner.ALL, plural=not every)


def subject(rng: Random) -> Nominal:
    """Any subject that acts and feels like a person."""
    share = rng.random()
    if share < 0.17:
        return pronoun(rng)
    if share < 0.22:
        return both(singular_person(rng), singular_person(rng))
    return person(rng)


def general_subject(rng: Random) -> Nominal:
    """A subject for what is true of many: also everyone, nobody, and whole kinds of people."""
    return _all_people(rng) if chance(rng, 0.12) else subject(rng)


def object_person(rng: Random, subject: Nominal) -> Nominal:
    """A person as an object of what the subject does or feels."""
    if chance(rng, 0.12):
        return relative(rng, of=subject)
    if chance(rng, 0.03):
        return THE_POOR if chance(rng, 0.5) else THE_RICH
    return person(rng, names=0.36)
