"""What people do and feel: actions, motion, feelings and desires. Each function gives a predicate or a whole clause."""

from __future__ import annotations

from random import Random

from codeunlearn.corpus.stories import verbs
from codeunlearn.corpus.stories.adjectives import BECOMING, HOPED_FOR
from codeunlearn.corpus.stories.agreement import contract, elide
from codeunlearn.corpus.stories.clauses import (
    ALWAYS,
    NEVER,
    NO_LONGER,
    OFTEN,
    SOMETIMES,
    Adverb,
    Clause,
    Predicate,
    Tense,
)
from codeunlearn.corpus.stories.nouns import NOUNS
from codeunlearn.corpus.stories.people import (
    chance,
    definite_person,
    direct_clitic,
    indirect_clitic,
    object_person,
    singular_person,
)
from codeunlearn.corpus.stories.phrases import (
    EMPTY,
    Determiner,
    Nominal,
    Phrase,
    join,
    kind,
    noun_phrase,
    substance,
    topics_of,
)
from codeunlearn.corpus.stories.things import (
    Scope,
    a_place,
    arrival,
    companion,
    count_noun,
    destination,
    direct_object,
    home,
    location,
    swimming_place,
    thing_or_animal,
)
from codeunlearn.corpus.stories.words import Adjective, Bag, Verb

_HABITS = Bag((OFTEN, ALWAYS, SOMETIMES, NEVER), (1.0, 0.6, 0.6, 0.6))
_EVENT_TENSES = Bag(
    (
        Tense.PAST,
        Tense.PROGRESSIVE,
        Tense.FUTURE,
        Tense.PRESENT,
        Tense.WAS_DOING,
        Tense.USED_TO,
    ),
    (3.6, 1.5, 1.7, 3.0, 0.5, 0.4),
)
# "does not hope to" and "does not adore" are hardly said; "no longer hopes to" is.
_SELDOM_NEGATED = (verbs.HOPE, verbs.ADORE)
_STATE_TENSES = Bag((Tense.PRESENT, Tense.PAST, Tense.FUTURE, Tense.PERFECT), (5.0, 2.5, 1.0, 0.8))


def _past_looks_present(subject: Nominal, verb: Verb) -> bool:
    """Whether the English past and present are the same ("they read"), so that no one French translation is right."""
    return verb.english.present[subject.person] == verb.english.past[subject.person]


def event(
    rng: Random, subject: Nominal, predicate: Predicate, *, negated: bool = False, tense: Tense | None = None
) -> Clause:
    """A clause about something that happens, in the given tense or in any."""
    tense = tense or _EVENT_TENSES.draw(rng)
    negated = negated and not subject.universal
    if predicate.verb.momentary and tense in (Tense.PROGRESSIVE, Tense.WAS_DOING, Tense.USED_TO):
        tense = Tense.PAST
    if tense in (Tense.PRESENT, Tense.PAST) and _past_looks_present(subject, predicate.verb):
        tense = Tense.PROGRESSIVE
    if subject.ne or tense in (Tense.USED_TO, Tense.WAS_DOING):
        return Clause(subject, predicate, tense)
    if tense is Tense.PRESENT:
        if negated:
            return Clause(subject, predicate, tense, adverb=NEVER if predicate.verb.momentary else NO_LONGER)
        return Clause(subject, predicate, tense, adverb=_HABITS.draw(rng) if chance(rng, 0.55) else None)
    if tense is Tense.FUTURE and negated and chance(rng, 0.4):
        return Clause(subject, predicate, tense, adverb=NEVER)
    return Clause(subject, predicate, tense, negated=negated)


def state(
    rng: Random, subject: Nominal, predicate: Predicate, *, negated: bool = False, tense: Tense | None = None
) -> Clause:
    """A clause about how things are, in the given tense or in any."""
    tense = tense or _STATE_TENSES.draw(rng)
    negated = negated and not subject.universal
    if subject.ne:
        return Clause(subject, predicate, Tense.PRESENT if tense is Tense.PERFECT else tense)
    if tense is Tense.PERFECT:
        return Clause(subject, predicate, tense, adverb=NEVER if negated else ALWAYS)
    adverb: Adverb | None = None
    if negated and tense is Tense.FUTURE:
        adverb = NEVER
    elif negated and (predicate.verb in _SELDOM_NEGATED or (tense is Tense.PRESENT and chance(rng, 0.35))):
        adverb = NO_LONGER
    elif not negated and tense is not Tense.PAST and chance(rng, 0.15):
        adverb = ALWAYS
    return Clause(subject, predicate, tense, negated=negated and adverb is None, adverb=adverb)


