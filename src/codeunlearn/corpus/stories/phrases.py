"""Pieces of text in both languages at once, and noun phrases with their agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from codeunlearn.corpus.stories.agreement import Person, contract, elide, french_agree, indefinite_article
from codeunlearn.corpus.stories.words import Adjective, Name, Noun

NO_TOPICS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Phrase:
    """The same meaning in both languages, with the topics that its words hold."""

    en: str
    fr: str
    topics: frozenset[str] = NO_TOPICS


EMPTY = Phrase("", "")


def join(*phrases: Phrase) -> Phrase:
    """Phrases one after the other, where both languages have the same order."""
    return Phrase(
        " ".join(phrase.en for phrase in phrases if phrase.en),
        " ".join(phrase.fr for phrase in phrases if phrase.fr),
        NO_TOPICS.union(*(phrase.topics for phrase in phrases)),
    )


def topics_of(*words: Noun | Adjective | None) -> frozenset[str]:
    """The topics that some words stand for."""
    return frozenset(word.topic for word in words if word is not None and word.topic is not None)


@dataclass(frozen=True)
class Nominal:
    """A noun phrase with what agreement needs to know about it.

    `fr_negated` is its French form as the object of a negated verb ("un chien" -> "de chien"). `ne` marks a subject
    that is negative by itself ("personne ne ..."), `universal` one whose verb is not negated ("all the sailors do not"
    is ambiguous), `child` one that is not to be in love with anybody.
    """

    en: str
    fr: str
    person: Person
    feminine: bool
    topics: frozenset[str] = NO_TOPICS
    fr_negated: str = ""
    ne: bool = False
    universal: bool = False
    child: bool = False

    @property
    def plural(self) -> bool:
        return self.person.plural

    @property
    def phrase(self) -> Phrase:
        return Phrase(self.en, self.fr, self.topics)

    @property
    def negated(self) -> Phrase:
        return Phrase(self.en, self.fr_negated or self.fr, self.topics)

    def after(self, english: str, french: str) -> Phrase:
        """This noun phrase after a preposition, contracted where French does: "près" "de" "le lac" -> "près du lac"."""
        return Phrase(f"{english} {self.en}", contract(french, self.fr), self.topics)


@dataclass(frozen=True)
class Clitic:
    """An object pronoun. A direct object makes a French participle agree ("il l'a vue"); "lui" and "leur" do not."""

    en: str
    fr: str
    feminine: bool = False
    plural: bool = False
    direct: bool = True
    topics: frozenset[str] = NO_TOPICS


class Determiner(Enum):
    """What may stand before a noun; `A` in the plural is bare in English and "des" in French."""

    THE = "the"
    A = "a"
    THIS = "this"
    TWO = "two"
    THREE = "three"
    MANY = "many"
    EVERY = "every"
    ALL = "all the"


_MY = {
    (Person.FIRST, False): ("my", "mon", "ma", "mes"),
    (Person.FIRST, True): ("my", "mon", "ma", "mes"),
    (Person.THIRD, False): ("his", "son", "sa", "ses"),
    (Person.THIRD, True): ("her", "son", "sa", "ses"),
    (Person.THIRD_PLURAL, False): ("their", "leur", "leur", "leurs"),
    (Person.THIRD_PLURAL, True): ("their", "leur", "leur", "leurs"),
}
# Masculine, masculine before a vowel, feminine, plural.
_FRENCH_DETERMINERS = {
    Determiner.THE: ("le", "le", "la", "les"),
    Determiner.A: ("un", "un", "une", "des"),
    Determiner.THIS: ("ce", "cet", "cette", "ces"),
    Determiner.TWO: ("", "", "", "deux"),
    Determiner.THREE: ("", "", "", "trois"),
    Determiner.MANY: ("", "", "", "beaucoup de"),
    Determiner.EVERY: ("chaque", "chaque", "chaque", ""),
}


def _starts_with_vowel(text: str) -> bool:
    return elide("le " + text).startswith("l'")


def _french_core(noun: Noun, adjectives: Sequence[Adjective], plural: bool) -> str:
    """Adjectives and noun in French order and agreement, without a determiner."""
    text = noun.fr_plural if plural else noun.fr
    for each in adjectives:
        if not each.before:
            text = f"{text} {each.french(feminine=noun.feminine, plural=plural)}"
    for each in reversed(adjectives):
        if each.before:
            text = f"{each.french(feminine=noun.feminine, plural=plural, following=text)} {text}"
    return text


def _french_determined(determiner: Determiner, noun: Noun, adjectives: Sequence[Adjective], plural: bool) -> str:
    core = _french_core(noun, adjectives, plural)
    if determiner is Determiner.ALL:
        return f"{'toutes' if noun.feminine else 'tous'} les {core}"
    masculine, linking, feminine, many = _FRENCH_DETERMINERS[determiner]
    if plural:
        # "des chevaux" but "de grands chevaux".
        preposed = any(each.before for each in adjectives)
        return elide(f"{'de' if determiner is Determiner.A and preposed else many} {core}")
    if noun.feminine:
        return elide(f"{feminine} {core}")
    return elide(f"{linking if _starts_with_vowel(core) else masculine} {core}")


def noun_phrase(
    noun: Noun, determiner: Determiner, adjectives: Sequence[Adjective] = (), *, plural: bool = False
) -> Nominal:
    """A noun phrase such as "the old white horses" / "les vieux chevaux blancs"."""
    core = " ".join([*(each.en for each in adjectives), noun.en_plural if plural else noun.en])
    article = determiner.value
    if determiner is Determiner.A:
        article = "" if plural else indefinite_article(core)
    elif determiner is Determiner.THIS and plural:
        article = "these"
    negated = elide(f"de {_french_core(noun, adjectives, plural)}") if determiner is Determiner.A else ""
    return Nominal(
        f"{article} {core}".strip(),
        _french_determined(determiner, noun, adjectives, plural),
        Person.THIRD_PLURAL if plural else Person.THIRD,
        noun.feminine,
        topics_of(noun, *adjectives),
        negated,
        universal=determiner in (Determiner.EVERY, Determiner.ALL),
        child="child" in noun.tags,
    )


def what_a(noun: Noun, adjectives: Sequence[Adjective], *, plural: bool = False) -> Phrase:
    """ "what a beautiful white horse" / "quel beau cheval blanc"."""
    which = french_agree("quel", "quelle", is_feminine=noun.feminine, is_plural=plural)
    thing = noun_phrase(noun, Determiner.A, adjectives, plural=plural)
    return Phrase(f"what {thing.en}", f"{which} {_french_core(noun, adjectives, plural)}", thing.topics)


def owned(noun: Noun, owner: Nominal, adjectives: Sequence[Adjective] = (), *, plural: bool = False) -> Nominal:
    """Somebody's: "Julien's old hat" / "le vieux chapeau de Julien"; the owner is singular."""
    thing = noun_phrase(noun, Determiner.THE, adjectives, plural=plural)
    return Nominal(
        f"{owner.en}'s {thing.en.removeprefix('the ')}",
        f"{thing.fr} {contract('de', owner.fr)}",
        thing.person,
        thing.feminine,
        thing.topics | owner.topics,
    )


