"""METEOR for French, without Java and without a download.

METEOR 1.5 (Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any Target
Language", WMT 2014) with its French parameters and two of its matchers: exact words and Snowball French
stems. The paraphrase matcher needs a table that is not distributed with Python packages; leaving it out is
what the reference program does with `-l fr -m "exact stem"`. nltk's METEOR is another metric: English Porter
stems, English WordNet synonyms, the parameters of 2007.

A sentence pair is reduced to a row of sums (`COLUMNS`); scores of sentences, corpora and bootstrap samples
are all computed from such sums by `score_from_sums`, as the reference program aggregates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from wordfreq import top_n_list, word_frequency

from codeunlearn.corpus.languages.french import FRENCH
from codeunlearn.evaluation.bootstrap import Floats, SentenceSums
from codeunlearn.evaluation.metrics.base import METRICS, References, Score, check_texts, on_answers, reference_count

COLUMNS = (
    "hypothesis_length",
    "reference_length",
    "hypothesis_matched",
    "reference_matched",
    "matches",
    "chunks",
)
"""Columns of the sums: the first four weighted by `delta` and the matchers' weights, the last two counts."""

FUNCTION_WORD_FREQUENCY = 1e-3
"""METEOR 1.5 calls a word a function word when its relative frequency in a large corpus exceeds this."""

_BEAM = 40


@dataclass(frozen=True)
class MeteorParameters:
    """METEOR's parameters; the defaults are those of METEOR 1.5 for French.

    Attributes:
        alpha: Weight of recall against precision in the harmonic mean (1 is recall only).
        beta: Exponent of the fragmentation penalty.
        gamma: Largest fragmentation penalty.
        delta: Weight of a content word; a function word or punctuation mark weighs `1 - delta`.
        exact: Credit of two equal words.
        stem: Credit of two words that only share their stem.
    """

    alpha: float = 0.9
    beta: float = 1.4
    gamma: float = 0.6
    delta: float = 0.65
    exact: float = 1.0
    stem: float = 0.2

    @property
    def signature(self) -> str:
        """The parameters as one word of a metric signature."""
        numbers = "/".join(f"{value:g}" for value in (self.alpha, self.beta, self.gamma, self.delta))
        return f"{numbers}|match:exact={self.exact:g},stem={self.stem:g}"


METEOR_15 = MeteorParameters()


class Match(NamedTuple):
    """Word `hypothesis` of one sentence is aligned with word `reference` of the other (positions from 0)."""

    hypothesis: int
    reference: int
    exact: bool


class _Partial(NamedTuple):
    """A partial alignment of the words read so far; the four first fields sort the best to the front."""

    unmatched: int
    inexact: int
    chunks: int
    distance: int
    used: int
    last: int
    matches: tuple[Match, ...]


@cache
def function_words() -> frozenset[str]:
    """French words with a relative frequency above `FUNCTION_WORD_FREQUENCY`, by wordfreq.

    Elided words come without their apostrophe. `top_n_list` is cut at 500 words, five times as many as pass.
    """
    return frozenset(w for w in top_n_list("fr", 500) if word_frequency(w, "fr") > FUNCTION_WORD_FREQUENCY)


def is_function_word(token: str) -> bool:
    """Whether a token of `tokens` weighs as a function word: a frequent word or a punctuation mark."""
    return not token[0].isalnum() or token.rstrip("'") in function_words()


def align(hypothesis: Sequence[str], reference: Sequence[str]) -> tuple[Match, ...]:
    """The one-to-one word alignment that METEOR scores.

    Among all alignments it covers the most words, then has the most exact matches (the reference program
    counts them twice as much as matches of stems), then the fewest chunks, then the smallest sum of distances
    between the positions of matched words. Found by a beam search over the words of the hypothesis, exact
    whenever fewer than 41 partial alignments are open at every word.
    """
    candidates = _candidates(hypothesis, reference)
    rivals = [0] * len(reference)
    for options in candidates:
        for match in options:
            rivals[match.reference] += 1
    beam = [_Partial(0, 0, 0, 0, 0, -2, ())]
    for options in candidates:
        certain = len(options) == 1 and rivals[options[0].reference] == 1
        extended = [new for partial in beam for new in _extensions(partial, options, certain)]
        beam = _best(extended)
    return beam[0].matches


def _candidates(hypothesis: Sequence[str], reference: Sequence[str]) -> list[list[Match]]:
    """For every word of the hypothesis, its possible matches."""
    reference_stems = [FRENCH.stem(word) for word in reference]
    found: list[list[Match]] = []
    for i, word in enumerate(hypothesis):
        stem = FRENCH.stem(word)
        found.append(
            [
                Match(i, j, word == other)
                for j, other in enumerate(reference)
                if word == other or stem == reference_stems[j]
            ]
        )
    return found


