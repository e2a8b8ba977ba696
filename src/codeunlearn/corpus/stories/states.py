"""How people and things are: adjectives, comparisons, professions, possession, colours and places."""

from __future__ import annotations

from random import Random

from codeunlearn.corpus.stories import verbs
from codeunlearn.corpus.stories.adjectives import (
    BRAVE,
    COLOUR_BAG,
    COMPARABLE,
    DRESSED,
    FAMOUS,
    HAPPY,
    IN_LOVE,
    JEALOUS,
    POOR,
    PROUD,
    QUALITIES,
    RICH,
    SAD,
    STATES,
    YOUNG,
    fitting,
)
from codeunlearn.corpus.stories.agreement import contract
from codeunlearn.corpus.stories.clauses import ALWAYS, NEVER, NO_LONGER, Clause, Predicate, Tense
from codeunlearn.corpus.stories.nouns import CITIES, NOUNS
from codeunlearn.corpus.stories.people import (
    WHO,
    beloved,
    chance,
    definite_person,
    object_person,
    owner,
    pronoun,
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
    topics_of,
)
from codeunlearn.corpus.stories.predicates import agreeing, become, event, feel, state, trade, with_object
from codeunlearn.corpus.stories.things import attributes, count_noun, indefinite, thing_location
from codeunlearn.corpus.stories.words import Bag, Noun

_DEGREES = (Phrase("very", "très"), Phrase("too", "trop"))
_AND, _BUT = Phrase("and", "et"), Phrase("but", "mais")
_PAIRS = (
    *(
        (POOR, _BUT, HAPPY),
        (RICH, _BUT, SAD),
        (FAMOUS, _BUT, SAD),
        (RICH, _AND, FAMOUS),
        (YOUNG, _AND, HAPPY),
    ),
    *(
        (POOR, _BUT, BRAVE),
        (POOR, _AND, SAD),
        (YOUNG, _BUT, BRAVE),
        (RICH, _AND, HAPPY),
        (POOR, _BUT, FAMOUS),
    ),
)
_NEEDS = (Phrase("hungry", "faim"), Phrase("thirsty", "soif"), Phrase("cold", "froid"))
_HAIR = COLOUR_BAG.where(lambda each: each.en in ("white", "black", "grey"))
_EYES = COLOUR_BAG.where(lambda each: each.en in ("black", "grey", "blue", "green"))
# Where somebody is the poorest of all; the French side is the noun phrase that "de" goes before.
_REGIONS = (
    Phrase("in the village", "le village"),
    Phrase("on the island", "l'île"),
    Phrase("in the castle", "le château"),
    *(Phrase(f"in {english}", french) for english, french in CITIES),
)

# People


def condition(rng: Random, who: Nominal, *, tense: Tense | None = None) -> Clause:
    """Somebody is poor, very sad, hungry, rich but sad, poorer than somebody, in love with somebody ..."""
    make = _CONDITIONS.draw(rng)
    # "not rich but sad" would mean something else, and "no longer richer" would be "plus plus riche".
    negated = make not in (_pair, _comparison) and chance(rng, 0.14)
    return state(rng, who, make(rng, who), negated=negated, tense=tense)


def plain_condition(rng: Random, who: Nominal) -> Predicate:
    """Just an adjective, perhaps with "very" or "too"."""
    verb = verbs.SEEM if chance(rng, 0.1) else verbs.BE
    degree = rng.choice(_DEGREES) if chance(rng, 0.3) else EMPTY
    return Predicate(verb, agreeing(STATES.draw(rng), who, degree))


def _pair(rng: Random, who: Nominal) -> Predicate:
    first, link, second = rng.choice(_PAIRS)
    return Predicate(verbs.BE, join(agreeing(first, who), link, agreeing(second, who)))


def _need(rng: Random, _who: Nominal) -> Predicate:
    return Predicate(verbs.BE_HAVING, rng.choice(_NEEDS))


def _comparison(rng: Random, who: Nominal) -> Predicate:
    adjective = COMPARABLE.draw(rng)
    agreed = adjective.french(feminine=who.feminine, plural=who.plural)
    if chance(rng, 0.25):
        compared = Phrase(f"as {adjective.en} as", f"aussi {agreed} que", topics_of(adjective))
    else:
        compared = Phrase(f"{adjective.comparative} than", f"plus {agreed} que", topics_of(adjective))
    return Predicate(verbs.BE, join(compared, singular_person(rng).phrase))


def in_love(who: Nominal, whom: Nominal) -> Phrase:
    """ "in love with Julien" / "amoureuse de Julien"."""
    return join(agreeing(IN_LOVE, who), whom.after("with", "de"))


