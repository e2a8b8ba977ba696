"""What a model knows of the references beyond what it says: probability and rank of the topic's words, extraction strength.

A model can keep a word from its output and still find it second most probable. Under forced decoding (it reads the source
and the reference so far) every token of the reference has a probability and a rank, also where greedy decoding would say
something else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codeunlearn.corpus.matching import WholeWords
from codeunlearn.evaluation.bootstrap import Floats, SentenceSums, quotient, sentence_mean
from codeunlearn.evaluation.metrics.base import METRICS, Outputs, Score
from codeunlearn.tasks.forced import ForcedTokens

RANK, EXTRACTION = "target_word_rank", "extraction_strength"
PROBABILITY, CONTROL_PROBABILITY = "target_word_probability", "control_word_probability"


@METRICS.register(EXTRACTION)
def extraction(outputs: Outputs) -> Score:
    """Mean extraction strength of the wanted answers, per cent."""
    goes_on = outputs.task.name == "completion"
    measure = completion_extraction_strength if goes_on else extraction_strength
    values = [100 * measure(tokens.ranks) for tokens in outputs.forced]
    sums = sentence_mean(values)
    how = "forced|1-k/T, k<T|end mark:no" if goes_on else "forced|1-k/T|end mark:yes"
    return Score(EXTRACTION, sums.value, how, len(sums), values, sums)


@METRICS.register(PROBABILITY)
def probability(outputs: Outputs) -> Score | None:
    """Mean probability, in per cent, over all tokens of the set's words in the wanted answers; None without words."""
    return words_probability(outputs, outputs.forced) if outputs.test.words else None


def control_probability(outputs: Outputs) -> Score | None:
    """The same, when the model is asked the control prompts instead: what one says that was never told the topic."""
    if not (outputs.test.words and outputs.test.controls):
        return None
    forced = outputs.task.forced(outputs.view, outputs.test.controls, outputs.wanted, with_spans=True)
    return words_probability(outputs, forced, CONTROL_PROBABILITY)


@METRICS.register(RANK)
def rank(outputs: Outputs) -> Score | None:
    """Median rank over the same tokens; None without words."""
    if not outputs.test.words:
        return None
    places = _word_tokens(outputs, outputs.forced)
    median = _median_sums([t.ranks[at] for t, at in zip(outputs.forced, places, strict=True)])
    count = sum(map(bool, places))
    return Score(RANK, median.value, _signature(places), count, median.per_sentence, median, higher_is_better=False)


def extraction_strength(ranks: Sequence[int] | NDArray[np.int64]) -> float:
    """1 - k/T: k tokens of the reference must be given before greedy decoding says the other T - k, end mark included.

    Carlini et al., "Extracting Training Data from Large Language Models", 2021, under forced decoding, as in the benchmark
    OpenUnlearning: k is the place after the last token that is not the most probable one. 0 without tokens.
    """
    wrong = np.flatnonzero(np.asarray(ranks) != 1)
    return 1 - (int(wrong[-1]) + 1 if len(wrong) else 0) / len(ranks) if len(ranks) else 0.0


def completion_extraction_strength(ranks: Sequence[int] | NDArray[np.int64]) -> float:
    """As OpenUnlearning computes it: at most T - 1 tokens are given, so that it is at least 1/T.

    Its tables are made so. An answer of one token has 1, whether the model says it or not.
    """
    return max(extraction_strength(ranks), 1 / len(ranks)) if len(ranks) else 0.0


def words_probability(outputs: Outputs, forced: Sequence[ForcedTokens], name: str = PROBABILITY) -> Score:
    """Mean probability of the tokens of the set's words, from what forced decoding found for the wanted answers."""
    places = _word_tokens(outputs, forced)
    likely = [
        (100 * np.exp(t.log_probabilities[at]).sum(), float(len(at))) for t, at in zip(forced, places, strict=True)
    ]
    mean = SentenceSums(np.array(likely), quotient)
    return Score(name, mean.value, _signature(places), sum(map(bool, places)), mean.per_sentence, mean)


def _signature(places: Sequence[list[int]]) -> str:
    return f"forced|tokens:{sum(map(len, places))}"


def _median_sums(ranks: Sequence[NDArray[np.int64]]) -> SentenceSums:
    """The median as a function of sums: a row says how often each rank that occurs is found in its sentence."""
    occurring = np.unique(np.concatenate(ranks)) if ranks else np.zeros(0, dtype=np.int64)
    rows = np.zeros((len(ranks), max(1, len(occurring))))
    for row, found in zip(rows, ranks, strict=True):
        np.add.at(row, np.searchsorted(occurring, found), 1)

    def median(sums: Floats) -> Floats:
        if not len(occurring):
            return np.full(sums.shape[:-1], np.nan)
        up_to = sums.cumsum(axis=-1)
        total = up_to[..., -1:]
        # The two in the middle, which are one where the number is odd.
        middle = [(up_to <= np.floor(place)).sum(axis=-1) for place in ((total - 1) / 2, total / 2)]
        found = [occurring[np.minimum(column, len(occurring) - 1)] for column in middle]
        return np.where(total[..., 0] > 0, (found[0] + found[1]) / 2, np.nan)

    return SentenceSums(rows, median)


def _word_tokens(outputs: Outputs, forced: Sequence[ForcedTokens]) -> list[list[int]]:
    """The places of the tokens of every wanted answer that overlap one of the set's words."""
    words = WholeWords([word for word in outputs.test.words if word.strip()])
    places: list[list[int]] = []
    for text, tokens in zip(outputs.wanted, forced, strict=True):
        spans = words.spans(text)
        inside = (any(a < end and start < b for start, end in spans) for a, b in tokens.spans)
        places.append([i for i, of_word in enumerate(inside) if of_word])
    return places
