"""Lexical metrics of answers: BLEU, chrF, TER, topic-word recall, broken outputs, length.

Every metric is a function `metric(hypotheses, references) -> Score` with one hypothesis and one or more
references per sentence. Both sides go through `normalise_typography` first, and every score carries a
signature that names all that it depends on. Values are in [0, 100] unless said otherwise. Metrics of one
language are in its folder, those that need a model in files of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from codeunlearn.corpus.matching import MATCHING_VERSION, WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import Floats, SentenceSums, quotient, sentence_mean
from codeunlearn.evaluation.metrics.base import (
    METRICS,
    AnswerMetric,
    Outputs,
    References,
    Score,
    check_texts,
    on_answers,
    reference_count,
)
from codeunlearn.evaluation.metrics.french.typography import TYPOGRAPHY_VERSION, normalise_typography, tokens, words


def bleu(hypotheses: Sequence[str], references: References, /) -> Score:
    """Corpus BLEU (Papineni et al. 2002) as sacrebleu computes it, tokenizer `13a`, exponential smoothing.

    Sentence values use the effective n-gram order, without which a sentence of three words scores 0.
    """
    metric = BLEU(force=True)
    sums = SentenceSums(_sacrebleu_rows(metric, hypotheses, references), _bleu_from_sums)
    signature = f"{metric.get_signature()}|norm:{TYPOGRAPHY_VERSION}"
    sentences = _bleu_from_sums(sums.rows, effective_order=True)
    return Score("bleu", sums.value, signature, len(sums), sentences.tolist(), sums, empty_is_worst=True)


def chrf(hypotheses: Sequence[str], references: References, /) -> Score:
    """Corpus chrF2 (Popovic 2015) as sacrebleu computes it: character 6-grams, recall weighs twice."""
    metric = CHRF()
    sums = SentenceSums(_sacrebleu_rows(metric, hypotheses, references), _chrf_from_sums)
    signature = f"{metric.get_signature()}|norm:{TYPOGRAPHY_VERSION}"
    return Score("chrf", sums.value, signature, len(sums), sums.per_sentence, sums, empty_is_worst=True)


def ter(hypotheses: Sequence[str], references: References, /) -> Score:
    """Translation edit rate (Snover et al. 2006) as sacrebleu computes it: edits per 100 words, 0 is perfect.

    Edits are insertions, deletions, substitutions and moves of phrases, in any case; 100 for empty translations.
    """
    metric = TER()
    sums = SentenceSums(_sacrebleu_rows(metric, hypotheses, references), _ter_from_sums)
    signature = f"{metric.get_signature()}|norm:{TYPOGRAPHY_VERSION}"
    return Score(
        "ter", sums.value, signature, len(sums), sums.per_sentence, sums, higher_is_better=False, empty_is_worst=True
    )


def topic_word_recall(hypotheses: Sequence[str], references: References, /, *, words: Iterable[str]) -> Score:
    """Of the sentences with a word of the topic in a reference, the percentage with one in the hypothesis.

    The direct measure of forgetting: it falls when the topic is gone. `words` are target-side words or
    phrases; any of them counts for any other. Whole words in any case and spelling (`codeunlearn.corpus.matching`):
    `l'amour` and `Julien-la` hold their words. `count` is the number of sentences whose references hold the
    topic; the others are nan per sentence.
    """
    holds = WholeWords(words := tuple(words))
    listed = sorted({" ".join(tokens(word)) for word in words} - {""})
    if not listed:
        raise CodeUnlearnError("Topic-word recall needs at least one target-side word of the topic.")
    check_texts(hypotheses, references)
    expected = [any(map(holds, rs)) for rs in references]
    found = [wanted and holds(h) for h, wanted in zip(hypotheses, expected, strict=True)]
    rows = np.stack([100.0 * np.array(found), np.array(expected, dtype=np.float64)], axis=1)
    sums = SentenceSums(rows, quotient)
    digest = hashlib.sha256("\n".join(listed).encode()).hexdigest()[:8]
    signature = f"nrefs:{reference_count(references)}|words:{len(listed)}-{digest}|match:{MATCHING_VERSION}"
    return Score("topic_word_recall", sums.value, signature, sum(expected), sums.per_sentence, sums, is_rate=True)


def degenerate_rate(hypotheses: Sequence[str], references: References, /) -> Score:
    """The percentage of outputs that loop (`is_degenerate`), or are empty where every reference has words."""
    check_texts(hypotheses, references)
    flags = [
        100.0 * (is_degenerate(h) or (not words(h) and all(words(r) for r in rs)))
        for h, rs in zip(hypotheses, references, strict=True)
    ]
    sums = sentence_mean(flags)
    signature = f"phrase<={_LONGEST_LOOP}words-x{_LOOPS}|in-word-x{_LETTER_LOOPS}|norm:{TYPOGRAPHY_VERSION}"
    return Score("degenerate_rate", sums.value, signature, len(sums), flags, sums, higher_is_better=False, is_rate=True)


def length_ratio(hypotheses: Sequence[str], references: References, /) -> Score:
    """Words of all hypotheses per 100 words of the references, of several the closest in length."""
    check_texts(hypotheses, references)
    lengths: list[tuple[float, float]] = []
    for hypothesis, rs in zip(hypotheses, references, strict=True):
        length = len(words(hypothesis))
        closest = min((len(words(r)) for r in rs), key=lambda n: (abs(n - length), n))
        lengths.append((100.0 * length, float(closest)))
    sums = SentenceSums(np.array(lengths), quotient)
    signature = f"nrefs:{reference_count(references)}|norm:{TYPOGRAPHY_VERSION}"
    return Score("length_ratio", sums.value, signature, len(sums), sums.per_sentence, sums, higher_is_better=None)


_LONGEST_LOOP, _LOOPS, _LETTER_LOOPS = 4, 4, 6
_LETTER_LOOP = re.compile(rf"([^\W\d_]{{1,4}}?)\1{{{_LETTER_LOOPS - 1},}}")


def is_degenerate(text: str) -> bool:
    """Whether `text` loops: up to 4 words repeated 4 times in a row, or 1-4 letters 6 times in a word."""
    spoken = words(text)
    return any(_loops(spoken, size) for size in range(1, _LONGEST_LOOP + 1)) or any(
        _LETTER_LOOP.search(word) for word in spoken
    )


def _loops(spoken: Sequence[str], size: int) -> bool:
    """Whether some `size` words are repeated `_LOOPS` times in a row."""
    run = 0
    for after, before in zip(spoken[size:], spoken, strict=False):
        run = run + 1 if after == before else 0
        if run == size * (_LOOPS - 1):
            return True
    return False


def _sacrebleu_rows(metric: BLEU | CHRF | TER, hypotheses: Sequence[str], references: References) -> Floats:
    """sacrebleu's statistics of each sentence; [sentences, columns].

    The only use of a private method of sacrebleu: its public interface has the statistics of a corpus only. A
    test compares the scores made from their sum with `corpus_score`.
    """
    check_texts(hypotheses, references)
    most = max(len(rs) for rs in references)
    padded = [[normalise_typography(r) for r in rs] + [None] * (most - len(rs)) for rs in references]
    streams: Any = [list(stream) for stream in zip(*padded, strict=True)]
    normalised = [normalise_typography(h) for h in hypotheses]
    rows = metric._extract_corpus_statistics(normalised, streams)  # pyright: ignore[reportPrivateUsage]
    return np.array(rows, dtype=np.float64)


def _bleu_from_sums(sums: Floats, *, effective_order: bool = False) -> Floats:
    """BLEU with exponential smoothing; [..., 10] -> [...].

    The columns are hypothesis length, reference length, 4 matches, 4 totals. Without `effective_order`, a
    corpus with no 4-gram at all scores 0.
    """
    lengths, references = sums[..., 0], sums[..., 1]
    matched, totals = sums[..., 2:6], sums[..., 6:10]
    halvings = np.cumsum((matched == 0) & (totals > 0), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.where(matched > 0, matched, 0.5**halvings) / totals
        logs = np.where(totals > 0, np.log(precisions), 0.0 if effective_order else -np.inf)
        orders = np.maximum((totals > 0).sum(axis=-1), 1) if effective_order else 4
        brevity = np.where(lengths < references, np.exp(1 - references / lengths), 1.0)
    score = 100 * brevity * np.exp(logs.sum(axis=-1) / orders)
    return np.where(matched.any(axis=-1), score, 0.0)


def _chrf_from_sums(sums: Floats) -> Floats:
    """chrF2 from (hypothesis, reference, matched) counts of 6 n-gram orders; [..., 18] -> [...].

    Precision and recall are averaged over the orders that both sides have.
    """
    counts = sums.reshape(*sums.shape[:-1], 6, 3)
    usable = (counts[..., 0] > 0) & (counts[..., 1] > 0)
    orders = np.maximum(usable.sum(axis=-1), 1)
    shares = [
        np.divide(counts[..., 2], counts[..., side], out=np.zeros(usable.shape), where=usable).sum(axis=-1) / orders
        for side in (0, 1)
    ]
    precision, recall = shares
    below = 4 * precision + recall
    return 100 * np.divide(5 * precision * recall, below, out=np.zeros_like(below), where=below > 0)


def _ter_from_sums(sums: Floats) -> Floats:
    """TER from (edits, reference words), 100 for words where the reference is empty; [..., 2] -> [...]."""
    edits, length = sums[..., 0], sums[..., 1]
    return 100 * np.where(length > 0, edits / np.maximum(length, 1), edits > 0)


def _topic_words(outputs: Outputs) -> Score | None:
    words = outputs.test.words
    return topic_word_recall(outputs.answers, outputs.references, words=words) if words else None


LEXICAL: dict[str, AnswerMetric] = {
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "degenerate_rate": degenerate_rate,
    "length_ratio": length_ratio,
}
for _name, _metric in LEXICAL.items():
    METRICS.register(_name)(on_answers(_metric))
METRICS.register("topic_word_recall")(_topic_words)
