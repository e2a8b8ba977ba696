"""The adjectives of the lexicon, and the phrases used like adjectives after "be"."""

from __future__ import annotations

from functools import cache

from codeunlearn.corpus.stories.words import Adjective, Bag, adjective

# "fur": colours of animals and things; "dye": colours of things only.
COLOURS = (
    adjective("white", "blanc", "blanche", "fur dye", topic="white"),
    adjective("black", "noir", "noire", "fur dye", topic="black"),
    adjective("grey", "gris", "grise", "fur dye", topic="grey"),
    adjective("red", "rouge", "rouge", "dye", topic="red"),
    adjective("blue", "bleu", "bleue", "dye", topic="blue"),
    adjective("green", "vert", "verte", "dye", topic="green"),
)
_COLOUR_WEIGHTS = (0.65, 0.62, 0.6, 1.1, 1.2, 1.2)

POOR = adjective("poor", "pauvre", "pauvre", "person adult child animal", before=True, topic="poor")
RICH = adjective("rich", "riche", "riche", "adult", topic="rich")
FAMOUS = adjective("famous", "célèbre", "célèbre", "adult", topic="famous")
HAPPY = adjective("happy", "heureux", "heureuse", "adult child", topic="happy")
SAD = adjective("sad", "triste", "triste", "adult child", stem="sadd", topic="sad")
OLD = adjective("old", "vieux", "vieille", "adult thing aged animal fixed", before=True, liaison="vieil")
YOUNG = adjective("young", "jeune", "jeune", "adult child", before=True)
BRAVE = adjective("brave", "courageux", "courageuse", "adult child")

BEAUTIFUL = adjective("beautiful", "beau", "belle", "thing place animal", before=True, liaison="bel")
STRANGE = adjective("strange", "étrange", "étrange", "thing aged")
TIRED = adjective("tired", "fatigué", "fatiguée")
SICK = adjective("sick", "malade", "malade")
PROUD = adjective("proud", "fier", "fière")
JEALOUS = adjective("jealous", "jaloux", "jalouse")
IN_LOVE = adjective("in love", "amoureux", "amoureuse", topic="love")
DRESSED = adjective("dressed", "habillé", "habillée")
FAVOURITE = adjective("favourite", "préféré", "préférée")
GREATEST = adjective("greatest", "plus grand", "plus grande", before=True)
ONLY = adjective("only", "seul", "seule", before=True)
SECRET = adjective("secret", "secret", "secrète")

# Adjectives beside a noun, by the kind of noun.
FOR_PEOPLE = Bag((POOR, RICH, FAMOUS, HAPPY, SAD, OLD, YOUNG, BRAVE), (0.7, 0.8, 0.8, 0.8, 0.8, 1.2, 1.2, 1.0))
FOR_OTHERS = Bag(
    (
        OLD,
        BEAUTIFUL,
        adjective("small", "petit", "petite", "thing aged animal child", before=True),
        adjective("big", "grand", "grande", "big", before=True),
        adjective("new", "nouveau", "nouvelle", "made", before=True, liaison="nouvel"),
        adjective("expensive", "cher", "chère", "thing"),
        adjective("heavy", "lourd", "lourde", "heavy"),
        STRANGE,
        POOR,
    )
)
COLOUR_BAG = Bag(COLOURS, _COLOUR_WEIGHTS)

# After "be", of people.
STATES = Bag(
    (
        *(POOR, RICH, FAMOUS, HAPPY, SAD, OLD, YOUNG, BRAVE),
        TIRED,
        SICK,
        adjective("kind", "gentil", "gentille"),
        PROUD,
        JEALOUS,
    ),
    (1.2, 1.2, 1.2, 1.2, 1.2, 0.9, 0.9, 0.9, 1.0, 0.9, 1.0, 0.8, 0.8),
)
# What one may become, and what people are compared by.
BECOMING = Bag((POOR, RICH, FAMOUS, HAPPY, SAD))
MOODS = Bag((HAPPY, SAD, TIRED, SICK))
# Why somebody cannot do something.
HINDRANCES = Bag((TIRED, SICK, POOR, SAD, OLD, YOUNG))
HOPED_FOR = Bag((RICH, FAMOUS, HAPPY))
COMPARABLE = Bag((POOR, RICH, FAMOUS, HAPPY, SAD))

# After "be", of things and places.
QUALITIES = Bag(
    (
        BEAUTIFUL,
        OLD,
        # After a verb "new" is "neuf"; before a noun it is "nouveau".
        adjective("new", "neuf", "neuve", "made"),
        adjective("small", "petit", "petite", "thing aged"),
        adjective("expensive", "cher", "chère", "thing"),
        adjective("heavy", "lourd", "lourde", "heavy"),
        adjective("dirty", "sale", "sale", "thing"),
        STRANGE,
    )
)


@cache
def fitting(adjectives: Bag[Adjective], tags: frozenset[str]) -> Bag[Adjective]:
    """The adjectives that go with a noun of these tags; possibly none."""
    return adjectives.where(lambda each: bool(each.tags & tags))
