"""Sentences of two clauses: relative clauses, reported thoughts and words, reasons, conditions, wishes about others."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from codeunlearn.corpus.stories import verbs
from codeunlearn.corpus.stories.adjectives import (
    COLOUR_BAG,
    HAPPY,
    HINDRANCES,
    MOODS,
    QUALITIES,
    SAD,
    fitting,
)
from codeunlearn.corpus.stories.clauses import Clause, Predicate, Tense
from codeunlearn.corpus.stories.nouns import NOUNS
from codeunlearn.corpus.stories.people import (
    chance,
    definite_person,
    object_person,
    person,
    subject,
    suits,
)
from codeunlearn.corpus.stories.phrases import (
    EMPTY,
    NO_TOPICS,
    Determiner,
    Nominal,
    Phrase,
    join,
    noun_phrase,
    pronoun_for,
)
from codeunlearn.corpus.stories.predicates import (
    act,
    action,
    activity,
    agreeing,
    desire,
    event,
    feeling,
    goal,
    motion,
    state,
    with_object,
)
from codeunlearn.corpus.stories.sentences import statement
from codeunlearn.corpus.stories.states import (
    condition,
    plain_condition,
    possession,
    profession,
)
from codeunlearn.corpus.stories.things import destination, direct_object, home, location, thing_location
from codeunlearn.corpus.stories.words import Bag

_THAT = Phrase("that", "que")
_IF = Phrase("if", "si")
_WHY = Phrase("why", "pourquoi")
_BECAUSE = Phrase("because", "parce que")
_VERY = Phrase("very", "très")


def _head(rng: Random, *, plural_share: float = 0.15) -> Nominal:
    """A definite person that a relative clause says more about."""
    return noun_phrase(NOUNS["person", ""].draw(rng), Determiner.THE, plural=chance(rng, plural_share))


def _without_subject(clause: Clause) -> Phrase:
    """The clause with its subject left out, as after a relative clause or in "opened the door and left"."""
    return replace(clause, subject=replace(clause.subject, en="", fr="", topics=NO_TOPICS)).statement()


def _relative(rng: Random, head: Nominal) -> Phrase:
    """ "the sailor who loves Marie" / "le marin qui aime Marie"."""
    family = rng.choice((feeling, feeling, action, action, desire, possession))
    clause = family(rng, head)
    who = replace(head, en="who", fr="qui", topics=NO_TOPICS)
    return join(head.phrase, replace(clause, subject=who).statement())


def who_clause(rng: Random) -> Phrase:
    """ "The sailor who loves Marie lives in Paris.", "I know the man who stole the white horse." """
    head = _head(rng)
    described = _relative(rng, head)
    if chance(rng, 0.45):
        verb = rng.choice((verbs.KNOW_PERSON, verbs.KNOW_PERSON, verbs.MEET, verbs.SEE, verbs.HELP))
        tense = Tense.PRESENT if verb.stative else Tense.PAST
        return statement(Clause(subject(rng), Predicate(verb, described), tense).statement())
    return statement(join(described, _without_subject(_short_clause(rng, head))))


def _short_clause(rng: Random, who: Nominal) -> Clause:
    """Little more to say of somebody: a state, a place to live, a profession."""
    share = rng.random()
    if share < 0.55:
        return state(rng, who, plain_condition(rng, who), tense=rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST)))
    if share < 0.8:
        return Clause(who, Predicate(verbs.LIVE, home(rng)))
    return event(rng, who, activity(rng), tense=Tense.PROGRESSIVE)


def object_clause(rng: Random) -> Phrase:
    """ "The dress that Marie bought is white." / "La robe que Marie a achetée est blanche." """
    planned = chance(rng, 0.3)
    done = (
        (verbs.BUY, verbs.SELL, verbs.PAINT) if planned else (verbs.BUY, verbs.FIND, verbs.LOSE, verbs.STEAL, verbs.SEE)
    )
    verb = rng.choice(done)
    if chance(rng, 0.35):
        noun = NOUNS["animal", ""].draw(rng)
    else:
        noun = NOUNS["thing", "paint" if verb is verbs.PAINT else "thing"].draw(rng)
    head = noun_phrase(noun, Determiner.THE, plural=chance(rng, 0.2))
    clause = Clause(subject(rng), Predicate(verb, antecedent=head), Tense.FUTURE if planned else Tense.PAST)
    described = join(head.phrase, _THAT, clause.statement())
    colours, qualities = fitting(COLOUR_BAG, noun.tags), fitting(QUALITIES, noun.tags)
    if colours.items and chance(rng, 0.6):
        said = agreeing(colours.draw(rng), head)
    elif qualities.items and chance(rng, 0.6):
        said = agreeing(qualities.draw(rng), head)
    else:
        said = thing_location(rng, noun)
    tense = Tense.PRESENT if planned else rng.choice((Tense.PRESENT, Tense.PAST))
    return statement(join(described, _without_subject(Clause(head, Predicate(verbs.BE, said), tense))))


def whose_clause(rng: Random) -> Phrase:
    """ "The captain whose horse is white lives in Paris." / "Le capitaine dont le cheval est blanc habite à Paris." """
    head = _head(rng, plural_share=0.0)
    noun = (
        NOUNS["animal", "fur"] if chance(rng, 0.5) else NOUNS["thing", "dye"].where(lambda each: suits(head, each))
    ).draw(rng)
    thing = noun_phrase(noun, Determiner.THE)
    bare = replace(thing, en=thing.en.removeprefix("the "))
    colour = agreeing(fitting(COLOUR_BAG, noun.tags).draw(rng), thing)
    be = Clause(bare, Predicate(verbs.BE, colour), rng.choice((Tense.PRESENT, Tense.PAST)))
    main = _without_subject(_short_clause(rng, head))
    return statement(join(head.phrase, Phrase("whose", "dont"), be.statement(), main))


def where_clause(rng: Random) -> Phrase:
    """ "The village where Julien lives is very old." / "Le village où Julien habite est très vieux." """
    noun = NOUNS["place", "in"].draw(rng)
    place = noun_phrase(noun, Determiner.THE)
    verb = rng.choice((verbs.LIVE, verbs.WORK, verbs.SLEEP, verbs.PLAY))
    lives = Clause(subject(rng), Predicate(verb), Tense.PRESENT if verb is verbs.LIVE else Tense.PROGRESSIVE)
    quality = agreeing(fitting(QUALITIES, noun.tags).draw(rng), place, _VERY if chance(rng, 0.4) else EMPTY)
    be = _without_subject(Clause(place, Predicate(verbs.BE, quality)))
    return statement(join(place.phrase, Phrase("where", "où"), lives.statement(), be))


def reported(rng: Random) -> Phrase:
    """ "Marie thinks that the captain is poor.", "The sailor said that he was tired." """
    who = subject(rng)
    if chance(rng, 0.35):
        verb = rng.choice((verbs.SAY, verbs.SAY, verbs.THINK, verbs.KNOW, verbs.BELIEVE))
        inner = _state_clause(rng, _another(rng, who), Tense.PAST)
        outer = Clause(who, Predicate(verb, join(_THAT, inner.statement())), Tense.PAST)
        return statement(outer.statement())
    verb = rng.choice((verbs.THINK, verbs.THINK, verbs.KNOW, verbs.BELIEVE, verbs.SAY))
    other = _another(rng, who)
    family = rng.choice((_state_clause, _state_clause, action, motion))
    inner = family(
        rng,
        other,
        tense=rng.choice((Tense.PRESENT, Tense.FUTURE)) if family is _state_clause else Tense.FUTURE,
    )
    return statement(Clause(who, Predicate(verb, join(_THAT, inner.statement())), Tense.PRESENT).statement())


def _another(rng: Random, who: Nominal) -> Nominal:
    """Whom a thought is about: somebody else, or oneself by pronoun."""
    return pronoun_for(who) if chance(rng, 0.3) else person(rng)


def _state_clause(rng: Random, who: Nominal, tense: Tense) -> Clause:
    family = Bag((condition, feeling, desire, possession, profession), (2.5, 2.0, 1.2, 0.8, 0.5)).draw(rng)
    return family(rng, who, tense=tense)


def wondering(rng: Random) -> Phrase:
    """ "I do not know if Julien will come.", "Marie asked if the captain was rich." """
    who, other = subject(rng), person(rng)
    share = rng.random()
    if share < 0.4:
        inner = join(_IF, _state_clause(rng, other, Tense.PAST).statement())
        return statement(Clause(who, Predicate(verbs.ASK, inner), Tense.PAST).statement())
    if share < 0.7:
        inner = join(_IF, rng.choice((action, motion))(rng, other, tense=Tense.FUTURE, positive=True).statement())
    else:
        inner = join(_WHY, _state_clause(rng, other, Tense.PRESENT).statement())
    return statement(Clause(who, Predicate(verbs.KNOW, inner), Tense.PRESENT, negated=True).statement())


def reason(rng: Random) -> Phrase:
    """ "Julien is sad because he lost his hat.", "The sailor cannot work because he is sick." """
    who = subject(rng)
    again = pronoun_for(who)
    share = rng.random()
    if share < 0.5:
        adjective = rng.choice((HAPPY, SAD))
        because = _joy(rng, again) if adjective is HAPPY else _sorrow(rng, again)
        main = Clause(who, Predicate(verbs.BE, agreeing(adjective, who)))
    elif share < 0.8:
        main = Clause(who, Predicate(verbs.CAN, goal(rng, who, "definite").infinitive(who)), negated=True)
        degree = Phrase("too", "trop") if chance(rng, 0.3) else EMPTY
        because = Clause(again, Predicate(verbs.BE, agreeing(HINDRANCES.draw(rng), again, degree)))
    else:
        return statement(_weather(rng, who))
    return statement(join(main.statement(), _BECAUSE, because.statement()))


def _joy(rng: Random, who: Nominal) -> Clause:
    verb = rng.choice((verbs.FIND, verbs.BUY, verbs.MEET, verbs.SEE, verbs.LOVE))
    return _cause(rng, who, verb)


def _sorrow(rng: Random, who: Nominal) -> Clause:
    verb = rng.choice((verbs.LOSE, verbs.SELL, verbs.LOSE, verbs.HATE, verbs.FEAR))
    return _cause(rng, who, verb)


def _cause(rng: Random, who: Nominal, verb: verbs.Verb) -> Clause:
    if verb.stative:
        return Clause(who, with_object(verb, object_person(rng, who)))
    tags = verb.objects - {"eat", "buy", "place"}
    return event(rng, who, with_object(verb, direct_object(rng, tags, who)), tense=Tense.PAST)


def _weather(rng: Random, who: Nominal) -> Phrase:
    """ "Julien stayed in the house because it was raining." """
    if chance(rng, 0.5):
        tense = Tense.PAST
        weather = rng.choice((Phrase("it was raining", "il pleuvait"), Phrase("it was cold", "il faisait froid")))
    else:
        tense = Tense.FUTURE
        weather = rng.choice((Phrase("it is raining", "il pleut"), Phrase("it is cold", "il fait froid")))
    stay = event(rng, who, Predicate(verbs.STAY, location(rng)), tense=tense, negated=chance(rng, 0.15))
    return join(stay.statement(), _BECAUSE, weather)


def when_clause(rng: Random) -> Phrase:
    """ "When Julien arrived, the captain was sleeping." """
    first, second = subject(rng), definite_person(rng)
    verb = rng.choice((verbs.ARRIVE, verbs.RETURN, verbs.COME, verbs.LEAVE))
    came = Clause(first, Predicate(verb), Tense.PAST)
    if chance(rng, 0.3):
        main = Clause(second, Predicate(verbs.BE, agreeing(MOODS.draw(rng), second)), Tense.PAST)
    else:
        main = event(rng, second, act(rng, second), tense=Tense.WAS_DOING)
    start = join(Phrase("when", "quand"), came.statement())
    return statement(join(Phrase(start.en + ",", start.fr + ",", start.topics), main.statement()))


def if_clause(rng: Random) -> Phrase:
    """ "If Julien comes, the captain will be happy.", "If it rains, we will stay in the house." """
    second = subject(rng)
    if chance(rng, 0.3):
        start = Phrase("if it rains", "s'il pleut")
    else:
        verb = rng.choice((verbs.COME, verbs.LEAVE, verbs.STAY, verbs.RETURN, verbs.SINGING))
        start = join(_IF, Clause(person(rng), Predicate(verb)).statement())
    if chance(rng, 0.4):
        main = Clause(second, Predicate(verbs.BE, agreeing(rng.choice((HAPPY, SAD)), second)), Tense.FUTURE)
    else:
        main = rng.choice((action, motion))(rng, second, tense=Tense.FUTURE)
    return statement(join(Phrase(start.en + ",", start.fr + ",", start.topics), main.statement()))


def wish_for_another(rng: Random) -> Phrase:
    """ "Marie hopes that Julien will return.", "He wishes that she would stay.", "The king wants Paul to leave." """
    who, other = subject(rng), person(rng)
    predicate = _deed_of_another(rng, other)
    verb = Bag((verbs.WISH, verbs.HOPE, verbs.WANT), (1.0, 1.0, 1.0)).draw(rng)
    tense = rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST))
    if verb is verbs.HOPE:
        inner = join(_THAT, Clause(other, predicate, Tense.FUTURE).statement())
        tense = rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PROGRESSIVE))
    else:
        inner = join(_THAT, Clause(other, predicate, Tense.WISHED_FOR).statement())
    if verb is verbs.WANT:
        english = f"{other.en} to {predicate.infinitive(other).en}"
        inner = Phrase(english, inner.fr, inner.topics)
    return statement(Clause(who, Predicate(verb, inner), tense).statement())


def _deed_of_another(rng: Random, other: Nominal) -> Predicate:
    if chance(rng, 0.4):
        verb = verbs.COMINGS.draw(rng)
        if chance(rng, 0.5) or verb is verbs.LEAVE:
            return Predicate(verb)
        return Predicate(verb, destination(rng) if verb in (verbs.COME, verbs.RETURN) else location(rng))
    return act(rng, other, on_purpose=True)


def two_deeds(rng: Random) -> Phrase:
    """ "Julien opened the door and saw the dog.", "Marie sings and the children are dancing." """
    who = subject(rng)
    tense = rng.choice((Tense.PAST, Tense.PAST, Tense.FUTURE))
    link = Phrase("and", "et")
    if chance(rng, 0.6):
        first, second = (action(rng, who, tense=tense, positive=True) for _ in range(2))
        tail = _without_subject(second)
        if tense is Tense.FUTURE:
            tail = Phrase(tail.en.removeprefix("will "), tail.fr, tail.topics)
        return statement(join(first.statement(), link, tail))
    other = person(rng)
    first = action(rng, who, tense=tense, positive=True)
    second = action(rng, other, tense=tense, positive=True)
    link = rng.choice((link, Phrase("but", "mais")))
    return statement(join(first.statement(), link, second.statement()))


def before_and_without(rng: Random) -> Phrase:
    """ "Julien drank tea before going to the market.", "She left without closing the door." """
    who = subject(rng)
    if chance(rng, 0.5):
        main = action(rng, who, tense=rng.choice((Tense.PAST, Tense.FUTURE)), positive=True)
        link = Phrase("before", "avant de")
    else:
        verb = rng.choice((verbs.LEAVE, verbs.RETURN, verbs.COME))
        main = Clause(who, Predicate(verb), rng.choice((Tense.PAST, Tense.FUTURE)))
        link = Phrase("without", "sans")
    return statement(join(main.statement(), link, act(rng, who, "definite").gerund(who)))