def possessive(noun: Noun, owner: Nominal, adjectives: Sequence[Adjective] = (), *, plural: bool = False) -> Nominal:
    """With a possessive: "his old hat" / "son vieux chapeau", and "son" before feminine vowels: "son écharpe"."""
    english, masculine, feminine, many = _MY[owner.person, owner.feminine]
    thing = noun_phrase(noun, Determiner.THE, adjectives, plural=plural)
    core = _french_core(noun, adjectives, plural)
    singular = masculine if _starts_with_vowel(core) else feminine if noun.feminine else masculine
    return Nominal(
        f"{english} {thing.en.removeprefix('the ')}",
        f"{many if plural else singular} {core}",
        thing.person,
        thing.feminine,
        thing.topics,
    )


def substance(noun: Noun, *, generic: bool) -> Nominal:
    """An uncountable noun: all of it ("le pain") or some of it ("du pain", negated "de pain")."""
    whole = elide(f"{'la' if noun.feminine else 'le'} {noun.fr}")
    if generic:
        return Nominal(noun.en, whole, Person.THIRD, noun.feminine, topics_of(noun))
    return Nominal(
        noun.en,
        contract("de", whole),
        Person.THIRD,
        noun.feminine,
        topics_of(noun),
        fr_negated=elide(f"de {noun.fr}"),
    )


def kind(noun: Noun) -> Nominal:
    """All of a kind: "horses" / "les chevaux"."""
    plural = noun_phrase(noun, Determiner.THE, plural=True)
    return replace(plural, en=noun.en_plural)


def named(name: Name) -> Nominal:
    """A person by name; the name is a topic."""
    return Nominal(name.text, name.text, Person.THIRD, name.feminine, frozenset((name.text,)))


def both(first: Nominal, second: Nominal) -> Nominal:
    """Two noun phrases together: masculine unless both are feminine."""
    return Nominal(
        f"{first.en} and {second.en}",
        f"{first.fr} et {second.fr}",
        Person.THIRD_PLURAL,
        first.feminine and second.feminine,
        first.topics | second.topics,
        child=first.child or second.child,
    )


def pronoun_for(nominal: Nominal) -> Nominal:
    """The pronoun that takes up a person: he, she or they."""
    if nominal.person is Person.THIRD:
        english, french = ("she", "elle") if nominal.feminine else ("he", "il")
        return Nominal(english, french, Person.THIRD, nominal.feminine, child=nominal.child)
    if nominal.person is Person.THIRD_PLURAL:
        french = "elles" if nominal.feminine else "ils"
        return Nominal("they", french, Person.THIRD_PLURAL, nominal.feminine, child=nominal.child)
    return nominal