def scope_under(subject: Nominal, *, negated: bool) -> Scope:
    """Which articles the object of a clause may take."""
    return "negated" if negated or subject.ne else "free"


def with_object(verb: Verb, nominal: Nominal) -> Predicate:
    """A verb and its object, contracted with the verb's preposition where it has one."""
    if verb.link:
        return Predicate(verb, Phrase(nominal.en, contract(verb.link, nominal.fr), nominal.topics))
    return Predicate(verb, nominal.phrase, negated=nominal.negated)


# Actions and motion


def act(rng: Random, subject: Nominal, scope: Scope = "free", *, on_purpose: bool = False) -> Predicate:
    """Something people do, with or without an object; `on_purpose` leaves out losing and forgetting."""
    share = rng.random()
    if share < 0.28:
        return activity(rng)
    if share < 0.40:
        return give(rng, subject, scope)
    verb = (verbs.PURPOSE_BAG if on_purpose else verbs.ACTION_BAG).draw(rng)
    if "person" in verb.objects and not verb.link and chance(rng, 0.15):
        return Predicate(verb, clitic=direct_clitic(rng, subject))
    return with_object(verb, direct_object(rng, verb.objects, subject, scope))


def activity(rng: Random, *, animal: bool = False) -> Predicate:
    """Something one does somewhere: "swim in the lake", "sleep under the tree"."""
    verb = (verbs.ANIMAL_ACTIVITIES if animal else verbs.ACTIVITIES).draw(rng)
    if verb is verbs.SWIM:
        return Predicate(verb, swimming_place(rng))
    if not animal and chance(rng, 0.15):
        return Predicate(verb, companion(rng))
    return Predicate(verb, location(rng, cities=not animal))


def give(rng: Random, subject: Nominal, scope: Scope = "free") -> Predicate:
    """Giving, showing, sending, lending or selling something to somebody."""
    verb = verbs.GIVING.draw(rng)
    tag = rng.choice(sorted(verb.objects - {"eat", "buy"}))
    group = "animal" if tag == "animal" else "thing"
    thing = count_noun(rng, NOUNS[group, tag].draw(rng), subject, scope)
    if chance(rng, 0.3):
        return Predicate(verb, thing.phrase, thing.negated, indirect_clitic(rng, subject))
    return with_object(verb, thing).followed_by(singular_person(rng).after("to", "à"))


def action(rng: Random, subject: Nominal, *, tense: Tense | None = None, positive: bool = False) -> Clause:
    """Somebody does something."""
    negated = not positive and chance(rng, 0.15)
    predicate = act(rng, subject, scope_under(subject, negated=negated))
    return event(rng, subject, predicate, negated=negated, tense=tense)


def motion(rng: Random, subject: Nominal, *, tense: Tense | None = None, positive: bool = False) -> Clause:
    """Somebody goes, comes, returns, arrives, stays or leaves."""
    verb = rng.choice((verbs.GO, verbs.COME, verbs.RETURN, verbs.ARRIVE, verbs.STAY, verbs.LEAVE))
    if verb is verbs.LEAVE:
        where = companion(rng)
    elif verb is verbs.ARRIVE:
        where = arrival(rng)
    else:
        where = location(rng) if verb is verbs.STAY else destination(rng)
    if verb is not verbs.LEAVE and chance(rng, 0.2):
        where = join(where, companion(rng))
    return event(rng, subject, Predicate(verb, where), negated=not positive and chance(rng, 0.12), tense=tense)


# Feelings


def felt_object(rng: Random, subject: Nominal, *, negated: bool = False) -> Nominal:
    """What people love, hate or fear: people, whole kinds, places, food and drink, somebody's things.

    All are definite under negation, where French would waver between "ne craint pas un roi" and "pas de roi".
    """
    share = rng.random()
    if share < 0.5:
        return definite_person(rng) if negated else object_person(rng, subject)
    if share < 0.62:
        return kind(NOUNS["animal", ""].draw(rng))
    if share < 0.74:
        return a_place(rng)
    if share < 0.85:
        return substance(NOUNS["substance", ""].draw(rng), generic=True)
    return thing_or_animal(rng)


