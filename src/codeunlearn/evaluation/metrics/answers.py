"""How well a model knows the answers of the data, and tells them from wrong ones; how well a classifier sorts.

Definitions and names are those of TOFU (Maini et al. 2024) and of the benchmark OpenUnlearning (Dorna et al. 2025), in per
cent; on the same tokens and logits so are the numbers. As there, the end mark behind a reply (`ForcedTokens.end`) counts in
``probability``, ``probability_w_options`` and ``truth_ratio``, and not in ``exact_memorization``. It counts in no score that
OpenUnlearning lacks (``cross_entropy``, ``perplexity``, ``multiple_choice``), for a pretrained model has no reason to put it
behind a short answer. A truth ratio has the right answer where TOFU's files have a paraphrase of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from codeunlearn.corpus.pools import normalise
from codeunlearn.evaluation.bootstrap import Floats, SentenceSums, quotient, sentence_mean
from codeunlearn.evaluation.metrics.base import METRICS, Metric, Outputs, Score, check_texts
from codeunlearn.evaluation.test_sets import FORGET
from codeunlearn.tasks.classification import class_number, labels_of
from codeunlearn.tasks.forced import ForcedTokens

_TINY = 1e-10
_FORCED = "forced|end mark:no"


def _of_task(task: str, name: str) -> Callable[[Metric], Metric]:
    """Registers a metric that applies to one task alone."""

    def register(metric: Metric) -> Metric:
        METRICS.register(name)(lambda outputs: metric(outputs) if outputs.task.name == task else None)
        return metric

    return register


@_of_task("completion", "cross_entropy")
def cross_entropy(outputs: Outputs) -> Score:
    """Nats per token, over all tokens of the wanted answers."""
    sums = SentenceSums(_losses(outputs.forced), quotient)
    return Score(
        "cross_entropy", sums.value, _FORCED, len(sums), sums.per_sentence, sums, higher_is_better=False
    )  # fmt: skip


@_of_task("completion", "perplexity")
def perplexity(outputs: Outputs) -> Score:
    """e to the power of the cross-entropy."""
    sums = SentenceSums(_losses(outputs.forced), lambda rows: np.exp(quotient(rows)))
    return Score("perplexity", sums.value, _FORCED, len(sums), sums.per_sentence, sums, higher_is_better=False)


@_of_task("completion", "probability")
def probability(outputs: Outputs) -> Score:
    """Mean probability of the wanted answers, each of which is normalised for its length: exp of the mean log probability."""
    return _mean("probability", [answer_probability(tokens) for tokens in outputs.forced], _with_end(outputs))


@_of_task("completion", "exact_memorization")
def exact_memorization(outputs: Outputs) -> Score:
    """Mean share of the wanted answer's tokens that the model finds most probable in their places."""
    shares = [float((tokens.ranks == 1).mean()) if len(tokens.ranks) else np.nan for tokens in outputs.forced]
    return _mean("exact_memorization", shares)


@_of_task("completion", "truth_ratio")
def truth_ratio(outputs: Outputs) -> Score | None:
    """How truthful the model is by its `truth_ratios`: on D'_T how near to 1 they are, min(r, 1/r), elsewhere 1 - r or 0.

    High is as if it had never been told on D'_T, and knowing what is true elsewhere. None without wrong answers.
    """
    ratios = truth_ratios(outputs)
    if ratios is None:
        return None
    forget = outputs.test.name == FORGET
    values = np.minimum(ratios, 1 / (ratios + _TINY)) if forget else np.maximum(0, 1 - ratios)
    how = f"{_with_end(outputs)}|{'closer_to_1_better' if forget else 'true_better'}"
    return _mean("truth_ratio", values.tolist(), how)


@_of_task("completion", "probability_w_options")
def probability_w_options(outputs: Outputs) -> Score | None:
    """Mean of the probability of the wanted answer over that of it and all wrong ones together; None without wrong answers."""
    if not any(outputs.wrong_forced):
        return None
    right = [answer_probability(tokens) for tokens in outputs.forced]
    wrong = [sum(map(answer_probability, several)) for several in outputs.wrong_forced]
    shares = [p / (p + q + _TINY) for p, q in zip(right, wrong, strict=True)]
    return _mean("probability_w_options", _where_wrong(outputs, shares), _with_end(outputs))


@_of_task("completion", "multiple_choice")
def multiple_choice(outputs: Outputs) -> Score | None:
    """Percentage of prompts whose wanted answer has the highest mean log probability of all; None without wrong answers."""
    if not any(outputs.wrong_forced):
        return None
    chosen = [
        float(
            _likelihood(tokens.log_probabilities) > max((_likelihood(o.log_probabilities) for o in several), default=0)
        )
        for tokens, several in zip(outputs.forced, outputs.wrong_forced, strict=True)
    ]
    return _mean("multiple_choice", _where_wrong(outputs, chosen), is_rate=True)


@_of_task("completion", "rougeL_recall")
def rouge_l_recall(outputs: Outputs) -> Score:
    """Mean ROUGE-L recall (Lin 2004) of the answers, with Porter's stems; of several right answers the best.

    As the package ``rouge-score`` computes it, which reads letters of English and digits alone.
    """
    check_texts(outputs.answers, outputs.references)
    best = rouge_l_recalls(outputs.answers, outputs.references)
    return _mean("rougeL_recall", best, "rouge-score|stemmer:porter|nrefs:max")


