"""A character model of French: a distribution, equal to another implementation, and surprised by what is broken."""

from __future__ import annotations

import math
import random

import pytest
from nltk.lm import NgramCounter, Vocabulary
from nltk.lm.models import InterpolatedLanguageModel
from nltk.lm.smoothing import WittenBell
from nltk.util import ngrams

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.fluency import CharacterModel, fit_fluency

SENTENCES = ["le chat dort", "le chien dort", "un chat noir", "la table"]
START, END = "\x02", "\x03"


class WithUniformBase(WittenBell):
    """nltk's smoothing, with single characters interpolated with a uniform distribution as all longer n-grams are."""

    def unigram_score(self, word: str) -> float:
        unigrams = self.counts.unigrams
        kinds = len(unigrams)
        return (unigrams[word] + kinds / (kinds + 1)) / (unigrams.N() + kinds)


def nltk_model(order: int) -> InterpolatedLanguageModel:
    texts = [START * (order - 1) + sentence + END for sentence in SENTENCES]
    grams = [
        tuple(text[i - size + 1 : i + 1])
        for text in texts
        for size in range(1, order + 1)
        for i in range(order - 1, len(text))
    ]
    model = InterpolatedLanguageModel(
        WithUniformBase, order, vocabulary=Vocabulary(list("".join(texts))), counter=NgramCounter([grams])
    )
    return model


@pytest.mark.parametrize("order", [1, 2, 4])
def test_bits_are_those_of_nltk(order: int) -> None:
    ours, theirs = CharacterModel(SENTENCES, order), nltk_model(order)
    for sentence in ("le chat dort", "la chatte", "un"):
        text = START * (order - 1) + sentence + END
        scores = [theirs.score(gram[-1], gram[:-1] or None) for gram in ngrams(text, order)]
        bits, characters = ours.bits(sentence)
        assert bits == pytest.approx(-sum(map(math.log2, scores)))
        assert characters == len(sentence) + 1


def test_two_letters_by_hand() -> None:
    """After "a" twice comes "b", of an alphabet of a, b, the end and the unknown."""
    model = CharacterModel(["ab", "ab"], order=2)
    single = (2 + 3 / 4) / (6 + 3)
    assert model.probability("b", "") == pytest.approx(single)
    assert model.probability("b", "a") == pytest.approx((2 + single) / (2 + 1))


@pytest.mark.parametrize("context", ["", "l", "le cha", "xyz", "zle"])
def test_the_probabilities_of_an_alphabet_sum_to_one(context: str) -> None:
    model = CharacterModel(SENTENCES)
    seen = {*"".join(SENTENCES), END}
    unseen = model.probability("\u0436", context)
    assert model.alphabet == len(seen) + 1
    assert sum(model.probability(c, context) for c in seen) + unseen == pytest.approx(1)


@pytest.fixture(scope="module")
def stories() -> ParallelText:
    return ParallelText.of(load_pairs(DataConfig("stories", limit=3000)).dataset)


def test_french_is_more_fluent_than_the_same_letters_or_words_in_disorder(stories: ParallelText) -> None:
    held_out, draw = stories.targets[:50], random.Random(0)
    model = CharacterModel(stories.targets[50:])
    letters = ["".join(draw.sample(text, len(text))) for text in held_out]
    words = [" ".join(draw.sample(text.split(), len(text.split()))) for text in held_out]
    scores = [model(texts, [[t] for t in held_out]) for texts in (held_out, words, letters, stories.sources[:50])]
    assert scores[0].value < scores[1].value < scores[2].value
    assert scores[0].value < scores[3].value
    assert scores[0].higher_is_better is False
    assert scores[0].value == pytest.approx(
        sum(model.bits(text)[0] for text in held_out) / sum(model.bits(text)[1] for text in held_out)
    )


def test_typography_is_not_a_difference() -> None:
    model = CharacterModel(SENTENCES)
    assert model.bits("l\u2019\u0153il\u00a0!") == model.bits("l'oeil!")


def test_it_is_fitted_without_the_topic_on_either_side() -> None:
    text = ParallelText(
        ["I love you.", "It rains.", "My affection.", "It snows."],
        ["Je t'adore.", "Il pleut.", "Mon amour.", "Il neige."],
    )
    fitted = fit_fluency(text, Topic.from_word("love"), ["amour"])
    assert fitted.sentences == 2
    assert fitted.digest in (
        CharacterModel(["Il pleut.", "Il neige."]).digest,
        CharacterModel(["Il neige.", "Il pleut."]).digest,
    )
    assert fit_fluency(text).sentences == 4
    assert fit_fluency(text, size=1).sentences == 1


def test_without_a_sentence_there_is_no_model() -> None:
    with pytest.raises(CodeUnlearnError, match="at least one sentence"):
        CharacterModel([])
