"""Clauses: a subject and a predicate in a tense, negated or not, as a statement or a question, in both languages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from codeunlearn.corpus.stories.agreement import Person
from codeunlearn.corpus.stories.phrases import EMPTY, NO_TOPICS, Clitic, Nominal, Phrase, join
from codeunlearn.corpus.stories.verbs import BE, HAVE
from codeunlearn.corpus.stories.words import EnglishVerb, Verb


class Tense(Enum):
    """English tenses; French has fewer, see `_french_verb`."""

    PRESENT = "loves"
    PROGRESSIVE = "is buying"
    PAST = "bought"
    WAS_DOING = "was buying"
    USED_TO = "used to buy"
    PERFECT = "has bought"
    FUTURE = "will buy"
    # What somebody wishes that another would do: "would stay" / subjunctive.
    WISHED_FOR = "would stay"


@dataclass(frozen=True)
class Adverb:
    """An adverb in mid position; negative ones make French put "ne" before the verb."""

    en: str
    fr: str
    negative: bool = False


ALWAYS = Adverb("always", "toujours")
OFTEN = Adverb("often", "souvent")
SOMETIMES = Adverb("sometimes", "parfois")
NEVER = Adverb("never", "jamais", negative=True)
NO_LONGER = Adverb("no longer", "plus", negative=True)


@dataclass(frozen=True)
class Predicate:
    """A verb with what follows it.

    `negated` is the complement of a negated verb where it differs ("de pain"). `antecedent` is the noun phrase before a
    relative clause whose object it is: the participle agrees with it ("la robe qu'il a achetée").
    """

    verb: Verb
    complement: Phrase = EMPTY
    negated: Phrase | None = None
    clitic: Clitic | None = None
    antecedent: Nominal | None = None

    @property
    def topics(self) -> frozenset[str]:
        own = frozenset((self.verb.topic,)) if self.verb.topic else NO_TOPICS
        return own | self.complement.topics | (self.clitic.topics if self.clitic else NO_TOPICS)

    def followed_by(self, phrase: Phrase) -> Predicate:
        """The same with more behind it, such as a place or a time."""
        return replace(
            self,
            complement=join(self.complement, phrase),
            negated=None if self.negated is None else join(self.negated, phrase),
        )

    def _english(self, form: str) -> str:
        return _words(form, self.clitic.en if self.clitic else "", self.complement.en)

    def infinitive(self, subject: Nominal) -> Phrase:
        """ "sell the house" / "vendre la maison"; a French reflexive pronoun agrees with the subject."""
        return Phrase(self._english(self.verb.english.base), self._french_infinitive(subject), self.topics)

    def gerund(self, subject: Nominal) -> Phrase:
        """ "selling the house" / "vendre la maison"."""
        return Phrase(self._english(self.verb.english.ing), self._french_infinitive(subject), self.topics)

    def _french_infinitive(self, subject: Nominal) -> str:
        return _words(self.french_clitic(subject.person), self.verb.french.infinitive, self.complement.fr)

    def french_clitic(self, person: Person) -> str:
        """The pronoun right before the French verb, if any."""
        if self.verb.french.reflexive:
            return ("me", "se", "se")[person]
        return self.clitic.fr if self.clitic else ""


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Clause:
    """A subject and a predicate in a tense."""

    subject: Nominal
    predicate: Predicate
    tense: Tense = Tense.PRESENT
    negated: bool = False
    adverb: Adverb | None = None

    def statement(self) -> Phrase:
        """ "Julien does not love tea" / "Julien n'aime pas le thé"."""
        auxiliary, main = _english_verb(
            self.predicate.verb.english, self.subject.person, self.tense, support=self.negated
        )
        adverb = self.adverb.en if self.adverb else ""
        negation = "not" if self.negated else ""
        english = _words(self.subject.en, auxiliary, negation, adverb, main, self._english_rest())
        return Phrase(english.replace("can not", "cannot"), self._french(), self.topics)

    def question(self) -> Phrase:
        """ "does Julien love tea" / "est-ce que Julien aime le thé"."""
        auxiliary, main = _english_verb(self.predicate.verb.english, self.subject.person, self.tense, support=True)
        adverb = self.adverb.en if self.adverb else ""
        negation = "not" if self.negated else ""
        english = _words(auxiliary, self.subject.en, negation, adverb, main, self._english_rest())
        return Phrase(english, f"est-ce que {self._french()}", self.topics)

    @property
    def topics(self) -> frozenset[str]:
        return self.subject.topics | self.predicate.topics

    @property
    def is_negative(self) -> bool:
        return self.negated or self.subject.ne or (self.adverb is not None and self.adverb.negative)

    def _english_rest(self) -> str:
        clitic = self.predicate.clitic
        return _words(clitic.en if clitic else "", self.predicate.complement.en)

    def _french(self) -> str:
        predicate, person = self.predicate, self.subject.person
        finite, compound = _french_verb(predicate.verb, person, self.tense)
        adverb = "pas" if self.negated else self.adverb.fr if self.adverb else ""
        negated = predicate.negated if self.is_negative else None
        return _words(
            self.subject.fr,
            "ne" if self.is_negative else "",
            predicate.french_clitic(person),
            finite,
            adverb,
            self._participle() if compound else "",
            (negated or predicate.complement).fr,
        )

    def _participle(self) -> str:
        """Agrees with the subject after "être", else with a direct object that comes before the verb."""
        french, clitic = self.predicate.verb.french, self.predicate.clitic
        if french.with_etre:
            return french.agreed_participle(feminine=self.subject.feminine, plural=self.subject.plural)
        if self.predicate.antecedent is not None:
            head = self.predicate.antecedent
            return french.agreed_participle(feminine=head.feminine, plural=head.plural)
        if clitic is not None and clitic.direct:
            return french.agreed_participle(feminine=clitic.feminine, plural=clitic.plural)
        return french.participle


def _english_verb(verb: EnglishVerb, person: Person, tense: Tense, *, support: bool) -> tuple[str, str]:
    """(auxiliary, main verb); `support` asks for "do" where nothing else can be negated or moved before the subject."""
    be = BE.english
    simple = {
        Tense.PROGRESSIVE: (be.present[person], verb.ing),
        Tense.WAS_DOING: (be.past[person], verb.ing),
        Tense.FUTURE: ("will", verb.base),
        Tense.WISHED_FOR: ("would", verb.base),
        Tense.PERFECT: ("has" if person is Person.THIRD else "have", verb.participle),
        Tense.USED_TO: ("", f"used to {verb.base}"),
    }
    if tense in simple:
        return simple[tense]
    finite = verb.present[person] if tense is Tense.PRESENT else verb.past[person]
    if verb.auxiliary:
        return finite, ""
    if not support:
        return "", finite
    if tense is Tense.PAST:
        return "did", verb.base
    return ("does" if person is Person.THIRD else "do"), verb.base


def _french_verb(verb: Verb, person: Person, tense: Tense) -> tuple[str, bool]:
    """(finite form, whether a participle follows)."""
    french = verb.french
    if tense in (Tense.PRESENT, Tense.PROGRESSIVE):
        return french.present[person], False
    if tense is Tense.FUTURE:
        return french.future_form(person), False
    if tense is Tense.WISHED_FOR:
        return french.subjunctive(person), False
    if tense in (Tense.USED_TO, Tense.WAS_DOING) or (tense is Tense.PAST and verb.stative):
        return french.imperfect(person), False
    auxiliary = BE.french if french.with_etre else HAVE.french
    return auxiliary.present[person], True