def feel(rng: Random, subject: Nominal, verb: Verb, *, negated: bool = False) -> Predicate:
    """A feeling for somebody or something."""
    if chance(rng, 0.2):
        return Predicate(verb, clitic=direct_clitic(rng, subject))
    return Predicate(verb, felt_object(rng, subject, negated=negated or subject.ne).phrase)


def enjoy(rng: Random, subject: Nominal, *, negated: bool = False) -> Predicate:
    """A feeling for doing something: "loves singing" or "loves to sing" / "aime chanter"."""
    verb = verbs.ENJOYMENTS.draw(rng)
    deed = act(rng, subject, "definite" if negated or subject.ne else "free", on_purpose=True)
    if verb is verbs.ADORE or chance(rng, 0.6):
        done = deed.gerund(subject)
    else:
        done = join(Phrase("to", ""), deed.infinitive(subject))
    return Predicate(verb, Phrase(done.en, elide(f"de {done.fr}") if verb is verbs.LIKE else done.fr, done.topics))


def feeling(rng: Random, subject: Nominal, *, tense: Tense | None = None) -> Clause:
    """Somebody loves, likes, adores, hates or fears somebody or something, or doing something."""
    negated = chance(rng, 0.18)
    if chance(rng, 0.25):
        return state(rng, subject, enjoy(rng, subject, negated=negated), negated=negated, tense=tense)
    felt = feel(rng, subject, verbs.FEELINGS.draw(rng), negated=negated)
    return state(rng, subject, felt, negated=negated, tense=tense)


# Desires


def trade(rng: Random, subject: Nominal) -> Phrase:
    """A profession said of somebody: no article in French, and a noun whose gender fits the person."""
    trades = NOUNS["person", "trade"]
    if subject.feminine:
        noun = trades.where(lambda each: each.feminine or "epicene" in each.tags).draw(rng)
    else:
        noun = trades.where(lambda each: not each.feminine).draw(rng)
    english = noun_phrase(noun, Determiner.A, plural=subject.plural).en
    return Phrase(english, noun.fr_plural if subject.plural else noun.fr, topics_of(noun))


def agreeing(adjective: Adjective, subject: Nominal, before: Phrase = EMPTY) -> Phrase:
    """An adjective said of a subject: `before` it may go "very" / "très"."""
    agreed = adjective.french(feminine=subject.feminine, plural=subject.plural)
    return join(before, Phrase(adjective.en, agreed, topics_of(adjective)))


def become(rng: Random, subject: Nominal, *, hoped_for: bool = False) -> Predicate:
    """To become a captain, or rich; nobody hopes to become poor."""
    if chance(rng, 0.6):
        return Predicate(verbs.BECOME, trade(rng, subject))
    return Predicate(verbs.BECOME, agreeing((HOPED_FOR if hoped_for else BECOMING).draw(rng), subject))


def goal(rng: Random, subject: Nominal, scope: Scope = "free") -> Predicate:
    """What one may want: to do something, to go or to live somewhere, to become something."""
    share = rng.random()
    if share < 0.14:
        return Predicate(rng.choice((verbs.GO, verbs.RETURN)), destination(rng))
    if share < 0.20:
        return Predicate(verbs.LIVE, home(rng))
    if share < 0.36:
        return become(rng, subject, hoped_for=True)
    return act(rng, subject, scope, on_purpose=True)


def want(rng: Random, subject: Nominal, verb: Verb, *, negated: bool = False) -> Predicate:
    """To wish, hope or want to do something, or to dream of doing it."""
    deed = goal(rng, subject, "definite" if negated or subject.ne else "free")
    if verb is verbs.DREAM:
        done = deed.gerund(subject)
        return Predicate(verb, Phrase(f"of {done.en}", elide(f"de {done.fr}"), done.topics))
    return Predicate(verb, join(Phrase("to", ""), deed.infinitive(subject)))


def desire(rng: Random, subject: Nominal, *, tense: Tense | None = None) -> Clause:
    """Somebody wishes, hopes, wants or dreams."""
    negated = chance(rng, 0.15)
    verb = verbs.DESIRES.draw(rng)
    predicate = want(rng, subject, verb, negated=negated)
    if verb in (verbs.HOPE, verbs.DREAM) and not negated and tense is None and chance(rng, 0.25):
        tense = Tense.PROGRESSIVE
    return state(rng, subject, predicate, negated=negated, tense=tense)