def _extensions(partial: _Partial, options: list[Match], certain: bool) -> list[_Partial]:
    """`partial` after one more word of the hypothesis: matched in every possible way, and left unmatched."""
    extended: list[_Partial] = []
    for match in options:
        bit = 1 << match.reference
        if partial.used & bit:
            continue
        extended.append(
            _Partial(
                partial.unmatched,
                partial.inexact + (not match.exact),
                partial.chunks + (match.reference != partial.last + 1),
                partial.distance + abs(match.hypothesis - match.reference),
                partial.used | bit,
                match.reference,
                (*partial.matches, match),
            )
        )
    if not certain:
        extended.append(partial._replace(unmatched=partial.unmatched + 1, last=-2))
    return extended


def _best(partials: list[_Partial]) -> list[_Partial]:
    """The best `_BEAM` of `partials`, one of those with the same used words and open chunk: one future."""
    kept: dict[tuple[int, int], _Partial] = {}
    for one in sorted(partials, key=lambda p: p[:4]):
        kept.setdefault((one.used, one.last), one)
        if len(kept) == _BEAM:
            break
    return list(kept.values())


def sums(hypothesis: str, reference: str, parameters: MeteorParameters = METEOR_15) -> Floats:
    """The row of `COLUMNS` for one hypothesis and one reference; shape [6].

    A pair aligned completely and in order counts no chunk, so that it is not punished for being one.
    """
    h, r = FRENCH.typography.tokens(hypothesis), FRENCH.typography.tokens(reference)
    weight = {word: 1 - parameters.delta if is_function_word(word) else parameters.delta for word in {*h, *r}}
    matches = align(h, r)
    credit = [parameters.exact if match.exact else parameters.stem for match in matches]
    chunks = _chunks(matches)
    complete = chunks == 1 and len(matches) == len(h) == len(r)
    return np.array(
        [
            sum(weight[word] for word in h),
            sum(weight[word] for word in r),
            sum(c * weight[h[match.hypothesis]] for c, match in zip(credit, matches, strict=True)),
            sum(c * weight[r[match.reference]] for c, match in zip(credit, matches, strict=True)),
            len(matches),
            0 if complete else chunks,
        ],
        dtype=np.float64,
    )


def best_sums(hypothesis: str, references: Sequence[str], parameters: MeteorParameters = METEOR_15) -> Floats:
    """`sums` against the reference that scores highest (the first of equals); shape [6]."""
    rows = np.stack([sums(hypothesis, reference, parameters) for reference in references])
    return rows[int(np.argmax(score_from_sums(rows, parameters)))]


def _chunks(matches: Sequence[Match]) -> int:
    """Runs of matches that are contiguous and in the same order on both sides."""
    joined = sum(
        after.hypothesis == before.hypothesis + 1 and after.reference == before.reference + 1
        for before, after in pairwise(matches)
    )
    return len(matches) - joined


def score_from_sums(rows: Floats, parameters: MeteorParameters = METEOR_15) -> Floats:
    """METEOR in [0, 100] from (sums of) rows of `COLUMNS`; [..., 6] -> [...].

    Precision and recall are matched over total weight, F = P R / (alpha P + (1 - alpha) R), and the penalty
    is gamma (chunks / matches)^beta. Without a match the score is 0.
    """
    h_length, r_length, h_matched, r_matched, matches, chunks = np.moveaxis(rows, -1, 0)
    precision = _divide(h_matched, h_length)
    recall = _divide(r_matched, r_length)
    mean = _divide(precision * recall, parameters.alpha * precision + (1 - parameters.alpha) * recall)
    penalty = parameters.gamma * _divide(chunks, matches) ** parameters.beta
    return 100 * mean * (1 - penalty)


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """Element-wise quotient, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def meteor_fr(
    hypotheses: Sequence[str],
    references: References,
    /,
    *,
    parameters: MeteorParameters = METEOR_15,
) -> Score:
    """METEOR 1.5 for French with exact and stem matches, best reference per sentence."""
    check_texts(hypotheses, references)
    rows = np.stack([best_sums(h, r, parameters) for h, r in zip(hypotheses, references, strict=True)])
    sums = SentenceSums(rows, partial(score_from_sums, parameters=parameters))
    signature = (
        f"nrefs:{reference_count(references)}|params:{parameters.signature}|stemmer:nltk-{version('nltk')}-french"
        f"|function:wordfreq-{version('wordfreq')}>{FUNCTION_WORD_FREQUENCY:g}|norm:{FRENCH.typography.version}"
    )
    return Score("meteor_fr", sums.value, signature, len(sums), sums.per_sentence, sums, empty_is_worst=True)


METRICS.register("meteor_fr")(on_answers(meteor_fr, "french"))