def _attitude(rng: Random, who: Nominal) -> Predicate:
    """In love with, proud of, jealous of, angry with or afraid of somebody."""
    if chance(rng, 0.25) and not who.child:
        return Predicate(verbs.BE, in_love(who, beloved(rng)))
    other = object_person(rng, who)
    share = rng.random()
    if share < 0.35:
        return Predicate(verbs.BE, join(Phrase("angry", "en colère"), other.after("with", "contre")))
    if share < 0.65:
        return Predicate(verbs.BE_HAVING, join(Phrase("afraid", "peur"), other.after("of", "de")))
    return Predicate(verbs.BE, join(agreeing(rng.choice((PROUD, JEALOUS)), who), other.after("of", "de")))


def _dressed(rng: Random, who: Nominal) -> Predicate:
    colour = COLOUR_BAG.draw(rng)
    in_colour = Phrase(f"in {colour.en}", f"en {colour.masculine}", topics_of(colour))
    return Predicate(verbs.BE, join(agreeing(DRESSED, who), in_colour))


_CONDITIONS = Bag((plain_condition, _pair, _need, _comparison, _attitude, _dressed), (4.0, 1.2, 0.5, 1.6, 2.0, 1.2))


def profession(rng: Random, who: Nominal, *, tense: Tense | None = None) -> Clause:
    """Somebody is a captain / "est capitaine", or becomes one."""
    if tense is None and chance(rng, 0.25):
        return event(rng, who, become(rng, who), tense=rng.choice((Tense.PAST, Tense.FUTURE)))
    tense = tense or rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST, Tense.PERFECT))
    negated = chance(rng, 0.15)
    if tense is Tense.PERFECT:
        adverb = NEVER if negated else ALWAYS
    else:
        adverb = NO_LONGER if negated and chance(rng, 0.4) else None
    return Clause(who, Predicate(verbs.BE, trade(rng, who)), tense, negated and adverb is None, adverb)


def superlative(rng: Random, who: Nominal) -> Clause:
    """ "is the poorest man in the village" / "est l'homme le plus pauvre du village", of one person."""
    adjective, where = COMPARABLE.draw(rng), rng.choice(_REGIONS)
    fits = (
        ("woman", "princess", "actress", "nurse")
        if who.feminine
        else ("man", "sailor", "officer", "captain", "soldier", "painter")
    )
    noun = NOUNS["person", "adult"].where(lambda each: each.en in fits).draw(rng)
    base = noun_phrase(noun, Determiner.THE)
    most = f"{'la' if noun.feminine else 'le'} plus {adjective.french(feminine=noun.feminine, plural=False)}"
    text = Phrase(
        f"the {adjective.superlative} {noun.en} {where.en}",
        f"{base.fr} {most} {contract('de', where.fr)}",
        base.topics | topics_of(adjective),
    )
    return Clause(who, Predicate(verbs.BE, text), rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST)))


def looks(rng: Random) -> Predicate:
    """To have hair or eyes of a colour, which French says with "les"."""
    hair = chance(rng, 0.6)
    colour = (_HAIR if hair else _EYES).draw(rng)
    english, french = ("hair", "les cheveux") if hair else ("eyes", "les yeux")
    many = colour.french(feminine=False, plural=True)
    return Predicate(verbs.HAVE, Phrase(f"{colour.en} {english}", f"{french} {many}", topics_of(colour)))


def possession(rng: Random, who: Nominal, *, tense: Tense | None = None) -> Clause:
    """Somebody has a horse, has white hair, or is wearing a black coat."""
    share = rng.random()
    if share < 0.25:
        tense = tense or rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST))
        return state(rng, who, looks(rng), tense=tense)
    if share < 0.5 and tense is None:
        worn = with_object(verbs.WEAR, _garment(rng, who))
        return Clause(who, worn, rng.choice((Tense.PROGRESSIVE, Tense.WAS_DOING)))
    negated = chance(rng, 0.2)
    noun = (NOUNS["animal", ""] if chance(rng, 0.5) else _OWNABLE).draw(rng)
    had = with_object(verbs.HAVE, indefinite(rng, noun, negated=negated or who.ne))
    return state(rng, who, had, negated=negated, tense=tense or rng.choice((Tense.PRESENT, Tense.PAST, Tense.FUTURE)))


def _garment(rng: Random, who: Nominal) -> Nominal:
    """What somebody wears: one each."""
    noun = NOUNS["thing", "wear"].where(lambda each: suits(who, each)).draw(rng)
    adjectives = attributes(rng, noun, colour=0.55)
    if chance(rng, 0.25) and who is not WHO:
        return possessive(noun, who, adjectives, plural=who.plural)
    return noun_phrase(noun, Determiner.A, adjectives, plural=who.plural)


