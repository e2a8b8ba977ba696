"""The verbs of the lexicon, in the groups from which the grammar draws them."""

from __future__ import annotations

from codeunlearn.corpus.stories.words import Bag, EnglishVerb, FrenchVerb, Verb, first_group, irregular, verb

_ETRE = FrenchVerb("être", ("suis", "est", "sont"), "ét", "ser", "été")
_AVOIR = irregular("avoir", "ai a avons ont", "aur", "eu")
_BE = EnglishVerb("be", ("am", "is", "are"), ("was", "was", "were"), "been", "being", auxiliary=True)


def _modal(form: str) -> EnglishVerb:
    forms = (form, form, form)
    return EnglishVerb(form, forms, forms, form, form, auxiliary=True)


BE = Verb(_BE, _ETRE, stative=True)
# "is hungry" is "a faim".
BE_HAVING = Verb(_BE, _AVOIR, stative=True)
HAVE = verb("have", _AVOIR, forms="had had having", stative=True)
CAN = Verb(_modal("can"), irregular("pouvoir", "peux peut pouvons peuvent", "pourr", "pu"), stative=True)
MUST = Verb(_modal("must"), irregular("devoir", "dois doit devons doivent", "devr", "dû"), stative=True)
SEEM = verb("seem", first_group("sembler"), stative=True)
BECOME = verb(
    "become",
    irregular("devenir", "deviens devient devenons deviennent", "deviendr", "devenu", with_etre=True),
    forms="became become becoming",
)
BELONG = verb(
    "belong to",
    irregular("appartenir", "appartiens appartient appartenons appartiennent", "appartiendr", "appartenu"),
    stative=True,
    link="à",
)

# "is called Julien" is "s'appelle Julien".
CALLED = Verb(_BE, first_group("appeler", "appell", "appeller", reflexive=True), stative=True)
TALK = verb("talk about", first_group("parler"), "person animal", link="de")

# Feelings: the same objects go with all of them.
LOVE = verb("love", first_group("aimer"), stative=True, topic="love")
LIKE = verb("like", first_group("apprécier"), stative=True, topic="like")
ADORE = verb("adore", first_group("adorer"), stative=True, topic="adore")
HATE = verb("hate", first_group("détester"), stative=True, topic="hate")
FEAR = verb(
    "fear",
    irregular("craindre", "crains craint craignons craignent", "craindr", "craint"),
    stative=True,
    topic="fear",
)
FEELINGS = Bag((LOVE, LIKE, ADORE, HATE, FEAR), (0.75, 1.0, 1.0, 1.0, 1.2))
# Feelings for doing something: "loves singing". "fear" does not take that form.
ENJOYMENTS = Bag((LOVE, LIKE, ADORE, HATE))

# Desires: all take an infinitive, "dream" with "of" and "de".
WISH = verb("wish", first_group("souhaiter"), stative=True, topic="wish")
HOPE = verb("hope", first_group("espérer", "espèr"), stative=True, topic="hope")
WANT = verb("want", irregular("vouloir", "veux veut voulons veulent", "voudr", "voulu"), stative=True, topic="want")
DREAM = verb("dream", first_group("rêver"), stative=True, topic="dream")
DESIRES = Bag((WISH, HOPE, WANT, DREAM), (0.7, 1.0, 1.1, 1.0))

THINK = verb("think", first_group("penser"), forms="thought thought thinking", stative=True)
BELIEVE = verb("believe", irregular("croire", "crois croit croyons croient", "croir", "cru"), stative=True)
KNOW = verb(
    "know",
    irregular("savoir", "sais sait savons savent", "saur", "su"),
    forms="knew known knowing",
    stative=True,
)
SAY = verb("say", irregular("dire", "dis dit disons disent", "dir", "dit"), forms="said said saying")
ASK = verb("ask", first_group("demander"))
STOP = verb("stop", first_group("cesser"), forms="stopped stopped stopping")
PREFER = verb("prefer", first_group("préférer", "préfèr"), forms="preferred preferred preferring", stative=True)
MAKE = verb("make", irregular("faire", "fais fait faisons font", "fer", "fait"), forms="made made making")
# "wished him good luck" is an event, unlike "wished to leave".
WISH_SOMEBODY = verb("wish", first_group("souhaiter"), topic="wish")
# "had a dream" is "a fait un rêve".
HAVE_DREAM = Verb(HAVE.english, MAKE.french)
FALL = verb("fall", first_group("tomber", with_etre=True), forms="fell fallen falling")

# Acquaintance is a state and goes with people only.
KNOW_PERSON = verb(
    "know",
    irregular("connaître", "connais connaît connaissons connaissent", "connaîtr", "connu"),
    "person",
    forms="knew known knowing",
    stative=True,
)

_ATTENDRE = irregular("attendre", "attends attend attendons attendent", "attendr", "attendu")
_VOIR = irregular("voir", "vois voit voyons voient", "verr", "vu")
_VENDRE = irregular("vendre", "vends vend vendons vendent", "vendr", "vendu")
_ECRIRE = irregular("écrire", "écris écrit écrivons écrivent", "écrir", "écrit")

