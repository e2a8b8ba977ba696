"""The words and number formats that tables, figures and pages share, so that one number reads the same everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codeunlearn.evaluation.metrics.knowledge import CONTROL_PROBABILITY, PROBABILITY
from codeunlearn.evaluation.scores import CLOSED, RECALL
from codeunlearn.evaluation.systems import AFTER, BEFORE, BYPASS, FITTED_MAP, GOLD, PLAIN, ZERO_SHOT
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, WHOLE

MINUS = "\N{MINUS SIGN}"
UP, DOWN, TO_100 = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}", "\N{RIGHTWARDS ARROW}100"
MISSING = "n/a"

SYSTEMS: dict[str, str] = {
    BEFORE: "Before",
    AFTER: "After",
    PLAIN: "Plain model",
    ZERO_SHOT: "Zero-shot model",
    GOLD: "Gold model",
    BYPASS: "Skipped",
    FITTED_MAP: "Fitted map",
}
"""Systems by their name in an evaluation, in the order in which they are shown."""


@dataclass(frozen=True)
class MetricLabel:
    """How a metric is called and read.

    Attributes:
        text: its name for people.
        direction: an arrow to where it is better, empty when that is not known.
        meaning: one sentence for people who meet it for the first time.
        to_100: its values lie between 0 and 100, so that it can stand beside others in a figure.
        decimals: that are shown.
    """

    text: str
    direction: str
    meaning: str
    to_100: bool = True
    decimals: int = 1

    def __str__(self) -> str:
        return f"{self.text} {self.direction}".rstrip()


_TOPIC_RECALL = MetricLabel(
    "Topic-word recall",
    DOWN,
    "Of the sentences whose reference holds a word of the topic, the percentage whose translation holds one. "
    "It falls when the topic is forgotten.",
)
_OWN_RECALL = MetricLabel(
    "Own-word recall",
    UP,
    "The same for a neighbour and its own words. It should stay where it is.",
)
_LIKELIHOOD = "natural logarithm of the probability of a token, on average, under another model; 0 is certainty."
_METRICS: dict[str, MetricLabel] = {
    CLOSED: MetricLabel(
        "Closed, %",
        "",
        "Share of the way from the probability of the topic's words before to that under the control prompt, in which "
        "the topic's words are replaced: at 100 the model says no more than one that was never told the topic.",
        to_100=False,
        decimals=0,
    ),
    PROBABILITY: MetricLabel(
        "Probability of words",
        "",
        "Of the tokens of the topic's words in the references, under forced decoding, in per cent.",
    ),
    CONTROL_PROBABILITY: MetricLabel(
        "With control prompt", "", "The same probability when the prompt's topic words are replaced."
    ),
    RECALL: MetricLabel("Topic-word recall", "", ""),
    "chrf": MetricLabel("chrF", UP, "Overlap with the reference in sequences of characters, 0 to 100."),
    "bleu": MetricLabel("BLEU", UP, "Overlap with the reference in sequences of words, 0 to 100."),
    "meteor_fr": MetricLabel("METEOR", UP, "Overlap with the reference in words and French word stems, 0 to 100."),
    "ter": MetricLabel(
        "TER", DOWN, "Edits that turn the translation into the reference, per 100 words of it.", to_100=False
    ),
    "bertscore_precision": MetricLabel(
        "BERTScore precision",
        UP,
        "How near the translation's words come to words of the reference in a language model's states, 100 at best.",
        to_100=False,
    ),
    "embedding_precision": MetricLabel(
        "Embedding precision",
        UP,
        "BERTScore's precision with the states of another encoder, 100 at best.",
        to_100=False,
    ),
    "comet": MetricLabel("COMET", UP, "A learned grade of the translation, about 0 to 100.", to_100=False),
    **{
        f"{kind}{suffix}": MetricLabel(f"{name}, {what}", UP, f"{what.capitalize()}: {_LIKELIHOOD}", False, 2)
        for kind, name in (("bartscore", "BARTScore"), ("seq2seq_score", "Likelihood"))
        for suffix, what in (
            ("", "translation given source"),
            ("_ref_hyp", "translation given reference"),
            ("_hyp_ref", "reference given translation"),
            ("_f", "translation and reference given each other"),
        )
    },
    "cross_entropy": MetricLabel(
        "Cross-entropy", DOWN, "Nats per token of the right answers, under forced decoding.", to_100=False, decimals=3
    ),
    "perplexity": MetricLabel("Perplexity", DOWN, "e to the power of the cross-entropy.", to_100=False),
    "probability": MetricLabel(
        "Probability of answers", "", "Of the right answers, normalised for their lengths, in per cent."
    ),
    "exact_memorization": MetricLabel(
        "Exact memorization", "", "Share of the right answer's tokens that the model finds most probable, in per cent."
    ),
    "truth_ratio": MetricLabel(
        "Truth ratio", "", "On the topic, how alike right and wrong answers are to the model; elsewhere, how unlike."
    ),
    "probability_w_options": MetricLabel(
        "Probability among options", "", "Of the right answer among it and the wrong ones, in per cent."
    ),
    "multiple_choice": MetricLabel(
        "Multiple choice", "", "Percentage of prompts whose right answer is more probable than each wrong one."
    ),
    "rougeL_recall": MetricLabel(
        "ROUGE-L recall", UP, "Share of the right answer's words that the model's has in the same order, in per cent."
    ),
    "rouge1": MetricLabel("ROUGE-1", UP, "Overlap with the reference in words, F1, 0 to 100."),
    "rouge2": MetricLabel("ROUGE-2", UP, "Overlap with the reference in pairs of words, F1, 0 to 100."),
    "rougeL": MetricLabel("ROUGE-L", UP, "Longest common subsequence of words with the reference, F1, 0 to 100."),
    "exact_match": MetricLabel("Exact match", UP, "Percentage of answers that are a right one."),
    "accuracy": MetricLabel("Accuracy", UP, "Percentage of texts whose class is right."),
    "macro_f1": MetricLabel("Macro F1", UP, "Mean of the classes' F1, in per cent."),
    "fluency": MetricLabel(
        "Fluency, bits per character",
        DOWN,
        "How surprising the translation is to a character model of the language, fitted without the topic.",
        to_100=False,
        decimals=2,
    ),
    "target_word_rank": MetricLabel(
        "Rank of target words",
        "",
        "The median over the same tokens; 1 is what the model finds most probable.",
        to_100=False,
    ),
    "extraction_strength": MetricLabel(
        "Extraction strength",
        "",
        "Part of the reference that the model says by itself once the beginning is given, in per cent.",
    ),
    "degenerate_rate": MetricLabel(
        "Degenerate outputs",
        DOWN,
        "Percentage of translations that loop, or are empty where they should not be.",
    ),
    "french_share": MetricLabel(
        "French words", UP, "French words per 100 words of the translations, numbers left out."
    ),
    "length_ratio": MetricLabel(
        "Length ratio", TO_100, "Words of the translations per 100 words of the references.", to_100=False
    ),
}


def metric_label(metric: str, set_name: str) -> MetricLabel:
    """The label of a metric on a set: recall of the topic's words is to fall, that of a neighbour's words to stay."""
    if metric == RECALL:
        return _TOPIC_RECALL if set_name == FORGET else _OWN_RECALL
    return _METRICS.get(metric, MetricLabel(metric, "", ""))


def metric_order(metric: str) -> tuple[int, str]:
    """Sort key: closed and what it is made of, recall, quality, signs of broken text, then metrics without a label."""
    known = list(_METRICS)
    return (known.index(metric) if metric in known else len(known), metric)


def system_label(system: str) -> str:
    return SYSTEMS.get(system, system[:1].upper() + system[1:])


def system_order(system: str) -> tuple[int, str]:
    """Sort key: before, after, plain, zero-shot, then the rest by name."""
    known = list(SYSTEMS)
    return (known.index(system) if system in known else len(known), system)


def set_label(set_name: str, topic: str) -> str:
    """What the sentences of a set are."""
    if set_name == FORGET:
        return f"Sentences with {quoted(topic)}"
    if set_name == WHOLE:
        return "Random sentences of the test pool"
    return "Unrelated sentences" if set_name == RETAIN else f"Neighbour {quoted(set_name)}"


def zero_point_text(zero_point: str) -> str:
    """What stands for the paper's zero-shot model, as part of a sentence."""
    return "the zero-shot model" if zero_point == ZERO_SHOT else zero_point


