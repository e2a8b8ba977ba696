"""The embedded corpus: distinct, deterministic, grammatical in both languages, and exact about its topics."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from codeunlearn.corpus.stories import LARGEST, TOPICS, StoryPair, generate, nouns, people, verbs
from codeunlearn.corpus.stories.adjectives import COLOURS, IN_LOVE, OLD, POOR, RICH
from codeunlearn.corpus.stories.agreement import contract, elide, indefinite_article
from codeunlearn.corpus.stories.clauses import ALWAYS, NEVER, NO_LONGER, Clause, Predicate, Tense
from codeunlearn.corpus.stories.grammar import PATTERNS
from codeunlearn.corpus.stories.nouns import NOUNS
from codeunlearn.corpus.stories.phrases import (
    Clitic,
    Determiner,
    Nominal,
    Phrase,
    both,
    kind,
    named,
    noun_phrase,
    owned,
    possessive,
    substance,
    what_a,
)
from codeunlearn.corpus.stories.predicates import agreeing, with_object
from codeunlearn.corpus.stories.words import Adjective, Name, Noun
from codeunlearn.errors import CodeUnlearnError

PAPER_TOPICS = ("love", "Julien", "captain", "poor", "wish", "white", "black")
FRENCH_VOWEL = "[aàâeéèêiîoôuûyœ]"


@pytest.fixture(scope="module")
def pairs() -> list[StoryPair]:
    return generate()


# The whole corpus


def test_english_sentences_are_distinct_and_as_many_as_asked(pairs: list[StoryPair]) -> None:
    assert len({pair.source for pair in pairs}) == len(pairs) == 24_000


def test_the_same_seed_gives_the_same_corpus_and_fewer_are_a_prefix_of_more(pairs: list[StoryPair]) -> None:
    assert generate(500) == pairs[:500]
    assert generate(500, seed=1) == generate(500, seed=1) != pairs[:500]


def test_a_sentence_means_the_same_whatever_the_seed() -> None:
    seen: dict[str, StoryPair] = {}
    for seed in range(4):
        for pair in generate(3_000, seed):
            assert seen.setdefault(pair.source, pair) == pair
    assert len(seen) < 12_000, "the seeds share sentences, or this test shows nothing"


@pytest.mark.parametrize("n", [-1, LARGEST + 1])
def test_asking_for_what_the_grammar_cannot_give_says_what_it_can(n: int) -> None:
    with pytest.raises(CodeUnlearnError, match=str(LARGEST)):
        generate(n)


def test_every_pattern_contributes() -> None:
    shares = PATTERNS.weights
    assert min(shares) / sum(shares) > 0.005
    assert len(set(PATTERNS.items)) == len(PATTERNS.items)


def test_the_vocabulary_is_small_and_sentences_are_short(pairs: list[StoryPair]) -> None:
    words = Counter(word for pair in pairs for word in re.findall(r"\w+", pair.source.lower()))
    assert 350 <= len(words) <= 620
    assert {4, 14} <= {len(pair.source.split()) for pair in pairs} <= set(range(4, 15))
    # Rare words are those whose forms are many; nearly all of the text is made of words seen often.
    assert sum(count for count in words.values() if count >= 50) / words.total() > 0.97


# Topics


def test_topics_are_exactly_the_sentences_whose_words_say_so(pairs: list[StoryPair]) -> None:
    for side, language in (("forms", "source"), ("target_forms", "target")):
        topic_of = {form: name for name, topic in TOPICS.items() for form in getattr(topic, side)}
        for pair in pairs:
            words = re.findall(r"\w+", getattr(pair, language).lower())
            said = sorted({topic_of[word] for word in words if word in topic_of})
            assert said == list(pair.topics), pair


def test_every_topic_and_neighbour_has_enough_sentences(pairs: list[StoryPair]) -> None:
    counts = Counter(topic for pair in pairs for topic in pair.topics)
    assert set(counts) == set(TOPICS)
    assert min(counts.values()) >= 350
    assert all(650 <= counts[topic] <= 1_000 for topic in PAPER_TOPICS)
    assert sum(not pair.topics for pair in pairs) > 4_000


def test_neighbours_are_topics_of_their_own_and_mutual() -> None:
    for name, topic in TOPICS.items():
        assert topic.name == name
        assert topic.neighbours
        for neighbour in topic.neighbours:
            assert name in TOPICS[neighbour].neighbours
    assert "like" in TOPICS["love"].neighbours
    assert "sailor" in TOPICS["captain"].neighbours
    assert "grey" in TOPICS["white"].neighbours
    assert len(TOPICS["Julien"].neighbours) == 11


def test_no_form_stands_for_two_topics() -> None:
    for side in ("forms", "target_forms"):
        forms = [form for topic in TOPICS.values() for form in getattr(topic, side)]
        assert len(forms) == len(set(forms))


@pytest.mark.parametrize(
    ("topic", "forms"),
    [
        ("love", {"love", "loves", "loved", "loving"}),
        ("wish", {"wish", "wishes", "wished", "wishing"}),
        ("captain", {"captain", "captains"}),
        ("poor", {"poor", "poorer", "poorest"}),
    ],
)
def test_topic_words_come_in_all_their_forms(pairs: list[StoryPair], topic: str, forms: set[str]) -> None:
    assert set(TOPICS[topic].forms) == forms
    words = {word for pair in pairs if topic in pair.topics for word in re.findall(r"\w+", pair.source.lower())}
    assert forms <= words


# Spelling and agreement, everywhere


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(rf"\b(je|me|se|le|la|ne|de|que) (?!h[ée]ros|hibou)h?{FRENCH_VOWEL}", id="no elision"),
        pytest.param(r"\w' ", id="space after an apostrophe"),
        pytest.param(r"'(h[ée]ros|hibou)", id="elision before an aspirated h"),
        pytest.param(r"\bde les? (?!\w+(er|ir|re)\b)", id="de + article"),
        pytest.param(r"\bà les?\b", id="à + article"),
        pytest.param(r"\b(de|du|des|d') ?(de|du|des|d')\b", id="two articles"),
        pytest.param(r"\bsi ils?\b", id="si il"),
        pytest.param(r"\b(\w{3,}) \1\b", id="doubled word"),
        pytest.param(
            rf"\b(ma|sa|ce|beau|nouveau) (?!h[ée]ros|hibou)h?{FRENCH_VOWEL}",
            id="ma, ce, beau before a vowel",
        ),
        pytest.param(r"\b(pas|jamais|plus) une? ", id="pas un"),
        pytest.param(r"[^ ][?!]|[ ][.,]|  |[’`]", id="punctuation"),
        pytest.param(r"\bje (suis|serai|étais) \w*(euse|ée|ère)\b", id="feminine I"),
    ],
)
def test_french_never_says(pairs: list[StoryPair], wrong: str) -> None:
    found = [pair.target for pair in pairs if re.search(wrong, pair.target, re.IGNORECASE)]
    assert not found, found[:3]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(r"\ba [aeiou]|\ban [^aeiou]", id="a, an"),
        pytest.param(
            r"(^|[,.] |that |because )(he|she) (are|were|have|do)\b|\bthey (is|was|has|does)\b",
            id="be, have, do",
        ),
        pytest.param(r"\b(did|does|will|can|must)( not)? \w+(es|ed)\b", id="support"),
        pytest.param(r"\b(\w+) \1\b", id="doubled word"),
        pytest.param(r"  | [.,?!]", id="punctuation"),
    ],
)
def test_english_never_says(pairs: list[StoryPair], wrong: str) -> None:
    found = [pair.source for pair in pairs if re.search(wrong, pair.source, re.IGNORECASE)]
    assert not found, found[:3]


def test_sentences_begin_with_a_capital_and_end_alike(pairs: list[StoryPair]) -> None:
    for pair in pairs:
        assert pair.source[0].isupper()
        assert pair.target[0].isupper()
        assert pair.source[-1] == pair.target[-1]
        assert pair.source[-1] in ".?!"


def test_colours_agree_with_the_noun_before_them(pairs: list[StoryPair]) -> None:
    gender = {noun.fr: noun.feminine for noun in (*nouns.THINGS, *nouns.ANIMALS)}
    number = {
        **dict.fromkeys(gender, False),
        **{noun.fr_plural: True for noun in (*nouns.THINGS, *nouns.ANIMALS)},
    }
    gender |= {noun.fr_plural: noun.feminine for noun in (*nouns.THINGS, *nouns.ANIMALS)}
    form = {each.french(feminine=f, plural=p): each for each in COLOURS for f in (False, True) for p in (False, True)}
    checked = 0
    for pair in pairs:
        for noun, colour in re.findall(r"(\w+) (\w+)", pair.target) + re.findall(r" (\w+) (\w+)", pair.target):
            if noun in gender and colour in form:
                agreed = form[colour].french(feminine=gender[noun], plural=number[noun])
                assert colour == agreed, pair
                checked += 1
    assert checked > 1_000


def test_participles_with_etre_agree_with_women(pairs: list[StoryPair]) -> None:
    moved = "allé|venu|parti|revenu|resté|arrivé|tombé|devenu"
    women = re.compile(rf"^({'|'.join(nouns.WOMEN)}) (n')?est (?:(?:pas|déjà) )?({moved})(\w*)\b")
    endings = Counter(match.group(4) for pair in pairs if (match := women.match(pair.target)))
    assert endings["e"] > 50
    assert set(endings) == {"e"}


@pytest.mark.parametrize(
    ("english", "french"),
    [
        (r"\bthere (is|was|are|were) no\b", r"\bil n'y (a|avait) pas d[e']"),
        (r"\bwhose\b", r"\bdont\b"),
        (r"\bin love with\b", r"\bamoureux|amoureuses?\b"),
        (r"\bfavourite colour\b", r"\bcouleur préférée\b"),
        (r"\bis called|\bwas called|\bare called", r"\bs'appel"),
        (r"^Nobody\b", r"^Personne n[e']"),
        (r"^(Does|Do|Did|Will|Is|Are|Was|Were|Can|Must|Has|Have)\b", r"^Est-ce qu"),
        (r"^What .* (is|was|are|were|did|does|do|will) .*\?$", r"^(Qu'est-ce qu|De quelle couleur)"),
        (r"\bbecause\b", r"\bparce qu[e']"),
        (r"\bwill\b", r"(ra|rai|ront)\b"),
        (r"\bhair\b", r"\bles cheveux\b"),
        (r"\bno longer\b", r"\bn[e']\S* .*\bplus\b|\bn'\w+ plus\b"),
    ],
)
def test_constructions_correspond(pairs: list[StoryPair], english: str, french: str) -> None:
    held = [pair for pair in pairs if re.search(english, pair.source, re.IGNORECASE)]
    assert len(held) > 20
    assert all(re.search(french, pair.target, re.IGNORECASE) for pair in held)


# Golden pairs, written by hand


def noun(word: str) -> Noun:
    return next(each for bag in NOUNS.values() for each in bag.items if each.en == word)


def colour(word: str) -> Adjective:
    return next(each for each in COLOURS if each.en == word)


def the(word: str, *adjectives: Adjective, plural: bool = False) -> Nominal:
    return noun_phrase(noun(word), Determiner.THE, adjectives, plural=plural)


def a(word: str, *adjectives: Adjective, plural: bool = False) -> Nominal:
    return noun_phrase(noun(word), Determiner.A, adjectives, plural=plural)


JULIEN, MARIE, ALICE = (named(Name(text, text != "Julien")) for text in ("Julien", "Marie", "Alice"))
WHITE, BLACK, GREY = colour("white"), colour("black"), colour("grey")
HER, THEM = Clitic("her", "la", feminine=True), Clitic("them", "les", plural=True)
TO_HER = Clitic("her", "lui", direct=False)


@pytest.mark.parametrize(
    ("nominal", "english", "french"),
    [
        (a("horse", WHITE), "a white horse", "un cheval blanc"),
        (the("house", OLD, BLACK), "the old black house", "la vieille maison noire"),
        (the("horse", OLD, GREY, plural=True), "the old grey horses", "les vieux chevaux gris"),
        (a("horse", OLD, WHITE, plural=True), "old white horses", "de vieux chevaux blancs"),
        (the("officer", OLD), "the old officer", "le vieil officier"),
        (the("owl", OLD), "the old owl", "le vieux hibou"),
        (noun_phrase(nouns.MADE_WISH, Determiner.TWO, plural=True), "two wishes", "deux vœux"),
        (the("man", POOR), "the poor man", "le pauvre homme"),
        (the("man", RICH), "the rich man", "l'homme riche"),
        (the("hero"), "the hero", "le héros"),
        (noun_phrase(noun("hotel"), Determiner.THIS), "this hotel", "cet hôtel"),
        (noun_phrase(noun("bird"), Determiner.MANY, plural=True), "many birds", "beaucoup d'oiseaux"),
        (noun_phrase(noun("nurse"), Determiner.ALL, plural=True), "all the nurses", "toutes les infirmières"),
        (possessive(noun("scarf"), MARIE, (WHITE,)), "her white scarf", "son écharpe blanche"),
        (possessive(noun("house"), JULIEN, (OLD,)), "his old house", "sa vieille maison"),
        (owned(noun("cow"), the("captain")), "the captain's cow", "la vache du capitaine"),
        (owned(noun("hat"), ALICE, (BLACK,)), "Alice's black hat", "le chapeau noir d'Alice"),
        (owned(noun("friend"), the("woman")), "the woman's friend", "l'ami de la femme"),
        (substance(noun("water"), generic=False), "water", "de l'eau"),
        (substance(noun("honey"), generic=True), "honey", "le miel"),
        (kind(noun("horse")), "horses", "les chevaux"),
        (both(MARIE, JULIEN), "Marie and Julien", "Marie et Julien"),
    ],
)
def test_noun_phrases(nominal: Nominal, english: str, french: str) -> None:
    assert (nominal.en, nominal.fr) == (english, french)


def clause(subject: Nominal, predicate: Predicate, tense: Tense = Tense.PRESENT, **options: object) -> Phrase:
    said = Clause(subject, predicate, tense, **options).statement()  # pyright: ignore[reportArgumentType]
    return Phrase(said.en, elide(said.fr), said.topics)


@pytest.mark.parametrize(
    ("said", "english", "french"),
    [
        (
            clause(JULIEN, with_object(verbs.BUY, a("dress", WHITE)), Tense.PAST, negated=True),
            "Julien did not buy a white dress",
            "Julien n'a pas acheté de robe blanche",
        ),
        (clause(MARIE, Predicate(verbs.GO), Tense.PAST), "Marie went", "Marie est allée"),
        (
            clause(both(MARIE, ALICE), Predicate(verbs.LEAVE), Tense.PAST, negated=True),
            "Marie and Alice did not leave",
            "Marie et Alice ne sont pas parties",
        ),
        (
            clause(both(MARIE, JULIEN), Predicate(verbs.REST), Tense.PAST),
            "Marie and Julien rested",
            "Marie et Julien se sont reposés",
        ),
        (clause(people.HE, Predicate(verbs.SEE, clitic=HER), Tense.PAST), "he saw her", "il l'a vue"),
        (clause(people.I, Predicate(verbs.LOVE, clitic=THEM)), "I love them", "je les aime"),
        (
            clause(people.THEY, Predicate(verbs.LOVE, clitic=HER), Tense.PERFECT, adverb=ALWAYS),
            "they have always loved her",
            "ils l'ont toujours aimée",
        ),
        (
            clause(the("queen"), Predicate(verbs.GIVE, a("rose").phrase, clitic=TO_HER), Tense.PAST),
            "the queen gave her a rose",
            "la reine lui a donné une rose",
        ),
        (
            clause(people.NOBODY, with_object(verbs.FEAR, the("captain")), Tense.PAST),
            "nobody feared the captain",
            "personne ne craignait le capitaine",
        ),
        (
            clause(JULIEN, with_object(verbs.BELONG, the("soldier", plural=True)), Tense.FUTURE, adverb=NEVER),
            "Julien will never belong to the soldiers",
            "Julien n'appartiendra jamais aux soldats",
        ),
        (
            clause(
                the("sailor", plural=True),
                Predicate(verbs.BE, agreeing(POOR, the("sailor", plural=True))),
                adverb=NO_LONGER,
            ),
            "the sailors are no longer poor",
            "les marins ne sont plus pauvres",
        ),
        (
            clause(MARIE, Predicate(verbs.BE, agreeing(IN_LOVE, MARIE)), Tense.PAST),
            "Marie was in love",
            "Marie était amoureuse",
        ),
        (
            clause(JULIEN, Predicate(verbs.BE_HAVING, Phrase("hungry", "faim")), negated=True),
            "Julien is not hungry",
            "Julien n'a pas faim",
        ),
        (
            clause(JULIEN, Predicate(verbs.STAY), Tense.WISHED_FOR),
            "Julien would stay",
            "Julien reste",
        ),
        (clause(people.SHE, Predicate(verbs.COME), Tense.WISHED_FOR), "she would come", "elle vienne"),
        (
            clause(people.I, with_object(verbs.STEAL, the("bird")), Tense.USED_TO),
            "I used to steal the bird",
            "je volais l'oiseau",
        ),
        (
            clause(
                people.HE,
                Predicate(verbs.CAN, with_object(verbs.PAINT, the("door")).infinitive(people.HE)),
                negated=True,
            ),
            "he cannot paint the door",
            "il ne peut pas peindre la porte",
        ),
        (
            clause(JULIEN, Predicate(verbs.BUY, antecedent=the("dress", plural=True)), Tense.PAST),
            "Julien bought",
            "Julien a achetées",
        ),
    ],
)
def test_clauses(said: Phrase, english: str, french: str) -> None:
    assert (said.en, said.fr) == (english, french)


def test_questions_move_the_auxiliary() -> None:
    asked = Clause(ALICE, with_object(verbs.LOVE, the("sea")), Tense.PAST).question()
    assert (asked.en, elide(asked.fr)) == ("did Alice love the sea", "est-ce qu'Alice aimait la mer")
    asked = Clause(JULIEN, Predicate(verbs.BE, agreeing(POOR, JULIEN)), negated=True).question()
    assert (asked.en, elide(asked.fr)) == ("is Julien not poor", "est-ce que Julien n'est pas pauvre")


def test_exclamations_agree() -> None:
    assert what_a(noun("bird"), (OLD, BLACK)).fr == "quel vieil oiseau noir"
    assert what_a(noun("house"), (OLD,), plural=True).fr == "quelles vieilles maisons"


def test_only_noun_phrases_contract() -> None:
    assert contract("de", "le roi") == "du roi"
    assert contract("près de", "les champs") == "près des champs"
    assert contract("à", "l'hôtel") == "à l'hôtel"
    assert contract("de", "des oiseaux") == "d'oiseaux"
    assert contract("de", "de vieux chevaux") == "de vieux chevaux"
    assert elide("il rêve de le voir") == "il rêve de le voir"
    assert elide("si il vient et si elle aime") == "s'il vient et si elle aime"
    assert elide("parce que il ne habite pas le hibou") == "parce qu'il n'habite pas le hibou"


def test_indefinite_article() -> None:
    assert [indefinite_article(word) for word in ("owl", "umbrella", "horse")] == ["an", "an", "a"]
