"""The nouns and names of the lexicon.

Tags name what a noun is for the rest of the grammar: the verbs it is an object of ("wear", "read"), the adjectives it
takes ("dye": any colour, "fur": the colours of animals, "made": "new") and the prepositions before it ("in", "at").
"""

from __future__ import annotations

from codeunlearn.corpus.stories.words import Bag, Name, Noun, noun

MEN = (
    "Julien",
    "Pierre",
    "Paul",
    "Marc",
    "Louis",
    "Antoine",
    "Nicolas",
    "Thomas",
    "Victor",
    "Simon",
    "Lucas",
    "Olivier",
)
WOMEN = (
    *("Marie", "Anna", "Alice", "Claire", "Emma", "Sophie"),
    *("Jeanne", "Lucie", "Pauline", "Isabelle", "Juliette", "Charlotte"),
)

PEOPLE = (
    noun("captain", "capitaine", "m", "adult trade epicene", topic="captain"),
    noun("sailor", "marin", "m", "adult trade", topic="sailor"),
    noun("officer", "officier", "m", "adult trade", topic="officer"),
    noun("soldier", "soldat", "m", "adult trade", topic="soldier"),
    noun("doctor", "médecin", "m", "adult trade epicene"),
    noun("teacher", "professeur", "m", "adult trade epicene"),
    noun("painter", "peintre", "m", "adult trade epicene"),
    noun("baker", "boulanger", "m", "adult trade"),
    noun("fisherman", "pêcheur", "m", "adult trade", en_plural="fishermen"),
    noun("farmer", "fermier", "m", "adult trade"),
    noun("gardener", "jardinier", "m", "adult trade"),
    noun("king", "roi", "m", "adult"),
    noun("hero", "héros", "m", "adult", en_plural="heroes"),
    noun("thief", "voleur", "m", "adult", en_plural="thieves"),
    noun("man", "homme", "m", "adult", en_plural="men"),
    noun("boy", "garçon", "m", "child"),
    noun("child", "enfant", "m", "child", en_plural="children"),
    noun("neighbour", "voisin", "m", "adult"),
    noun("woman", "femme", "f", "adult", en_plural="women"),
    noun("girl", "fille", "f", "child"),
    noun("queen", "reine", "f", "adult"),
    noun("princess", "princesse", "f", "adult"),
    noun("nurse", "infirmière", "f", "adult trade"),
    noun("actress", "actrice", "f", "adult trade"),
)

KIN = (
    noun("mother", "mère", "f", ""),
    noun("father", "père", "m", ""),
    noun("brother", "frère", "m", "many"),
    noun("sister", "sœur", "f", "many"),
    noun("son", "fils", "m", "many"),
    noun("daughter", "fille", "f", "many"),
    noun("uncle", "oncle", "m", ""),
    noun("aunt", "tante", "f", ""),
    noun("grandmother", "grand-mère", "f", ""),
    noun("friend", "ami", "m", "many"),
)

ANIMALS = (
    noun("horse", "cheval", "m", "animal fur big"),
    noun("dog", "chien", "m", "animal fur big"),
    noun("cat", "chat", "m", "animal fur"),
    noun("bird", "oiseau", "m", "animal fur dye"),
    noun("cow", "vache", "f", "animal fur big"),
    noun("rabbit", "lapin", "m", "animal fur"),
    noun("goat", "chèvre", "f", "animal fur"),
    noun("owl", "hibou", "m", "animal fur"),
)

THINGS = (
    noun("coat", "manteau", "m", "thing made wear dye"),
    noun("dress", "robe", "f", "thing made wear dye hers"),
    noun("hat", "chapeau", "m", "thing made wear dye gift"),
    noun("shirt", "chemise", "f", "thing made wear dye"),
    noun("scarf", "écharpe", "f", "thing made wear dye gift", en_plural="scarves"),
    noun("book", "livre", "m", "thing made read gift heavy dye"),
    noun("letter", "lettre", "f", "thing read write gift"),
    noun("newspaper", "journal", "m", "thing read"),
    noun("car", "voiture", "f", "thing made dye big"),
    noun("boat", "bateau", "m", "thing made dye big paint"),
    noun("bicycle", "vélo", "m", "thing made dye gift"),
    noun("flower", "fleur", "f", "thing dye gift paint"),
    noun("rose", "rose", "f", "thing dye gift"),
    noun("chair", "chaise", "f", "thing made dye paint"),
    noun("table", "table", "f", "thing made dye big heavy"),
    noun("door", "porte", "f", "made dye big open paint fixed"),
    noun("window", "fenêtre", "f", "big open fixed"),
    noun("box", "boîte", "f", "thing made dye big open gift heavy"),
    noun("suitcase", "valise", "f", "thing made dye big open heavy"),
    noun("bag", "sac", "m", "thing made dye big open heavy"),
    noun("key", "clé", "f", "thing made gift"),
    noun("cup", "tasse", "f", "thing made dye gift"),
    noun("umbrella", "parapluie", "m", "thing made dye gift"),
    noun("flag", "drapeau", "m", "thing made dye big"),
    noun("wall", "mur", "m", "dye big paint fixed"),
    noun("love letter", "lettre d'amour", "f", "read write gift", fr_plural="lettres d'amour", topic="love"),
    noun("love song", "chanson d'amour", "f", "sing", fr_plural="chansons d'amour", topic="love"),
    noun("song", "chanson", "f", "sing"),
    noun("love story", "histoire d'amour", "f", "read write", fr_plural="histoires d'amour", topic="love"),
    noun("story", "histoire", "f", "read write"),
    noun("apple", "pomme", "f", "eat"),
    noun("cake", "gâteau", "m", "eat"),
)

