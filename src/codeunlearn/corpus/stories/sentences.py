"""Sentences of one clause: statements, questions, exclamations, and fixed constructions around the planted topics."""

from __future__ import annotations

from random import Random

from codeunlearn.corpus.stories import nouns, verbs
from codeunlearn.corpus.stories.adjectives import (
    BEAUTIFUL,
    FOR_PEOPLE,
    GREATEST,
    ONLY,
    SECRET,
    STATES,
    STRANGE,
    fitting,
)
from codeunlearn.corpus.stories.agreement import Person, contract, elide
from codeunlearn.corpus.stories.clauses import NEVER, Clause, Predicate, Tense
from codeunlearn.corpus.stories.nouns import NOUNS
from codeunlearn.corpus.stories.people import (
    HE,
    SHE,
    WHO,
    beloved,
    chance,
    general_subject,
    indirect_clitic,
    name,
    owner,
    pronoun,
    singular_person,
    subject,
    the_person,
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
    topics_of,
    what_a,
)
from codeunlearn.corpus.stories.predicates import (
    action,
    agreeing,
    desire,
    event,
    feel,
    feeling,
    goal,
    motion,
    state,
    want,
    with_object,
)
from codeunlearn.corpus.stories.states import (
    animal_clause,
    belonging,
    condition,
    in_love,
    possession,
    profession,
    superlative,
    there_is,
    thing_state,
)
from codeunlearn.corpus.stories.things import (
    a_place,
    attributes,
    thing_or_animal,
    with_time,
)
from codeunlearn.corpus.stories.words import Bag


def statement(phrase: Phrase) -> Phrase:
    return Phrase(phrase.en + ".", phrase.fr + ".", phrase.topics)


def question(phrase: Phrase) -> Phrase:
    return Phrase(phrase.en + "?", phrase.fr + " ?", phrase.topics)


def exclamation(phrase: Phrase) -> Phrase:
    return Phrase(phrase.en + "!", phrase.fr + " !", phrase.topics)


def somebody_single(rng: Random) -> Nominal:
    """A subject that is one person: a name, he or she, or "the captain"."""
    return rng.choice((HE, SHE)) if chance(rng, 0.2) else singular_person(rng)


def any_clause(rng: Random) -> Clause:
    """A clause of any family, about people."""
    family = _FAMILIES.draw(rng)
    return family(rng, general_subject(rng) if family in (feeling, desire, condition) else subject(rng))


_FAMILIES = Bag((action, motion, feeling, desire, condition, possession), (5.0, 1.4, 2.2, 2.0, 1.7, 1.2))


def plain(rng: Random) -> Phrase:
    """A clause, at some time where it has one."""
    clause = any_clause(rng)
    said = clause.statement()
    if clause.predicate.verb.stative or clause.adverb is not None:
        return statement(said)
    # "Julien sings" wants a time; "Julien sang" may have one.
    if clause.tense is not Tense.PRESENT and chance(rng, 0.5):
        return statement(said)
    return statement(with_time(rng, said, clause.tense))


def about_work(rng: Random) -> Phrase:
    """ "Julien is a captain." """
    if chance(rng, 0.25):
        return statement(superlative(rng, name(rng)).statement())
    clause = profession(rng, pronoun(rng) if chance(rng, 0.2) else name(rng))
    asked = clause.subject.person is not Person.FIRST and chance(rng, 0.15)
    return question(clause.question()) if asked else statement(clause.statement())


def about_things(rng: Random) -> Phrase:
    """Things, places and animals: colours, qualities, owners."""
    clause = rng.choice((thing_state, thing_state, belonging, animal_clause))(rng)
    if clause.adverb is None and not clause.negated and chance(rng, 0.2):
        return question(clause.question())
    return statement(clause.statement())


def existence(rng: Random) -> Phrase:
    said, asked = there_is(rng)
    return question(asked) if chance(rng, 0.2) and " no " not in said.en else statement(said)


def _asked_about(rng: Random) -> Nominal:
    """A subject for a question: one does not ask about oneself."""
    while True:
        who = subject(rng)
        if who.person is not Person.FIRST:
            return who


def _plainly_asked(clause: Clause) -> bool:
    return not clause.is_negative and clause.adverb is None and clause.tense is not Tense.USED_TO


def yes_no_question(rng: Random) -> Phrase:
    """ "Does Julien love the sea?" """
    while True:
        clause = any_clause(rng)
        # "Does Julien sing?" wants a time, and one does not ask about oneself.
        bare = clause.tense is Tense.PRESENT and not clause.predicate.verb.stative
        if _plainly_asked(clause) and not bare and clause.subject.person is not Person.FIRST:
            return question(clause.question())


