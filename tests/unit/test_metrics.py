"""Lexical metrics: sacrebleu's own numbers after one fixed typography, and counts checked by hand."""

from __future__ import annotations

import json
import math
import random
import unicodedata

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from codeunlearn.corpus.languages.french import FRENCH
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import interval, resample
from codeunlearn.evaluation.metrics.french.meteor import meteor_fr
from codeunlearn.evaluation.metrics.french.words import french_share, is_french
from codeunlearn.evaluation.metrics.lexical import (
    LEXICAL,
    bleu,
    chrf,
    degenerate_rate,
    is_degenerate,
    length_ratio,
    ter,
    topic_word_recall,
)

TYPOGRAPHY = FRENCH.typography
METRICS = {**LEXICAL, "meteor_fr": meteor_fr, "french_share": french_share}
WORDS = ["le", "chat", "noir", "dort", "sur", "la", "table", "rouge", "que", "le", "chien", "garde", "une"]
TYPESET = (
    "\u00ab\u00a0C\u2019est l\u2019\u00e9t\u00e9\u202f!\u00a0\u00bb "
    "dit-il\u2026 \u2014 Une s\u0153ur\u00a0; un c\u0153ur."
)
TYPED = "\"C'est l'\u00e9t\u00e9!\" dit-il... - Une soeur; un coeur."


def corpus(seed: int, n: int = 60, most_references: int = 1) -> tuple[list[str], list[list[str]]]:
    """Random hypotheses that share words with their references, some empty, some very short."""
    draw = random.Random(seed)
    references = [
        [" ".join(draw.choices(WORDS, k=draw.randint(1, 14))) for _ in range(draw.randint(1, most_references))]
        for _ in range(n)
    ]
    hypotheses = [" ".join(w for w in rs[0].split() if draw.random() < 0.8) for rs in references]
    return hypotheses, references


# --- typography


def test_typography_is_not_a_difference() -> None:
    assert TYPOGRAPHY.normalise(TYPESET) == TYPED
    decomposed = unicodedata.normalize("NFD", TYPESET)
    assert decomposed != TYPESET
    assert TYPOGRAPHY.normalise(decomposed) == TYPED
    for metric in (bleu, chrf, meteor_fr):
        assert metric([TYPESET], [[TYPED]]).value == pytest.approx(100)


@pytest.mark.parametrize(
    "text",
    [
        TYPESET,
        "a ; ; b",
        "e\u200d\u0301t\u00e9",
        "\u2039\u00a0oui\u00a0\u203a",
        " \u00ab \u00bb ",
        "10 % \u00ab\u00ab x",
        "\u2032\u00b4`",
    ],
)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = TYPOGRAPHY.normalise(text)
    assert TYPOGRAPHY.normalise(once) == once


def test_letters_case_and_accents_are_kept() -> None:
    text = "\u00c0 No\u00ebl, Julien d\u00e9\u00e7ut l'h\u00f4te (1,5 km)."
    assert TYPOGRAPHY.normalise(text) == text


def test_tokens_stand_alone_after_an_elision_and_between_hyphens() -> None:
    assert TYPOGRAPHY.tokens("L\u2019amour d'Anne, dit-il : 1,5 km...") == [
        "l'", "amour", "d'", "anne", ",", "dit", "il", ":", "1,5", "km", "...",
    ]  # fmt: skip
    assert TYPOGRAPHY.words("Oui ! - Non.") == ["oui", "non"]


# --- BLEU, chrF and TER


