"""The numbers that the paper prints, to stand beside ours (Wu, Dossou and Liu 2024, tables 2 and 3)."""

from __future__ import annotations

from codeunlearn.evaluation.test_sets import FORGET, RETAIN

METRICS = ("BLEU", "METEOR", "BERT-P", "BART")
OURS = {
    "bleu": "BLEU",
    "meteor_fr": "METEOR",
    "bertscore_precision": "BERT-P",
    "bartscore_ref_hyp": "BART",
}
"""The paper's metric that one of ours corresponds to."""

N = {"Love": 207, "Julien": 255, "Captain": 137, "Poor": 151, "Wish": 217, "White": 179, "Black": 190}

_DROPS: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("Love", FORGET): (-112.52, -117.76, -118.88, -143.96),
    ("Love", RETAIN): (-37.80, -57.82, -58.25, -35.06),
    ("Julien", FORGET): (-113.12, -138.47, -134.60, -164.68),
    ("Julien", RETAIN): (-65.70, -64.38, -94.63, -94.60),
    ("Captain", FORGET): (-72.10, -140.71, -84.44, -87.90),
    ("Captain", RETAIN): (-9.72, -9.04, -9.66, -0.53),
    ("Poor", FORGET): (-70.61, -70.78, -60.84, -79.81),
    ("Poor", RETAIN): (-26.64, -12.48, -14.20, -36.01),
    ("Wish", FORGET): (-144.83, -249.51, -182.02, -309.34),
    ("Wish", RETAIN): (-87.65, -94.51, -74.16, -133.35),
    ("White", FORGET): (-157.45, -218.04, -403.04, -119.99),
    ("White", RETAIN): (-10.09, -22.99, -47.65, -27.15),
    ("Black", FORGET): (-85.16, -138.04, -115.56, -62.91),
    ("Black", RETAIN): (-16.12, -2.15, -3.01, -97.36),
}

SEARCH_SECONDS: dict[int, tuple[float, float]] = {
    8: (473.66, 264.58),
    24: (376.98, 238.66),
    40: (212.35, 240.88),
    56: (211.23, 438.63),
    72: (211.14, 479.11),
    88: (214.12, 434.29),
    104: (215.37, 526.23),
}
"""Mean and standard deviation of the search time by S' (table 3)."""


def drop(topic: str, set_name: str, metric: str) -> float | None:
    """The paper's normalised improvement drop in per cent; None for what it does not have."""
    row = _DROPS.get((topic.capitalize(), set_name))
    name = OURS.get(metric)
    return None if row is None or name is None else row[METRICS.index(name)]