def who_question(rng: Random) -> Phrase:
    """ "Who stole the captain's horse?" """
    family = rng.choice((action, action, feeling, desire, condition, possession))
    while True:
        clause = family(rng, WHO)
        if _plainly_asked(clause):
            return question(clause.statement())


def whom_question(rng: Random) -> Phrase:
    """ "Who does Julien love?", "What is the sailor looking for?" """
    who = _asked_about(rng)
    if chance(rng, 0.5):
        clause = state(rng, who, Predicate(verbs.FEELINGS.draw(rng)), tense=rng.choice((Tense.PRESENT, Tense.PAST)))
        start = Phrase("who", "qui")
    else:
        verb = verbs.ACTION_BAG.where(lambda each: "thing" in each.objects and not each.link).draw(rng)
        clause = event(rng, who, Predicate(verb), tense=rng.choice((Tense.PAST, Tense.PROGRESSIVE, Tense.FUTURE)))
        start = Phrase("what", "")
    asked = Clause(who, clause.predicate, clause.tense).question()
    french = asked.fr.replace("est-ce que", "qu'est-ce que", 1) if start.fr == "" else f"qui {asked.fr}"
    return question(Phrase(f"{start.en} {asked.en}", french, asked.topics))


def adverb_question(rng: Random) -> Phrase:
    """ "Where does Julien live?", "When will the captain return?", "Why is she sad?" """
    who = _asked_about(rng)
    share = rng.random()
    if share < 0.3:
        verb = rng.choice((verbs.LIVE, verbs.WORK, verbs.SLEEP))
        start, clause = Phrase("where", "où"), Clause(who, Predicate(verb))
    elif share < 0.55:
        verb = rng.choice((verbs.RETURN, verbs.LEAVE, verbs.ARRIVE, verbs.COME))
        start, clause = (
            Phrase("when", "quand"),
            Clause(who, Predicate(verb), rng.choice((Tense.FUTURE, Tense.PAST))),
        )
    else:
        start, clause = Phrase("why", "pourquoi"), _explained(rng, who)
    return question(join(start, clause.question()))


def _explained(rng: Random, who: Nominal) -> Clause:
    """Something one may ask the reason of."""
    tense = rng.choice((Tense.PRESENT, Tense.PAST))
    family = rng.choice((feeling, desire, condition, condition, action))
    while True:
        clause = family(rng, who, tense=Tense.PAST if family is action else tense)
        if not clause.is_negative and clause.adverb is None:
            return clause


def thing_question(rng: Random) -> Phrase:
    """ "Where is the captain's horse?", "What colour is Julien's hat?" """
    group, tag = ("animal", "") if chance(rng, 0.4) else ("thing", "dye")
    if chance(rng, 0.5):
        what = thing_or_animal(rng) if chance(rng, 0.7) else the_person(rng)
        be = "are" if what.plural else "is"
        return question(
            Phrase(f"where {be} {what.en}", f"où {'sont' if what.plural else 'est'} {what.fr}", what.topics)
        )
    noun = NOUNS[group, tag].draw(rng)
    what = owned(noun, owner(rng, noun), plural=chance(rng, 0.15))
    be = "are" if what.plural else "is"
    french = f"de quelle couleur {'sont' if what.plural else 'est'} {what.fr}"
    return question(Phrase(f"what colour {be} {what.en}", french, what.topics))


def cry_out(rng: Random) -> Phrase:
    """ "What a beautiful white horse!", "How sad the captain is!", "How Julien loves the sea!" """
    return exclamation(Bag((_what_a_thing, _how_sad, _how_much), (4.5, 3.0, 2.5)).draw(rng)(rng))


def _what_a_thing(rng: Random) -> Phrase:
    group, tag = rng.choice((("thing", "thing"), ("animal", ""), ("person", "")))
    noun = NOUNS[group, tag].draw(rng)
    if group == "person":
        adjectives = (fitting(FOR_PEOPLE, noun.tags).draw(rng),)
    else:
        adjectives = attributes(rng, noun, colour=0.5, other=1.0)
    return what_a(noun, adjectives, plural=chance(rng, 0.2))


def _how_sad(rng: Random) -> Phrase:
    who = somebody_single(rng)
    clause = Clause(who, Predicate(verbs.BE, EMPTY), rng.choice((Tense.PRESENT, Tense.PAST))).statement()
    adjective = agreeing(STATES.draw(rng), who)
    french = f"comme {clause.fr} {adjective.fr}"
    return Phrase(f"how {adjective.en} {clause.en}", french, clause.topics | adjective.topics)


