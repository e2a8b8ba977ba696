"""The ablations' table: every variant as a row."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from codeunlearn.evaluation.curve import Curve
from codeunlearn.evaluation.systems import BEFORE
from codeunlearn.evaluation.test_sets import WHOLE
from codeunlearn.experiments.ablations import AblationResult
from codeunlearn.experiments.paper.extent_figure import DRAWN, extent_figure, trained_for
from codeunlearn.experiments.results import JUDGED_FROM, Results
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.labels import bounds, count_noun, number, signed

_HEADS = (
    "Variant",
    "chrF",
    "BLEU",
    "Codes",
    "Recall before",
    "Recall after",
    "Closed, %",
    "chrF on D'_T",
    "chrF on D_R [95%]",
    "Topics gone",
)
_TENTH, _TOLERATED = 0.1, -1.0


def ablations(results: Results) -> Artefact | None:
    """Every variant at the S' of table 2, means over topics."""
    if not results.ablations:
        return None
    s_prime = results.config.scores.s_prime
    records = [_record(variant, s_prime) for variant in results.ablations]
    topics = count_noun(len(results.ablations[0].curves), "topic")
    caption = (
        f"What each part contributes: the codebook model{_training(results)} and variants of it, searched and scored at "
        f"{results.step(s_prime)}, means over {topics}. chrF and BLEU: with nothing forgotten. Recall: of the topic's words on "
        "D'_T. Closed: the share of the way to what the model says under control prompts. Topics gone: those of which the best "
        "size, chosen on the same sentences, leaves a tenth of the recall or less while chrF on D_R falls by less than 1; a "
        f"topic counts from a recall of {number(JUDGED_FROM, 0)}% on. One model for each variant, so that differences between "
        "rows hold for these models only."
    )
    rows = [
        [
            variant.name,
            number(record["chrf"]),
            number(record["bleu"]),
            number(record["codes"], 0),
            number(record["recall_before"]),
            number(record["recall_after"]),
            number(record["closed"], 0),
            signed(record["forget_chrf_delta"]),
            f"{signed(record['retain_chrf_delta'])} {bounds(record['retain_low'], record['retain_high'])}",
            number(record["topics_gone"], 0),
        ]
        for variant, record in zip(results.ablations, records, strict=True)
    ]
    named = [{"variant": variant.name, **record} for variant, record in zip(results.ablations, records, strict=True)]
    grid = Grid(_HEADS, rows, "", frozenset(range(1, len(_HEADS))))
    extents = trained_for(results, s_prime)
    if not extents:
        return Artefact("ablations", "Ablations", caption, named, [grid])
    alt = "How far topics are closed over chrF with nothing forgotten, a line for each codebook; the values are in the table."
    return Artefact("ablations", "Ablations", f"{caption} {DRAWN}", named, [grid], extent_figure(extents), alt)


def _training(results: Results) -> str:
    """What differs from the models of the other tables, in words."""
    ablations = results.config.ablations
    start = [f"started from the {ablations.start} model"] if ablations.start else []
    options = [f"trained with {', '.join(f'{key} = {value}' for key, value in ablations.train.items())}"]
    parts = start + (options if ablations.train else [])
    return f" {' and '.join(parts)}" if parts else ""


def _record(variant: AblationResult, size: int) -> dict[str, float]:
    points = [point for curve in variant.curves if (point := curve.at(size)) is not None]
    numbers = ("codes", "forget_chrf_delta", "retain_chrf_delta", "retain_low", "retain_high")
    return {
        "s_prime": size,
        "chrf": variant.quality.value(BEFORE, WHOLE, "chrf"),
        "bleu": variant.quality.value(BEFORE, WHOLE, "bleu"),
        "recall_before": _mean([curve.recall_before for curve in variant.curves]),
        "recall_after": _mean([point.recall for point in points]),
        "closed": _mean([point.closed for point in points if point.closed is not None]),
        **{name: _mean([getattr(point, name) for point in points]) for name in numbers},
        "topics_gone": sum(map(_is_gone, variant.curves)),
    }


def _mean(values: Sequence[float]) -> float:
    """nan where no code was found for any topic."""
    return statistics.fmean(values) if values else math.nan


def _is_gone(curve: Curve) -> bool:
    before = curve.recall_before
    return before >= JUDGED_FROM and any(
        point.recall <= _TENTH * before and point.retain_chrf_delta > _TOLERATED for point in curve.points
    )