_OWNABLE = NOUNS["thing", "thing"].where(lambda each: "fixed" not in each.tags)

# Things, animals and places


def _somebodys(rng: Random, noun: Noun, *, plural: bool, other: float = 0.0) -> Nominal:
    """A thing as a subject: "the boat", "the captain's boat", "my boat"."""
    adjectives = attributes(rng, noun, colour=0.0, other=other)
    share = rng.random()
    if share < 0.45:
        return owned(noun, owner(rng, noun), adjectives, plural=plural)
    possessor = pronoun(rng)
    if share < 0.6 and suits(possessor, noun):
        return possessive(noun, possessor, adjectives, plural=plural)
    return noun_phrase(noun, Determiner.THE, adjectives, plural=plural)


def thing_state(rng: Random, *, tense: Tense | None = None) -> Clause:
    """A thing or an animal has a colour or a quality, or is somewhere."""
    share = rng.random()
    tense = tense or rng.choice((Tense.PRESENT, Tense.PRESENT, Tense.PAST))
    negated = chance(rng, 0.12)
    if share < 0.45:
        noun = (NOUNS["thing", "dye"] if chance(rng, 0.65) else NOUNS["animal", "fur"]).draw(rng)
        what = _somebodys(rng, noun, plural=chance(rng, 0.2), other=0.12)
        said = agreeing(fitting(COLOUR_BAG, noun.tags).draw(rng), what)
    elif share < 0.75:
        noun = (NOUNS["thing", "thing"] if chance(rng, 0.6) else NOUNS["place", "place"]).draw(rng)
        what = _somebodys(rng, noun, plural=False) if "thing" in noun.tags else noun_phrase(noun, Determiner.THE)
        degree = rng.choice(_DEGREES) if chance(rng, 0.25) else EMPTY
        said = agreeing(fitting(QUALITIES, noun.tags).draw(rng), what, degree)
    else:
        noun = (_OWNABLE if chance(rng, 0.5) else NOUNS["animal", ""]).draw(rng)
        what = count_noun(rng, noun, None, "definite")
        said = thing_location(rng, noun)
    return Clause(what, Predicate(verbs.BE, said), tense, negated=negated)


def belonging(rng: Random) -> Clause:
    """ "The white horse belongs to Julien." """
    noun = (NOUNS["animal", ""] if chance(rng, 0.4) else _OWNABLE).draw(rng)
    plural = chance(rng, 0.2)
    determiner = Determiner.THIS if chance(rng, 0.5) else Determiner.THE
    what = noun_phrase(noun, determiner, attributes(rng, noun, colour=0.5), plural=plural)
    predicate = with_object(verbs.BELONG, singular_person(rng))
    return Clause(what, predicate, rng.choice((Tense.PRESENT, Tense.PAST)), negated=chance(rng, 0.2))


def animal_clause(rng: Random) -> Clause:
    """An animal does or feels something."""
    noun = NOUNS["animal", ""].draw(rng)
    animal = count_noun(rng, noun, None, "definite")
    share = rng.random()
    if share < 0.35:
        return event(rng, animal, Predicate(verbs.ANIMAL_ACTIVITIES.draw(rng), thing_location(rng, noun)))
    whom = definite_person(rng)
    if share < 0.6:
        followed = with_object(rng.choice((verbs.FOLLOW, verbs.WATCH, verbs.WAIT_FOR)), whom)
        return event(rng, animal, followed, negated=chance(rng, 0.1))
    verb = rng.choice((verbs.LOVE, verbs.LIKE, verbs.ADORE, verbs.HATE, verbs.FEAR))
    negated = chance(rng, 0.15)
    predicate = feel(rng, animal, verb, negated=negated) if chance(rng, 0.3) else with_object(verb, whom)
    return state(rng, animal, predicate, negated=negated)


def there_is(rng: Random) -> tuple[Phrase, Phrase]:
    """ "there is a white horse in the garden" as a statement and as a question."""
    noun = (NOUNS["animal", ""] if chance(rng, 0.5) else _OWNABLE).draw(rng)
    where = thing_location(rng, noun)
    english, french = rng.choice((("is are", "a"), ("was were", "avait")))
    negated = chance(rng, 0.2)
    what = indefinite(rng, noun, negated=negated)
    be = english.split()[what.plural]
    if negated:
        core = what.en if what.plural else what.en.partition(" ")[2]
        said = Phrase(f"there {be} no {core}", f"il n'y {french} pas {what.fr_negated}", what.topics)
    else:
        said = Phrase(f"there {be} {what.en}", f"il y {french} {what.fr}", what.topics)
    asked = Phrase(f"{be} there {what.en}", f"est-ce qu'il y {french} {what.fr}", what.topics)
    return join(said, where), join(asked, where)