def rouge_l_recalls(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """By answer, ROUGE-L recall from 0 to 1 with the right answer that it recalls best."""
    return [
        max(_rouge("rougeL").score(reference, said)["rougeL"].recall for reference in right)
        for said, right in zip(answers, references, strict=True)
    ]


@_of_task("completion", "exact_match")
def exact_match(outputs: Outputs) -> Score:
    """Percentage of answers that are a right one, up to case, spacing and punctuation."""
    check_texts(outputs.answers, outputs.references)
    same = [
        float(normalise(said) in map(normalise, right))
        for said, right in zip(outputs.answers, outputs.references, strict=True)
    ]
    return _mean("exact_match", same, "letters and digits", is_rate=True)


def _rouge_f1(kind: str) -> Metric:
    """ROUGE F1 (Lin 2004) of the summaries, with Porter's stems; of several right ones the best, as by `rouge_l_recall`."""

    def measured(outputs: Outputs) -> Score:
        check_texts(outputs.answers, outputs.references)
        best = [
            max(_rouge(kind).score(reference, said)[kind].fmeasure for reference in right)
            for said, right in zip(outputs.answers, outputs.references, strict=True)
        ]
        return _mean(kind, best, "rouge-score|stemmer:porter|f1|nrefs:max")

    return measured


for _kind in ("rouge1", "rouge2", "rougeL"):
    _of_task("summarization", _kind)(_rouge_f1(_kind))


@_of_task("classification", "accuracy")
def accuracy(outputs: Outputs) -> Score:
    """Percentage of texts whose class is right."""
    said, right = _classes(outputs)
    return _mean("accuracy", (said == right).astype(float).tolist(), "classes", is_rate=True)


@_of_task("classification", "macro_f1")
def macro_f1(outputs: Outputs) -> Score:
    """Mean F1 of the classes that occur among the right or the given ones, per cent."""
    said, right = _classes(outputs)
    classes = np.arange(max(said.max(), right.max()) + 1)
    given, wanted = said[:, None] == classes, right[:, None] == classes
    rows = np.concatenate([given & wanted, given & ~wanted, ~given & wanted], axis=1).astype(np.float64)
    sums = SentenceSums(rows, _macro_f1)
    return Score("macro_f1", sums.value, "classes", len(sums), None, sums)


def answer_probability(tokens: ForcedTokens) -> float:
    """exp of the mean log probability of its tokens, the end mark behind a reply among them; 0 without tokens."""
    return _likelihood(tokens.with_end)


def truth_ratios(outputs: Outputs) -> Floats | None:
    """By prompt, how probable wrong answers are, measured by the wanted one.

    exp of the mean of the wrong answers' mean log probabilities, over the probability of the wanted answer; nan where a prompt
    has no wrong answer. None where no prompt has one.
    """
    if not any(outputs.wrong_forced):
        return None
    wrong = [
        np.exp(np.mean([tokens.with_end.mean() for tokens in several])) if several else np.nan
        for several in outputs.wrong_forced
    ]
    return np.array(wrong) / (np.array([answer_probability(tokens) for tokens in outputs.forced]) + _TINY)


def _likelihood(log_probabilities: Floats) -> float:
    return float(np.exp(log_probabilities.mean())) if len(log_probabilities) else 0.0


def _with_end(outputs: Outputs) -> str:
    return f"forced|end mark:{'yes' if any(tokens.end is not None for tokens in outputs.forced) else 'no'}"


def _losses(forced: Sequence[ForcedTokens]) -> Floats:
    return np.array([(-tokens.log_probabilities.sum(), float(len(tokens.ranks))) for tokens in forced])


def _where_wrong(outputs: Outputs, values: Sequence[float]) -> list[float]:
    return [value if several else np.nan for value, several in zip(values, outputs.wrong_forced, strict=True)]


def _mean(name: str, values: Sequence[float], signature: str = _FORCED, *, is_rate: bool = False) -> Score:
    """The mean of shares in per cent; nan where a prompt does not enter."""
    shares = 100 * np.array(values, dtype=np.float64)
    enters = np.isfinite(shares)
    if enters.all():
        sums = sentence_mean(shares.tolist())
    else:
        sums = SentenceSums(np.stack([np.where(enters, shares, 0), enters.astype(np.float64)], axis=1), quotient)
    return Score(name, sums.value, signature, int(enters.sum()), shares.tolist(), sums, is_rate=is_rate)


def _classes(outputs: Outputs) -> tuple[Any, Any]:
    names = labels_of(outputs.view.model)
    said = [class_number(names, answer) for answer in outputs.answers]
    return np.array(said), np.array([class_number(names, right[0]) for right in outputs.references])


def _macro_f1(sums: Floats) -> Floats:
    """[..., 3 * classes] of right, wrongly given and missed ones -> [...]."""
    right, given, missed = np.split(sums, 3, axis=-1)
    below = 2 * right + given + missed
    of_classes = np.divide(200 * right, below, out=np.zeros_like(below), where=below > 0)
    return of_classes.sum(axis=-1) / np.maximum((below > 0).sum(axis=-1), 1)


@cache
def _rouge(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    logging.getLogger("absl").setLevel(logging.WARNING)  # it says which tokenizer it takes
    return RougeScorer([kind], use_stemmer=True)