def quoted(text: str) -> str:
    return f"“{text}”"


def is_defined(value: float | None) -> bool:
    """Whether there is a number; a score without one is nan, or None after a round through JSON."""
    return value is not None and math.isfinite(value)


def number(value: float | None, decimals: int = 1) -> str:
    """A number with a true minus sign; "n/a" for what is undefined."""
    if value is None or not is_defined(value):
        return MISSING
    text = f"{abs(value):,.{decimals}f}"
    is_zero = float(text.replace(",", "")) == 0
    return MINUS + text if value < 0 and not is_zero else text


def signed(value: float | None, decimals: int = 1) -> str:
    """As `number`, with a plus sign for what rounds to more than zero."""
    text = number(value, decimals)
    is_positive = text != MISSING and not text.startswith(MINUS) and float(text.replace(",", "")) > 0
    return f"+{text}" if is_positive else text


def bounds(low: float | None, high: float | None, decimals: int = 1) -> str:
    """An interval; an unbounded or undefined end is "n/a"."""
    return f"[{signed(low, decimals)}, {signed(high, decimals)}]"


def p_value(p: float) -> str:
    if p == 0:
        return "<1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("-0", "-")


def count_noun(count: int, noun: str) -> str:
    """ "1 code", "2 codes"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def token_text(token: str) -> str:
    """A token without the tokenizer's mark for a word's start; a token that is nothing else keeps it."""
    return token.removeprefix("\N{LOWER ONE EIGHTH BLOCK}") or token