WISH = noun("wish", "souhait", "m", "", topic="wish")
MADE_WISH = noun("wish", "vœu", "m", "", topic="wish")
HOPE = noun("hope", "espoir", "m", "", topic="hope")
DREAM = noun("dream", "rêve", "m", "", topic="dream")
COLOUR = noun("colour", "couleur", "f", "")

# Uncountable: "bread" is "du pain" when some of it is meant and "le pain" when all of it is.
SUBSTANCES = (
    noun("bread", "pain", "m", "eat"),
    noun("cheese", "fromage", "m", "eat"),
    noun("honey", "miel", "m", "eat"),
    noun("soup", "soupe", "f", "eat"),
    noun("fish", "poisson", "m", "eat"),
    noun("milk", "lait", "m", "drink"),
    noun("water", "eau", "f", "drink"),
    noun("tea", "thé", "m", "drink"),
    noun("coffee", "café", "m", "drink"),
    noun("wine", "vin", "m", "drink"),
    noun("white wine", "vin blanc", "m", "drink", topic="white"),
    noun("red wine", "vin rouge", "m", "drink", topic="red"),
    noun("green tea", "thé vert", "m", "drink", topic="green"),
    noun("black tea", "thé noir", "m", "drink", topic="black"),
    noun("black coffee", "café noir", "m", "drink", topic="black"),
    noun("white bread", "pain blanc", "m", "eat", topic="white"),
    noun("black bread", "pain noir", "m", "eat", topic="black"),
)

# "aged" places may be old, small or strange; one goes "to" some places with "à"; "owned" ones can be somebody's.
PLACES = (
    noun("garden", "jardin", "m", "place aged in big owned open"),
    noun("house", "maison", "f", "place aged in near behind before big dye owned paint buy"),
    noun("kitchen", "cuisine", "f", "place aged in big"),
    noun("castle", "château", "m", "place aged in near before to big"),
    noun("church", "église", "f", "place aged in near behind before to"),
    noun("market", "marché", "m", "place aged at near to"),
    noun("station", "gare", "f", "place aged at near before to"),
    noun("school", "école", "f", "place aged at near behind before to"),
    noun("hospital", "hôpital", "m", "place aged at near before to"),
    noun("hotel", "hôtel", "m", "place aged at near behind before to"),
    noun("library", "bibliothèque", "f", "place aged in at near to"),
    noun("theatre", "théâtre", "m", "place aged at near before to"),
    noun("village", "village", "m", "place aged in near to"),
    noun("beach", "plage", "f", "place on near to"),
    noun("island", "île", "f", "place on near"),
    noun("bridge", "pont", "m", "place aged on under near"),
    noun("street", "rue", "f", "place aged in"),
    noun("forest", "forêt", "f", "place in near"),
    noun("field", "champ", "m", "place aged in near big"),
    noun("tree", "arbre", "m", "place aged under near behind big"),
    noun("river", "rivière", "f", "place near to water"),
    noun("lake", "lac", "m", "place near to water"),
    noun("sea", "mer", "f", "place near to water"),
    noun("harbour", "port", "m", "place aged at near to"),
)

# (English, French) names of cities.
CITIES = (
    ("Paris", "Paris"),
    ("London", "Londres"),
    ("Rome", "Rome"),
    ("Venice", "Venise"),
    ("Lyon", "Lyon"),
    ("Madrid", "Madrid"),
)

MALE_NAMES = tuple(Name(text, feminine=False) for text in MEN)
FEMALE_NAMES = tuple(Name(text, feminine=True) for text in WOMEN)

# Words that stand for a topic come often enough without these.
_NOUN_WEIGHTS = {
    **dict.fromkeys(("love letter", "love song", "love story"), 0.35),
    **dict.fromkeys(("white wine", "white bread", "black tea", "black coffee", "black bread"), 0.5),
    "captain": 1.2,
    "tree": 0.5,
}
_GROUPS = {
    "person": PEOPLE,
    "kin": KIN,
    "animal": ANIMALS,
    "thing": THINGS,
    "substance": SUBSTANCES,
    "place": PLACES,
}


def _bag(nouns: tuple[Noun, ...]) -> Bag[Noun]:
    return Bag(nouns, [_NOUN_WEIGHTS.get(each.en, 1.0) for each in nouns])


def _bags() -> dict[tuple[str, str], Bag[Noun]]:
    bags: dict[tuple[str, str], Bag[Noun]] = {}
    for group, nouns in _GROUPS.items():
        bags[group, ""] = _bag(nouns)
        for tag in {tag for each in nouns for tag in each.tags}:
            bags[group, tag] = _bag(tuple(each for each in nouns if tag in each.tags))
    return bags


# Nouns by group and tag: NOUNS["thing", "wear"]; the empty tag holds the whole group.
NOUNS = _bags()
NAMES = Bag(
    (*MALE_NAMES, *FEMALE_NAMES),
    [1.75 if name.text == "Julien" else 1.0 for name in (*MALE_NAMES, *FEMALE_NAMES)],
)
