"""METEOR for French: the alignment is the best there is, the score is the one of the definition."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from codeunlearn.evaluation.metrics.french.meteor import (
    METEOR_15,
    MeteorParameters,
    align,
    best_sums,
    function_words,
    score_from_sums,
    sums,
)


def score(hypothesis: str, *references: str, parameters: MeteorParameters = METEOR_15) -> float:
    return float(score_from_sums(best_sums(hypothesis, references, parameters), parameters))


def quality(matches: list[tuple[int, int]]) -> tuple[int, int, int]:
    """What an alignment is chosen by: words covered, then chunks, then distance (larger is better)."""
    joined = sum((i - 1, j - 1) in matches for i, j in matches)
    return len(matches), joined - len(matches), -sum(abs(i - j) for i, j in matches)


def best_quality(hypothesis: list[str], reference: list[str]) -> tuple[int, int, int]:
    """The best over all alignments of equal words, by trying each one."""
    choices = [[None, *[j for j, r in enumerate(reference) if r == h]] for h in hypothesis]
    best = (0, 0, 0)
    for chosen in itertools.product(*choices):
        used = [j for j in chosen if j is not None]
        if len(used) == len(set(used)):
            best = max(best, quality([(i, j) for i, j in enumerate(chosen) if j is not None]))
    return best


def test_a_sentence_scores_100_against_itself_however_short() -> None:
    assert score("oui", "oui") == 100
    assert score("Le chat noir dort.", "le chat noir dort .") == pytest.approx(100)


def test_nothing_in_common_or_nothing_at_all_scores_0() -> None:
    assert score("chien", "maison") == 0
    assert score("", "maison") == 0
    assert score("chien", "") == 0


def test_inflections_match_by_their_french_stem_for_part_of_the_credit() -> None:
    # il is exact, the others match by stem; il and les are function words; complete and in order: no penalty.
    # weights .35 .65 .35 .65 .65 -> (.35 + .2 (.65 + .35 + .65 + .65)) / 2.65
    assert score("Il aima les chevaux blancs", "Il aimait le cheval blanc") == pytest.approx(100 * 0.81 / 2.65)


def test_the_defaults_are_those_of_the_reference_program_for_french() -> None:
    # What the METEOR 1.5 jar prints for `-l fr -m "exact stem"` (benchmarks/meteor_jar.py).
    assert MeteorParameters(alpha=0.9, beta=1.4, gamma=0.6, delta=0.65, exact=1.0, stem=0.2) == METEOR_15


def test_an_incomplete_match_is_punished_for_its_chunks() -> None:
    # One content word of three: precision 1, recall 1/3, penalty .6 (1 chunk / 1 match).
    f = (1 / 3) / (0.9 + 0.1 / 3)
    assert score("chien", "grand chien noir") == pytest.approx(100 * f * (1 - 0.6))


def test_two_complete_halves_in_the_wrong_order_lose_only_the_penalty() -> None:
    expected = 100 * (1 - 0.6 * (2 / 4) ** 1.4)
    assert score("chien noir chat blanc", "chat blanc chien noir") == pytest.approx(expected)


def test_content_words_weigh_more_than_function_words_and_punctuation() -> None:
    reference = "le chien, la maison"
    assert score("chien maison", reference) > score("le la ,", reference)
    assert {"le", "de", "et", "l"} <= function_words()
    assert not {"chien", "maison", "aimer"} & function_words()


def test_parameters_enter_as_defined() -> None:
    plain = MeteorParameters(alpha=0.5, beta=1, gamma=0.5, delta=0.5, stem=0.0)
    # 2 of 2 and 2 of 4 words in two chunks: F1 = 2/3, penalty .5 * 2/2.
    assert score("chien maison", "chien noir maison blanche", parameters=plain) == pytest.approx(100 / 3)


def test_the_best_of_several_references_counts() -> None:
    assert score("le chat dort", "un chien court", "le chat dort") == 100


def test_elision_and_typography_do_not_count() -> None:
    assert score("L\u2019amour d\u2019un \u00ab fou \u00bb\u00a0!", "l'amour d'un \"fou\" !") == pytest.approx(100)
    assert score("l'amour", "amour") > 0


def test_the_alignment_is_the_best_of_all_alignments() -> None:
    draw = random.Random(0)
    words = ["chien", "maison", "rouge", "table"]
    for _ in range(150):
        hypothesis = draw.choices(words, k=draw.randint(1, 6))
        reference = draw.choices(words, k=draw.randint(1, 6))
        found = [(match.hypothesis, match.reference) for match in align(hypothesis, reference)]
        assert quality(found) == best_quality(hypothesis, reference), (hypothesis, reference)


def test_covering_a_word_comes_before_saving_a_chunk() -> None:
    # Leaving the last "de" unmatched would make one chunk.
    assert len(align(["de", "table", "rouge", "de"], ["de", "de", "table", "rouge"])) == 4


def test_an_exact_match_comes_before_one_of_stems_that_saves_a_chunk_or_is_nearer() -> None:
    # le and les share their stem. Matched in order, the words would be one chunk.
    found = align(["les", "chats", "et", "le", "chien"], ["le", "chats", "et", "les", "chien"])
    assert [match.reference for match in found] == [3, 1, 2, 0, 4]
    assert all(match.exact for match in found)


def test_no_word_is_used_twice() -> None:
    matches = align(["chien", "chien", "chien"], ["chien", "chat", "chien"])
    assert sorted(match.reference for match in matches) == [0, 2]


def test_a_corpus_is_scored_by_its_summed_counts() -> None:
    pairs = [("chien", "grand chien noir"), ("le chat dort", "le chat dort"), ("table", "rouge")]
    rows = np.stack([sums(h, r) for h, r in pairs])
    content, function = 0.65, 0.35
    precision = (content + 2 * content + function) / (content + 2 * content + function + content)
    recall = (content + 2 * content + function) / (3 * content + 2 * content + function + content)
    f = precision * recall / (0.9 * precision + 0.1 * recall)
    # One chunk of four matches: the complete second sentence counts none.
    expected = 100 * f * (1 - 0.6 * (1 / 4) ** 1.4)
    assert float(score_from_sums(rows.sum(axis=0))) == pytest.approx(expected)


def test_long_repetitive_sentences_do_not_explode() -> None:
    noise = " ".join(["de la", "et le"] * 15)
    assert 0 < score(noise, noise + " fin") <= 100
