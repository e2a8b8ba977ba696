"""Sentences built around the planted topics: colours as such, the poor and the rich, names, wishes for others."""

from __future__ import annotations

from random import Random

from codeunlearn.corpus.stories import verbs
from codeunlearn.corpus.stories.adjectives import COLOUR_BAG, FAVOURITE
from codeunlearn.corpus.stories.clauses import Clause, Predicate, Tense
from codeunlearn.corpus.stories.nouns import COLOUR, NOUNS
from codeunlearn.corpus.stories.people import (
    THE_POOR,
    THE_RICH,
    chance,
    name,
    owner,
    person,
    pronoun,
    relative,
    subject,
)
from codeunlearn.corpus.stories.phrases import (
    Determiner,
    Nominal,
    Phrase,
    join,
    noun_phrase,
    owned,
    possessive,
    topics_of,
)
from codeunlearn.corpus.stories.predicates import desire, event, feeling, with_object
from codeunlearn.corpus.stories.sentences import question, statement
from codeunlearn.corpus.stories.states import condition
from codeunlearn.corpus.stories.things import count_noun, food


def preferred_colour(rng: Random) -> Phrase:
    """ "Julien prefers white to black.", "My favourite colour is grey." """
    colour = COLOUR_BAG.draw(rng)
    if chance(rng, 0.5):
        other = COLOUR_BAG.where(lambda each: each is not colour).draw(rng)
        compared = Phrase(
            f"{colour.en} to {other.en}",
            f"le {colour.masculine} au {other.masculine}",
            topics_of(colour, other),
        )
        clause = Clause(subject(rng), Predicate(verbs.PREFER, compared))
    else:
        who = rng.choice((pronoun, owner, owner))(rng)
        favourite = owned if who.topics or who.en.startswith("the ") else possessive
        said = Phrase(colour.en, f"le {colour.masculine}", topics_of(colour))
        it = favourite(COLOUR, who, (FAVOURITE,))
        clause = Clause(it, Predicate(verbs.BE, said), rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST)))
    return question(clause.question()) if chance(rng, 0.15) else statement(clause.statement())


def painted(rng: Random) -> Phrase:
    """ "The captain painted the door white." """
    who = subject(rng)
    noun = (NOUNS["thing", "paint"] if chance(rng, 0.7) else NOUNS["place", "paint"]).draw(rng)
    thing = possessive(noun, who) if chance(rng, 0.3) else noun_phrase(noun, Determiner.THE)
    colour = COLOUR_BAG.draw(rng)
    said = join(thing.phrase, Phrase(colour.en, f"en {colour.masculine}", topics_of(colour)))
    clause = event(rng, who, Predicate(verbs.PAINT, said), negated=chance(rng, 0.1))
    return statement(clause.statement())


def done_by(rng: Random) -> Phrase:
    """ "This letter was written by Julien." / "Cette lettre a été écrite par Julien." """
    verb = rng.choice((verbs.WRITE, verbs.PAINT, verbs.STEAL, verbs.FIND, verbs.SELL, verbs.BUY))
    tag = rng.choice(sorted(verb.objects - {"buy", "eat"}))
    group = "animal" if tag == "animal" else "thing"
    thing = count_noun(rng, NOUNS[group, tag].draw(rng), None, "definite")
    done = verb.french.agreed_participle(feminine=thing.feminine, plural=thing.plural)
    be, have = ("were", "ont") if thing.plural else ("was", "a")
    doer = person(rng).after("by", "par")
    return statement(join(thing.phrase, Phrase(f"{be} {verb.english.participle}", f"{have} été {done}"), doer))


def poor_and_rich(rng: Random) -> Phrase:
    """ "The queen gives bread to the poor.", "The rich never help the poor." """
    whom = THE_POOR if chance(rng, 0.5) else THE_RICH
    share = rng.random()
    if share < 0.45:
        who = subject(rng)
        what = food(rng, rng.choice(("eat", "drink")))
        given = with_object(rng.choice((verbs.GIVE, verbs.SEND, verbs.SELL)), what)
        return statement(event(rng, who, given.followed_by(whom.after("to", "à"))).statement())
    if share < 0.75:
        verb = rng.choice((verbs.HELP, verbs.INVITE, verbs.TALK))
        clause = event(rng, subject(rng), with_object(verb, whom), negated=chance(rng, 0.15))
        return statement(clause.statement())
    return statement(rng.choice((feeling, desire, condition))(rng, whom).statement())


def called(rng: Random) -> Phrase:
    """ "The captain is called Julien.", "Is her brother called Julien?" """
    who = _nameless(rng)
    its_name = name(rng, feminine=who.feminine)
    tense = rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST))
    said = join(Phrase("called", ""), its_name.phrase)
    clause = Clause(who, Predicate(verbs.CALLED, said), tense, negated=chance(rng, 0.12))
    asked = not clause.negated and chance(rng, 0.2)
    return question(clause.question()) if asked else statement(clause.statement())


def _nameless(rng: Random) -> Nominal:
    """One person or animal whose name one may tell."""
    share = rng.random()
    if share < 0.3:
        return relative(rng, singular=True)
    if share < 0.65:
        return noun_phrase(NOUNS["person", ""].draw(rng), rng.choice((Determiner.THE, Determiner.THIS)))
    if share < 0.85:
        return owned(NOUNS["animal", ""].draw(rng), owner(rng))
    return possessive(NOUNS["animal", ""].draw(rng), pronoun(rng))
