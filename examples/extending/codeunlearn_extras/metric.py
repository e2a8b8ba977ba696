"""A metric: of the prompts that ask, how many are answered by a question."""

from __future__ import annotations

import numpy as np

from codeunlearn.evaluation.bootstrap import SentenceSums, quotient
from codeunlearn.evaluation.metrics.base import METRICS, Outputs, Score


@METRICS.register("questions_kept")
def questions_kept(outputs: Outputs) -> Score | None:
    """Percentage of the prompts with a question mark at their end whose answers have one; None where no prompt asks."""
    asked = np.array([prompt.rstrip().endswith("?") for prompt in outputs.prompts], dtype=float)
    if not asked.any():
        return None
    kept = asked * [answer.rstrip().endswith("?") for answer in outputs.answers]
    sums = SentenceSums(np.stack([100 * kept, asked], axis=1), quotient)
    return Score("questions_kept", sums.value, "mark:?", int(asked.sum()), sums.per_sentence, sums, is_rate=True)