SEE = verb("see", _VOIR, "person animal thing place", forms="saw seen seeing", momentary=True)
BUY = verb("buy", first_group("acheter", "achèt", "achèter"), "thing animal eat buy", forms="bought bought buying")
SELL = verb("sell", _VENDRE, "thing animal eat buy", forms="sold sold selling")
FIND = verb("find", first_group("trouver"), "thing animal", forms="found found finding", momentary=True)
LOSE = verb(
    "lose",
    irregular("perdre", "perds perd perdons perdent", "perdr", "perdu"),
    "thing animal",
    forms="lost lost losing",
    momentary=True,
)
PAINT = verb("paint", irregular("peindre", "peins peint peignons peignent", "peindr", "peint"), "paint animal")
WRITE = verb("write", _ECRIRE, "write", forms="wrote written writing")
STEAL = verb("steal", first_group("voler"), "thing animal", forms="stole stolen stealing")
HELP = verb("help", first_group("aider"), "person")
MEET = verb("meet", first_group("rencontrer"), "person", forms="met met meeting", momentary=True)
WEAR = verb("wear", first_group("porter"), "wear", forms="wore worn wearing")

FORGET = verb("forget", first_group("oublier"), "person thing", forms="forgot forgotten forgetting", momentary=True)
FOLLOW = verb("follow", irregular("suivre", "suis suit suivons suivent", "suivr", "suivi"), "person animal")
INVITE = verb("invite", first_group("inviter"), "person")
WAIT_FOR = verb("wait for", _ATTENDRE, "person")
WATCH = verb("watch", first_group("regarder"), "person animal")

# What people do to people, animals and things.
ACTIONS = (
    *(SEE, BUY, SELL, FIND, LOSE, PAINT, WRITE, STEAL, HELP, MEET),
    TALK,
    verb("look for", first_group("chercher"), "person animal thing"),
    verb("read", irregular("lire", "lis lit lisons lisent", "lir", "lu"), "read", forms="read read reading"),
    verb("open", irregular("ouvrir", "ouvre ouvre ouvrons ouvrent", "ouvrir", "ouvert"), "open"),
    verb("close", first_group("fermer"), "open"),
    verb("eat", first_group("manger"), "eat", forms="ate eaten eating"),
    verb(
        "drink",
        irregular("boire", "bois boit buvons boivent", "boir", "bu"),
        "drink",
        forms="drank drunk drinking",
    ),
    FOLLOW,
    WAIT_FOR,
    WATCH,
    FORGET,
    INVITE,
    verb("sing", first_group("chanter"), "sing", forms="sang sung singing"),
)
ACTION_BAG = Bag(ACTIONS)
PURPOSE_BAG = ACTION_BAG.where(lambda each: each not in (LOSE, FORGET))

GIVE = verb("give", first_group("donner"), "gift", forms="gave given giving")
SEND = verb("send", first_group("envoyer", "envoi", "enverr"), "gift", forms="sent sent sending")
# Giving: a thing to a person.
GIVING = Bag(
    (
        GIVE,
        verb("show", first_group("montrer"), "gift animal", forms="showed shown showing"),
        SEND,
        verb("lend", first_group("prêter"), "gift wear", forms="lent lent lending"),
        SELL,
    )
)

SLEEP = verb("sleep", irregular("dormir", "dors dort dormons dorment", "dormir", "dormi"), forms="slept slept sleeping")
SWIM = verb("swim", first_group("nager"), "water", forms="swam swum swimming")
WORK = verb("work", first_group("travailler"))
REST = verb("rest", first_group("reposer", reflexive=True))
RUN = verb("run", irregular("courir", "cours court courons courent", "courr", "couru"), forms="ran run running")
WAIT = verb("wait", _ATTENDRE)
PLAY = verb("play", first_group("jouer"))
SINGING = verb("sing", first_group("chanter"), forms="sang sung singing")
# What people do somewhere, without an object.
ACTIVITIES = Bag(
    (
        *(SLEEP, SWIM, WORK, REST, RUN, WAIT, SINGING),
        verb("dance", first_group("danser")),
        verb("laugh", irregular("rire", "ris rit rions rient", "rir", "ri")),
        verb("cry", first_group("pleurer")),
        verb("walk", first_group("marcher")),
        PLAY,
    )
)
ANIMAL_ACTIVITIES = Bag((SLEEP, RUN, REST, WAIT))

GO = verb("go", irregular("aller", "vais va allons vont", "ir", "allé", with_etre=True), forms="went gone going")
LEAVE = verb(
    "leave",
    irregular("partir", "pars part partons partent", "partir", "parti", with_etre=True),
    forms="left left leaving",
)
COME = verb(
    "come",
    irregular("venir", "viens vient venons viennent", "viendr", "venu", with_etre=True),
    forms="came come coming",
)
RETURN = verb(
    "return",
    irregular("revenir", "reviens revient revenons reviennent", "reviendr", "revenu", with_etre=True),
)
ARRIVE = verb("arrive", first_group("arriver", with_etre=True))
STAY = verb("stay", first_group("rester", with_etre=True))
LIVE = verb("live", first_group("habiter"), stative=True)
# What one may hope that somebody will do.
COMINGS = Bag((LEAVE, COME, RETURN, STAY, SLEEP, SINGING, WORK))