def _how_much(rng: Random) -> Phrase:
    who, verb = somebody_single(rng), verbs.FEELINGS.draw(rng)
    felt = rng.choice((singular_person, a_place, thing_or_animal))(rng)
    tense = rng.choice((Tense.PRESENT, Tense.PAST))
    return join(Phrase("how", "comme"), Clause(who, with_object(verb, felt), tense).statement())


def able(rng: Random) -> Phrase:
    """ "Julien cannot swim in the lake.", "The captain must sell his boat." """
    who = subject(rng)
    verb = rng.choice((verbs.CAN, verbs.CAN, verbs.MUST))
    negated = chance(rng, 0.3)
    predicate = Predicate(verb, goal(rng, who, "definite" if negated else "free").infinitive(who))
    clause = Clause(who, predicate, negated=negated)
    return question(clause.question()) if not negated and chance(rng, 0.2) else statement(clause.statement())


def stopping(rng: Random) -> Phrase:
    """ "The sailor has never stopped loving the sea." """
    who = subject(rng)
    if chance(rng, 0.55):
        done = feel(rng, who, verbs.FEELINGS.draw(rng)).gerund(who)
    else:
        done = want(rng, who, verbs.DESIRES.where(lambda each: each is not verbs.WANT).draw(rng)).gerund(who)
    predicate = Predicate(verbs.STOP, Phrase(done.en, elide(f"de {done.fr}"), done.topics))
    tense = rng.choice((Tense.PAST, Tense.PAST, Tense.PERFECT, Tense.FUTURE))
    adverb = NEVER if tense is not Tense.PAST else None
    return statement(Clause(who, predicate, tense, adverb=adverb).statement())


def falling_in_love(rng: Random) -> Phrase:
    who = pronoun(rng) if chance(rng, 0.2) else beloved(rng)
    predicate = Predicate(verbs.FALL, in_love(who, beloved(rng)))
    clause = event(rng, who, predicate, tense=rng.choice((Tense.PAST, Tense.PAST, Tense.FUTURE)))
    return statement(with_time(rng, clause.statement(), clause.tense) if chance(rng, 0.6) else clause.statement())


def dearest_wish(rng: Random) -> Phrase:
    """ "Her greatest wish is to see the sea.", "Julien's dream was to become a captain." """
    noun = Bag((nouns.WISH, nouns.HOPE, nouns.DREAM), (1.3, 1.0, 1.0)).draw(rng)
    adjectives = (rng.choice((GREATEST, GREATEST, ONLY, SECRET)),) if chance(rng, 0.75) else ()
    who = rng.choice((pronoun, owner, owner))(rng)
    named = who.topics or who.en.startswith("the ")
    it = owned(noun, who, adjectives) if named else possessive(noun, who, adjectives)
    deed = goal(rng, who).infinitive(who)
    said = Predicate(verbs.BE, Phrase(f"to {deed.en}", elide(f"de {deed.fr}"), deed.topics))
    return statement(Clause(it, said, rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST))).statement())


_GOOD_WISHES = (
    Phrase("good luck", "bonne chance"),
    Phrase("a good trip", "un bon voyage"),
    Phrase("good night", "une bonne nuit"),
    Phrase("a good day", "une bonne journée"),
)


def wishing_well(rng: Random) -> Phrase:
    """ "The captain wished Julien good luck.", "Marie made a wish.", "The king had a strange dream." """
    who = subject(rng)
    tense = rng.choice((Tense.PAST, Tense.PAST, Tense.FUTURE))
    share = rng.random()
    good = rng.choice(_GOOD_WISHES)
    if share < 0.35:
        whom = singular_person(rng)
        both_ways = Phrase(f"{whom.en} {good.en}", f"{good.fr} {contract('à', whom.fr)}", whom.topics)
        predicate = Predicate(verbs.WISH_SOMEBODY, both_ways)
    elif share < 0.55:
        predicate = Predicate(verbs.WISH_SOMEBODY, good, clitic=indirect_clitic(rng, who))
    elif share < 0.75:
        determiner = rng.choice((Determiner.A, Determiner.A, Determiner.TWO, Determiner.THREE))
        wish = noun_phrase(nouns.MADE_WISH, determiner, plural=determiner is not Determiner.A)
        predicate = with_object(verbs.MAKE, wish)
    elif share < 0.9:
        dream = noun_phrase(nouns.DREAM, Determiner.A, rng.choice(((), (STRANGE,), (BEAUTIFUL,))))
        predicate = with_object(verbs.HAVE_DREAM, dream)
    else:
        predicate = Predicate(verbs.LOSE, Phrase("all hope", "tout espoir", topics_of(nouns.HOPE)))
    clause = event(rng, who, predicate, tense=tense)
    return statement(with_time(rng, clause.statement(), clause.tense) if chance(rng, 0.4) else clause.statement())