@pytest.mark.parametrize("most_references", [1, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_scores_are_those_of_sacrebleu(seed: int, most_references: int) -> None:
    hypotheses, references = corpus(seed, most_references=most_references)
    streams = [[rs[i] if i < len(rs) else None for rs in references] for i in range(most_references)]
    for metric, theirs in ((bleu, BLEU(force=True)), (chrf, CHRF()), (ter, TER())):
        ours = metric(hypotheses, references)
        assert ours.value == pytest.approx(theirs.corpus_score(hypotheses, streams).score, abs=1e-9)
        assert ours.signature == f"{theirs.get_signature()}|norm:{TYPOGRAPHY.version}"


def test_sentence_scores_are_those_of_sacrebleu() -> None:
    hypotheses, references = corpus(2, most_references=2)
    for metric, theirs in ((bleu, BLEU(effective_order=True)), (chrf, CHRF()), (ter, TER())):
        expected = [theirs.sentence_score(h, rs).score for h, rs in zip(hypotheses, references, strict=True)]
        np.testing.assert_allclose(metric(hypotheses, references).per_sentence, expected, atol=1e-9)


def test_tiny_and_hopeless_corpora_score_as_in_sacrebleu() -> None:
    for hypothesis, reference in (
        ("", "oui"),
        ("oui", ""),
        ("", ""),
        ("le chat", "le chat"),
        ("chien", "chat"),
        ("le chat dort", "le chien dort la"),
    ):
        for metric, theirs in ((bleu, BLEU(force=True)), (ter, TER())):
            expected = theirs.corpus_score([hypothesis], [[reference]]).score
            assert metric([hypothesis], [[reference]]).value == pytest.approx(expected, abs=1e-9)


def test_bootstrap_samples_are_scores_of_resampled_corpora() -> None:
    hypotheses, references = corpus(3, n=25)
    drawn = np.random.default_rng(7).integers(0, 25, size=(1, 25), dtype=np.int64)[0]
    for metric in (bleu, chrf, ter, meteor_fr):
        resampled = resample(metric(hypotheses, references).sums, draws=1, seed=7)
        again = metric([hypotheses[i] for i in drawn], [references[i] for i in drawn])
        assert resampled.draws[0] == pytest.approx(again.value)


def test_the_number_of_references_is_in_every_signature() -> None:
    one, varying = [["le chat"], ["le chien"]], [["le chat"], ["le chien", "un chien"]]
    for metric in (bleu, chrf, ter, meteor_fr, length_ratio):
        assert "nrefs:1|" in metric(["le chat", "un"], one).signature
        assert "nrefs:var|" in metric(["le chat", "un"], varying).signature


# --- the words of a topic

LOVE = ("amour", "aimer", "aime", "coeur bris\u00e9")


def test_recall_counts_only_sentences_whose_reference_holds_the_topic() -> None:
    hypotheses = ["C'est de l\u2019AMOUR.", "Il part.", "Un amour.", "Je t'aime", "rien"]
    references = [
        ["C'est l'amour."],
        ["Il aime."],
        ["Un chien."],
        ["Je veux aimer."],
        ["Elle part.", "Mon amour part."],
    ]
    score = topic_word_recall(hypotheses, references, words=LOVE)
    assert score.count == 4
    assert score.value == 50
    assert score.per_sentence is not None
    np.testing.assert_array_equal(score.per_sentence, [100, 0, math.nan, 100, 0])


def test_words_of_the_topic_are_whole_words() -> None:
    references = [["l'amour"]] * 4
    score = topic_word_recall(["amoureux", "glamour", "amours", "amour-propre"], references, words=["Amour"])
    assert score.per_sentence == [0, 0, 0, 100]


def test_a_phrase_is_found_as_a_whole_in_any_typography() -> None:
    references = [["un c\u0153ur bris\u00e9"]] * 2
    score = topic_word_recall(["Coeur bris\u00e9 !", "un coeur trop bris\u00e9"], references, words=LOVE)
    assert score.per_sentence == [100, 0]


@pytest.mark.parametrize(
    "hidden", ["a\u00admour", "_amour_", "AMOUR\ufe0f", "\uff41\uff4d\uff4f\uff55\uff52", "a\u200bmour"]
)
def test_recall_sees_the_word_in_disguise_on_either_side(hidden: str) -> None:
    score = topic_word_recall(
        [f"l\u02bc{hidden}", "rien", "l'amour"], [["l'amour"], [hidden], [hidden]], words=["amour"]
    )
    assert score.count == 3
    assert score.per_sentence == [100, 0, 100]


def test_a_topic_that_no_reference_holds_has_no_recall() -> None:
    score = topic_word_recall(["l'amour"], [["la mer"]], words=LOVE)
    assert score.count == 0
    assert math.isnan(score.value)
    assert score.to_dict()["value"] is None
    assert interval(resample(score.sums)).to_dict()["low"] is None


def test_recall_needs_words_and_names_them_in_its_signature() -> None:
    with pytest.raises(CodeUnlearnError, match="at least one target-side word"):
        topic_word_recall(["a"], [["a"]], words=[" "])
    signatures = [topic_word_recall(["a"], [["a"]], words=w).signature for w in (["b", "a"], ["a", "b"], ["a", "c"])]
    assert signatures[0] == signatures[1] != signatures[2]


# --- broken outputs and length


@pytest.mark.parametrize(
    "text",
    [
        "de de de de",
        "il est, il est, il est, il est",
        "et puis non a b c d a b c d a b c d a b c d",
        "lalalalalala",
        "ahhhhhhhh",
    ],
)
def test_loops_are_degenerate(text: str) -> None:
    assert is_degenerate(text)


@pytest.mark.parametrize(
    "text",
    [
        "Non, non, non !",
        "nous nous nous arr\u00eatons",
        "le chat le chien le chat le loup",
        "100000000",
        "Attends..........",
        "",
    ],
)
def test_emphasis_numbers_and_dots_are_not_degenerate(text: str) -> None:
    assert not is_degenerate(text)


def test_an_empty_output_is_degenerate_only_where_words_were_expected() -> None:
    score = degenerate_rate(["", "", "oui", "..."], [["oui"], ["..."], ["oui"], ["oui"]])
    assert score.per_sentence == [100, 0, 0, 100]
    assert score.value == 50
    assert score.higher_is_better is False


def test_a_phrase_that_only_moved_is_one_edit() -> None:
    score = ter(["la table rouge porte le chat"], [["le chat la table rouge porte"]])
    assert score.value == pytest.approx(100 / 6)
    assert score.higher_is_better is False


def test_english_and_made_up_words_are_not_french_and_numbers_are_no_words() -> None:
    score = french_share(["L'amour of the chien", "blorvigu", "1,5 100 !", "sur la table"], [["a"]] * 4)
    assert score.per_sentence is not None
    np.testing.assert_array_equal(score.per_sentence, [60, 0, math.nan, 100])
    assert score.count == 3
    assert score.value == pytest.approx(100 * 6 / 9)


@pytest.mark.parametrize("word", ["c'", "d'", "six", "on", "table", "\u00e9t\u00e9", "soeur"])
def test_words_that_french_shares_with_english_are_french(word: str) -> None:
    assert is_french(word)


def test_length_is_compared_with_the_closest_reference() -> None:
    score = length_ratio(["un deux trois", "un"], [["un", "un deux trois quatre"], ["un deux"]])
    assert score.value == pytest.approx(100 * 4 / 6)
    assert score.higher_is_better is None


# --- the registry


def test_every_registered_metric_is_perfect_on_its_own_references() -> None:
    hypotheses = [rs[0] for rs in corpus(4)[1]]
    for name, metric in METRICS.items():
        score = metric(hypotheses, [[h] for h in hypotheses])
        assert score.name == name
        assert score.value == pytest.approx(0 if name in ("degenerate_rate", "ter") else 100)
        assert score.count == len(hypotheses)
        assert score.per_sentence is not None
        assert len(score.per_sentence) == len(score.sums) == len(hypotheses)
        stored = json.loads(json.dumps(score.to_dict(sentences=True), allow_nan=False))
        assert stored["signature"].endswith(f"norm:{TYPOGRAPHY.version}")


@pytest.mark.parametrize("name", list(METRICS))
def test_inputs_that_do_not_fit_are_refused(name: str) -> None:
    metric = METRICS[name]
    with pytest.raises(CodeUnlearnError, match="one list of references per hypothesis"):
        metric(["a", "b"], [["a"]])
    with pytest.raises(CodeUnlearnError, match="at least one sentence"):
        metric([], [])
    with pytest.raises(CodeUnlearnError, match="a list of references"):
        metric(["a"], ["a"])
    with pytest.raises(CodeUnlearnError, match="a list of references"):
        metric(["a"], [[]])
