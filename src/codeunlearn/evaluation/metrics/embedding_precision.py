"""BERTScore's precision over the states of any frozen encoder: do the words of the output have a counterpart?

Every token of the hypothesis is matched with the token of the reference whose state is nearest by cosine, and the
cosines are averaged (Zhang et al., "BERTScore: Evaluating Text Generation with BERT", ICLR 2020, equation of P_BERT,
without idf weights). Special tokens can be matched but do not count, and an empty side scores 0, as in the authors'
program. With their encoder and layer it is BERTScore (`bertscore.py`); with another, such as the encoder of a
translation model at hand, it is a semantic score that needs no download, weaker and under its own name.
"""

from __future__ import annotations

from collections.abc import Sequence

from codeunlearn.corpus.languages.typography import Typography
from codeunlearn.evaluation.bootstrap import sentence_mean
from codeunlearn.evaluation.metrics.base import TRANSLATIONS, References, Score, check_texts, reference_count
from codeunlearn.evaluation.metrics.encoder import FrozenEncoder, TokenStates


class EmbeddingPrecision:
    """The metric with its encoder; 100 times the mean cosine.

    Args:
        encoder: gives the states that are compared.
        name: of its scores.
        baseline: cosine of unrelated sentences, which becomes 0 of the scale: (p - baseline) / (1 - baseline).
            Without it raw values lie close together, often between 70 and 95.
    """

    def __init__(
        self, encoder: FrozenEncoder, *, name: str = "embedding_precision", baseline: float | None = None
    ) -> None:
        self.encoder, self.name, self.baseline = encoder, name, baseline

    @property
    def signature(self) -> str:
        rescaled = "no" if self.baseline is None else f"{self.baseline:g}"
        return f"{self.encoder.signature}|idf:no|rescaled:{rescaled}"

    def __call__(
        self, hypotheses: Sequence[str], references: References, /, *, typography: Typography = TRANSLATIONS
    ) -> Score:
        """Of several references the best counts."""
        check_texts(hypotheses, references)
        outputs = [typography.normalise(h) for h in hypotheses]
        wanted = [[typography.normalise(r) for r in rs] for rs in references]
        states = self.encoder.states([*outputs, *(r for rs in wanted for r in rs)])
        following = iter(states[len(outputs) :])
        values = [
            self._scale(max(greedy_precision(states[i], next(following)) for _ in rs)) for i, rs in enumerate(wanted)
        ]
        sums = sentence_mean(values)
        signature = f"nrefs:{reference_count(references)}|{self.signature}|norm:{typography.version}"
        return Score(self.name, sums.value, signature, len(sums), values, sums)

    def _scale(self, precision: float) -> float:
        floor = self.baseline or 0.0
        return 100 * (precision - floor) / (1 - floor)


def greedy_precision(hypothesis: TokenStates, reference: TokenStates) -> float:
    """The mean over the hypothesis's tokens of the highest cosine with a token of the reference; 0 if a side is empty."""
    if not hypothesis.counted.any() or not reference.counted.any():
        return 0.0
    cosines = hypothesis.states[hypothesis.counted] @ reference.states.T
    return float(cosines.max(dim=1).values.mean())
