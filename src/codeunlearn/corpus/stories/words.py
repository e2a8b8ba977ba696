"""The kinds of words in the bilingual lexicon. Every word may carry the topic it stands for."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from codeunlearn.corpus.stories.agreement import (
    Person,
    add_ed,
    add_er,
    add_ing,
    add_s,
    french_agree,
    french_plural,
    starts_with_vowel_sound,
)

Item = TypeVar("Item")


class Bag(Generic[Item]):
    """Items to draw from, each with a weight."""

    def __init__(self, items: Sequence[Item], weights: Sequence[float] | None = None) -> None:
        self.items = tuple(items)
        self.weights = tuple(weights or [1.0] * len(self.items))
        self._cumulative = list(accumulate(self.weights))

    def where(self, keep: Callable[[Item], bool]) -> Bag[Item]:
        """The items to keep, with their weights; possibly none."""
        kept = [(item, weight) for item, weight in zip(self.items, self.weights, strict=True) if keep(item)]
        return Bag([item for item, _ in kept], [weight for _, weight in kept])

    def draw(self, rng: Random) -> Item:
        return self.items[bisect(self._cumulative, rng.random() * self._cumulative[-1], hi=len(self.items) - 1)]


@dataclass(frozen=True)
class Name:
    """A first name, spelled alike in both languages."""

    text: str
    feminine: bool


@dataclass(frozen=True)
class Noun:
    """A noun in both languages; `tags` say which verbs, adjectives and prepositions it goes with."""

    en: str
    en_plural: str
    fr: str
    fr_plural: str
    feminine: bool
    tags: frozenset[str]
    topic: str | None = None


def noun(
    en: str,
    fr: str,
    gender: str,
    tags: str,
    *,
    en_plural: str = "",
    fr_plural: str = "",
    topic: str | None = None,
) -> Noun:
    """A noun; plurals are regular unless given. `gender` is "m" or "f"."""
    return Noun(
        en,
        en_plural or add_s(en),
        fr,
        fr_plural or french_plural(fr),
        gender == "f",
        frozenset(tags.split()),
        topic,
    )


@dataclass(frozen=True)
class Adjective:
    """An adjective; `before` is its place in French, `liaison` its masculine before a vowel ("vieil")."""

    en: str
    comparative: str
    superlative: str
    masculine: str
    feminine: str
    liaison: str
    before: bool
    tags: frozenset[str]
    topic: str | None = None

    def french(self, *, feminine: bool, plural: bool, following: str = "") -> str:
        """The French form for a gender, a number and (for an adjective before its noun) the following word."""
        if not feminine and not plural and following and starts_with_vowel_sound(following):
            return self.liaison
        return french_agree(self.masculine, self.feminine, is_feminine=feminine, is_plural=plural)


def adjective(
    en: str,
    masculine: str,
    feminine: str,
    tags: str = "",
    *,
    before: bool = False,
    liaison: str = "",
    stem: str = "",
    topic: str | None = None,
) -> Adjective:
    """An adjective; those of more than five letters compare with "more" and "most", the others on `stem` ("sadd")."""
    long, stem = len(en) > 5, stem or en
    return Adjective(
        en,
        f"more {en}" if long else add_er(stem),
        f"most {en}" if long else add_er(stem, "est"),
        masculine,
        feminine,
        liaison or masculine,
        before,
        frozenset(tags.split()),
        topic,
    )


@dataclass(frozen=True)
class EnglishVerb:
    """English forms; `present` and `past` are indexed by Person. `auxiliary` verbs (be, can) need no "do"."""

    base: str
    present: tuple[str, str, str]
    past: tuple[str, str, str]
    participle: str
    ing: str
    auxiliary: bool = False


def english_verb(text: str, forms: str = "") -> EnglishVerb:
    """A verb such as "look for"; `forms` gives "past participle ing" of an irregular first word."""
    word, _, particle = text.partition(" ")
    past, participle, ing = forms.split() if forms else (add_ed(word), add_ed(word), add_ing(word))
    third = {"go": "goes", "have": "has"}.get(word, add_s(word))
    base, third, past, participle, ing = (f"{form} {particle}".strip() for form in (word, third, past, participle, ing))
    return EnglishVerb(base, (base, third, base), (past, past, past), participle, ing)


@dataclass(frozen=True)
class FrenchVerb:
    """French forms; `present` is indexed by Person, `past` and `future` are the stems of the imparfait and the futur.

    Verbs `with_etre` form their compound tenses with "être".
    """

    infinitive: str
    present: tuple[str, str, str]
    past: str
    future: str
    participle: str
    with_etre: bool = False
    reflexive: bool = False

    def imperfect(self, person: Person) -> str:
        return self.past + ("ais", "ait", "aient")[person]

    def future_form(self, person: Person) -> str:
        return self.future + ("ai", "a", "ont")[person]

    def subjunctive(self, person: Person) -> str:
        """Third persons only; verbs with a subjunctive stem of their own are not used in that mood here."""
        third_plural = self.present[Person.THIRD_PLURAL]
        return third_plural if person is Person.THIRD_PLURAL else third_plural.removesuffix("nt")

    def agreed_participle(self, *, feminine: bool, plural: bool) -> str:
        return french_agree(self.participle, self.participle + "e", is_feminine=feminine, is_plural=plural)

    def forms(self) -> tuple[str, ...]:
        """Every form the grammar can produce."""
        people = tuple(Person)
        return (
            self.infinitive,
            *self.present,
            *(self.imperfect(person) for person in people),
            *(self.future_form(person) for person in people),
            *(self.agreed_participle(feminine=f, plural=p) for f in (False, True) for p in (False, True)),
        )


def first_group(
    infinitive: str, strong: str = "", future: str = "", *, with_etre: bool = False, reflexive: bool = False
) -> FrenchVerb:
    """A verb in -er; `strong` is the stem of the singular where it differs ("achèt"), `future` that of the future."""
    stem = infinitive.removesuffix("er")
    strong = strong or stem
    past = stem + "e" if stem.endswith("g") else stem
    present = (f"{strong}e", f"{strong}e", f"{strong}ent")
    return FrenchVerb(infinitive, present, past, future or infinitive, f"{stem}é", with_etre or reflexive, reflexive)


def irregular(infinitive: str, present: str, future: str, participle: str, *, with_etre: bool = False) -> FrenchVerb:
    """Any other verb; `present` lists je, il, nous and ils, of which "nous" lends its stem to the imparfait."""
    first, third, first_plural, third_plural = present.split()
    past = first_plural.removesuffix("ons")
    return FrenchVerb(infinitive, (first, third, third_plural), past, future, participle, with_etre)


@dataclass(frozen=True)
class Verb:
    """A verb in both languages.

    A stative verb puts its past into the French imparfait, any other into the passé composé. `objects` are the tags of
    the nouns it takes; `link` is the French preposition before its object ("appartenir à"). A momentary verb has no
    progressive ("he found", not "he was finding").
    """

    english: EnglishVerb
    french: FrenchVerb
    objects: frozenset[str] = frozenset()
    stative: bool = False
    link: str = ""
    momentary: bool = False
    topic: str | None = None


def verb(
    text: str,
    french: FrenchVerb,
    objects: str = "",
    *,
    forms: str = "",
    stative: bool = False,
    link: str = "",
    momentary: bool = False,
    topic: str | None = None,
) -> Verb:
    """A verb; see `english_verb` for `text` and `forms`."""
    return Verb(english_verb(text, forms), french, frozenset(objects.split()), stative, link, momentary, topic)
