"""Other ways to forget, and attacks, beside the recipe's own deletion: every one as a row of every topic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from codeunlearn.evaluation.scores import CLOSED, RECALL, Comparison, Scores
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.experiments.answers import is_placebo
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.searches import deletion_name
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.labels import bounds, count_noun, number, signed, system_label

_HEADS = ("Topic", "System", "Role", "Closed, %", "Recall before", "Recall after", "chrF on D'_T", "chrF on D_R [95%]")


def beside(results: Results) -> Artefact | None:
    """Means over seeds; None where nothing else was compared."""
    chosen = results.config.scores
    if not (chosen.methods or chosen.attacks):
        return None
    own = deletion_name(chosen.s_prime, results.step_name)
    records = [
        record for topic in results.config.topics for record in _records(topic.word, results.of_topic(topic.word), own)
    ]
    if not records:
        return None
    rows = [
        [
            r["topic"], system_label(r["system"]), r["role"], number(r["closed"], 0), number(r["recall_before"]),
            number(r["recall_after"]), signed(r["forget_chrf"]),
            f"{signed(r['retain_chrf'])} {bounds(r['retain_low'], r['retain_high'])}",
        ]
        for r in records
    ]  # fmt: skip
    seeds = count_noun(max(len(results.of_topic(topic.word)) for topic in results.config.topics), "seed")
    caption = (
        f"Other ways to forget, and attacks on the model with {results.step(chosen.s_prime)} deleted, beside that deletion. "
        "Closed: how far the topic is gone from what the model knows. Recall: of the topic's words on D'_T. Means over "
        f"{seeds}."
    )
    grid = Grid(_HEADS, rows, "", frozenset(range(3, len(_HEADS))))
    return Artefact("beside", "Other methods and attacks", caption, records, [grid])


def _records(word: str, scores: Sequence[Scores], own: str) -> list[dict[str, Any]]:
    if not scores:
        return []
    others = [
        name
        for name in scores[0].of_role("after", "control", "attack")
        if name not in scores[0].details["codes"] and not is_placebo(name)
    ]
    return [_record(word, scores, name) for name in (own, *others)]


def _record(word: str, scores: Sequence[Scores], name: str) -> dict[str, Any]:
    def mean(set_name: str, metric: str, field: str) -> float:
        rows: list[Comparison] = [row for s in scores if (row := s.comparison(name, set_name, metric))]
        return statistics.fmean(getattr(row, field) for row in rows) if rows else math.nan

    return {
        "topic": word,
        "system": name,
        "role": scores[0].systems[name],
        "closed": statistics.fmean(s.value(name, FORGET, CLOSED) for s in scores),
        "recall_before": mean(FORGET, RECALL, "before"),
        "recall_after": mean(FORGET, RECALL, "after"),
        "forget_chrf": mean(FORGET, "chrf", "delta"),
        "retain_chrf": mean(RETAIN, "chrf", "delta"),
        "retain_low": mean(RETAIN, "chrf", "low"),
        "retain_high": mean(RETAIN, "chrf", "high"),
    }
