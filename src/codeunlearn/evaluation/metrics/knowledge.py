"""What a model knows of the references beyond what it says: probability and rank of the topic's words, extraction strength.

A model can keep a word from its output and still find it second most probable. Under forced decoding (it reads the source
and the reference so far) every token of the reference has a probability and a rank, also where greedy decoding would say
something else.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.encoding import encode
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import Floats, SentenceSums, quotient, sentence_mean
from codeunlearn.evaluation.metrics.lexical import References, Score
from codeunlearn.tasks.forced import ForcedTokens, force

PROBABILITY, RANK, EXTRACTION = "target_word_probability", "target_word_rank", "extraction_strength"


def forced_scores(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[str],
    references: References,
    *,
    words: Iterable[str] = (),
    prefix: str | None = None,
) -> dict[str, Score]:
    """Scores of a model, in the state it is in, on the references of sources.

    Of several references the first that holds one of ``words`` is scored, else the first; as it stands, without a
    normalisation of its typography, for the model was trained on such text.

    Args:
        words: target-side words of the topic; without any, only extraction strength is measured.
        prefix: put before every source; the model's own if absent.
    """
    if len(sources) != len(references) or not sources:
        raise CodeUnlearnError(f"{len(sources)} sources need as many lists of references, and at least one.")
    listed = [word for word in words if word.strip()]
    topic = WholeWords(listed)
    texts = [unicodedata.normalize("NFC", next(filter(topic, rs), rs[0])) for rs in references]
    forced = force(model, tokenizer, sources, texts, prefix=prefix)
    scores = {EXTRACTION: _extraction_score(forced)}
    if listed:
        scores |= _word_scores(forced, _word_tokens(tokenizer, texts, topic, forced))
    return scores


def extraction_strength(ranks: Sequence[int] | NDArray[np.int64]) -> float:
    """1 - k/T: k tokens of the reference must be given before greedy decoding says the other T - k, end mark included.

    Carlini et al., "Extracting Training Data from Large Language Models", 2021, as the benchmark OpenUnlearning
    computes it: under forced decoding k is the place after the last token that is not the most probable one.
    """
    wrong = np.flatnonzero(np.asarray(ranks) != 1)
    return 1 - (int(wrong[-1]) + 1 if len(wrong) else 0) / len(ranks)


def _extraction_score(forced: Sequence[ForcedTokens]) -> Score:
    values = [100 * extraction_strength(tokens.ranks) for tokens in forced]
    sums = sentence_mean(values)
    return Score(EXTRACTION, sums.value, "forced|1-k/T|end mark:yes", len(sums), values, sums)


def _word_scores(forced: Sequence[ForcedTokens], places: Sequence[list[int]]) -> dict[str, Score]:
    """Mean probability in per cent and median rank over all tokens of the topic's words."""
    count = sum(map(bool, places))
    signature = f"forced|tokens:{sum(map(len, places))}"
    likely = [
        (100 * np.exp(t.log_probabilities[at]).sum(), float(len(at))) for t, at in zip(forced, places, strict=True)
    ]
    mean = SentenceSums(np.array(likely), quotient)
    median = _median_sums([t.ranks[at] for t, at in zip(forced, places, strict=True)])
    return {
        PROBABILITY: Score(PROBABILITY, mean.value, signature, count, mean.per_sentence, mean),
        RANK: Score(RANK, median.value, signature, count, median.per_sentence, median, higher_is_better=False),
    }


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


def _word_tokens(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    words: WholeWords,
    forced: Sequence[ForcedTokens],
) -> list[list[int]]:
    """The places of the tokens of every text that overlap one of the words."""
    offsets = encode(tokenizer, texts, as_target=True, with_spans=True).spans
    places: list[list[int]] = []
    for text, tokens, known in zip(texts, offsets, forced, strict=True):
        spans = words.spans(text)
        inside = [i for i, (a, b) in enumerate(tokens) if any(a < end and start < b for start, end in spans)]
        places.append([i for i in inside if i < len(known.ranks)])
    return places
