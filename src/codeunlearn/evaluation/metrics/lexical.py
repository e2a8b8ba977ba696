"""Lexical metrics of answers: BLEU, chrF, TER, topic-word recall, broken outputs, length.

Every metric is a function `metric(hypotheses, references) -> Score` with one hypothesis and one or more
references per sentence. Both sides are normalised in the typography of their language first, and every score carries a
signature that names all that it depends on. Values are in [0, 100] unless said otherwise. Metrics of one
language are in its folder, those that need a model in files of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from codeunlearn.corpus.languages.typography import Typography
from codeunlearn.corpus.matching import MATCHING_VERSION, WholeWords
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import Floats, SentenceSums, quotient, sentence_mean
from codeunlearn.evaluation.metrics.base import (
    METRICS,
    TRANSLATIONS,
    Metric,
    Outputs,
    References,
    Score,
    TextMetric,
    check_texts,
    on_texts,
    reference_count,
)


def bleu(hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS) -> Score:
    """Corpus BLEU (Papineni et al. 2002) as sacrebleu computes it, tokenizer `13a`, exponential smoothing.

    Sentence values use the effective n-gram order, without which a sentence of three words scores 0.
    """
    metric = BLEU(force=True)
    sums = SentenceSums(_sacrebleu_rows(metric, hypotheses, references, typography), _bleu_from_sums)
    signature = f"{metric.get_signature()}|norm:{typography.version}"
    sentences = _bleu_from_sums(sums.rows, effective_order=True)
    return Score("bleu", sums.value, signature, len(sums), sentences.tolist(), sums, empty_is_worst=True)


def chrf(hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS) -> Score:
    """Corpus chrF2 (Popovic 2015) as sacrebleu computes it: character 6-grams, recall weighs twice."""
    metric = CHRF()
    sums = SentenceSums(_sacrebleu_rows(metric, hypotheses, references, typography), _chrf_from_sums)
    signature = f"{metric.get_signature()}|norm:{typography.version}"
    return Score("chrf", sums.value, signature, len(sums), sums.per_sentence, sums, empty_is_worst=True)


def ter(hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS) -> Score:
    """Translation edit rate (Snover et al. 2006) as sacrebleu computes it: edits per 100 words, 0 is perfect.

    Edits are insertions, deletions, substitutions and moves of phrases, in any case; 100 for empty translations.
    """
    metric = TER()
    sums = SentenceSums(_sacrebleu_rows(metric, hypotheses, references, typography), _ter_from_sums)
    signature = f"{metric.get_signature()}|norm:{typography.version}"
    return Score(
        "ter", sums.value, signature, len(sums), sums.per_sentence, sums, higher_is_better=False, empty_is_worst=True
    )


def topic_word_recall(
    hypotheses: Sequence[str],
    references: References,
    /,
    *,
    words: Iterable[str],
    typography: Typography = TRANSLATIONS,
) -> Score:
    """Of the sentences with a word of the topic in a reference, the percentage with one in the hypothesis.

    The direct measure of forgetting: it falls when the topic is gone. `words` are target-side words or
    phrases; any of them counts for any other. Whole words in any case and spelling (`codeunlearn.corpus.matching`):
    `l'amour` and `Julien-la` hold their words. `count` is the number of sentences whose references hold the
    topic; the others are nan per sentence.
    """
    holds = WholeWords(words := tuple(words))
    listed = sorted({" ".join(typography.tokens(word)) for word in words} - {""})
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


def degenerate_rate(
    hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS
) -> Score:
    """The percentage of outputs that loop (`is_degenerate`), or are empty where every reference has words."""
    check_texts(hypotheses, references)
    flags = [
        100.0 * (is_degenerate(h, typography) or (not typography.words(h) and all(map(typography.words, rs))))
        for h, rs in zip(hypotheses, references, strict=True)
    ]
    sums = sentence_mean(flags)
    signature = f"phrase<={_LONGEST_LOOP}words-x{_LOOPS}|in-word-x{_LETTER_LOOPS}|norm:{typography.version}"
    return Score("degenerate_rate", sums.value, signature, len(sums), flags, sums, higher_is_better=False, is_rate=True)


def length_ratio(
    hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS
) -> Score:
    """Words of all hypotheses per 100 words of the references, of several the closest in length."""
    check_texts(hypotheses, references)
    lengths: list[tuple[float, float]] = []
    for hypothesis, rs in zip(hypotheses, references, strict=True):
        length = len(typography.words(hypothesis))
        closest = min((len(typography.words(r)) for r in rs), key=lambda n: (abs(n - length), n))
        lengths.append((100.0 * length, float(closest)))
    sums = SentenceSums(np.array(lengths), quotient)
    signature = f"nrefs:{reference_count(references)}|norm:{typography.version}"
    return Score("length_ratio", sums.value, signature, len(sums), sums.per_sentence, sums, higher_is_better=None)


_LONGEST_LOOP, _LOOPS, _LETTER_LOOPS = 4, 4, 6
_LETTER_LOOP = re.compile(rf"([^\W\d_]{{1,4}}?)\1{{{_LETTER_LOOPS - 1},}}")


def is_degenerate(text: str, typography: Typography = TRANSLATIONS) -> bool:
    """Whether `text` loops: up to 4 words repeated 4 times in a row, or 1-4 letters 6 times in a word."""
    spoken = typography.words(text)
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


def _sacrebleu_rows(
    metric: BLEU | CHRF | TER, hypotheses: Sequence[str], references: References, typography: Typography
) -> Floats:
    """sacrebleu's statistics of each sentence; [sentences, columns].

    The only use of a private method of sacrebleu: its public interface has the statistics of a corpus only. A
    test compares the scores made from their sum with `corpus_score`.
    """
    check_texts(hypotheses, references)
    most = max(len(rs) for rs in references)
    padded = [[typography.normalise(r) for r in rs] + [None] * (most - len(rs)) for rs in references]
    streams: Any = [list(stream) for stream in zip(*padded, strict=True)]
    normalised = [typography.normalise(h) for h in hypotheses]
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


def _of_sentences(metric: Metric) -> Metric:
    """Does not apply where the answer is the name of a class."""
    return lambda outputs: None if outputs.task.name == "classification" else metric(outputs)


def _topic_words(outputs: Outputs) -> Score | None:
    if not outputs.test.words:
        return None
    return on_texts(partial(topic_word_recall, words=outputs.test.words))(outputs)


LEXICAL: dict[str, TextMetric] = {
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "degenerate_rate": degenerate_rate,
    "length_ratio": length_ratio,
}
for _name, _metric in LEXICAL.items():
    METRICS.register(_name)(_of_sentences(on_texts(_metric)))
METRICS.register("topic_word_recall")(_topic_words)
