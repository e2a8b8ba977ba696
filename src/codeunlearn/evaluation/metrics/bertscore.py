"""BERTScore precision as the paper reports it, with the authors' choice for French: multilingual BERT, layer 9.

The formula is our own (`embedding_precision.py`): the `bert-score` package, 0.3.13 of 2023, fails on empty outputs under
transformers 5, and opens pickled weights. A test compares the two where it is installed. The paper names no encoder;
with `lang="fr"` the package takes this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codeunlearn.evaluation.metrics.embedding_precision import EmbeddingPrecision
from codeunlearn.evaluation.metrics.encoder import FrozenEncoder

FRENCH_MODEL = "google-bert/bert-base-multilingual-cased"
FRENCH_LAYER = 9
FRENCH_BASELINE = 0.62573117
"""Precision of unrelated French sentences under `FRENCH_MODEL` at `FRENCH_LAYER` (bert-score 0.3.13, rescale_baseline)."""


@dataclass(frozen=True)
class BertScoreConfig:
    """Which BERTScore.

    Attributes:
        model: folder or Hub name of an encoder.
        layer: hidden state that is compared; None for the last.
        baseline: precision of unrelated sentences under this model and layer, which becomes 0; None for raw values, as in
            the paper. `FRENCH_BASELINE` belongs to the defaults.
    """

    model: str = FRENCH_MODEL
    layer: int | None = FRENCH_LAYER
    baseline: float | None = None


def bertscore_config(model: str, layer: int | None = None, baseline: float | None = None) -> BertScoreConfig:
    """The authors' layer for multilingual BERT, from wherever it is opened, and the last of any other model."""
    multilingual = Path(model).name == Path(FRENCH_MODEL).name
    return BertScoreConfig(model, FRENCH_LAYER if layer is None and multilingual else layer, baseline)


def bertscore_precision(config: BertScoreConfig | None = None, *, device: str = "auto") -> EmbeddingPrecision:
    """The metric, its encoder opened."""
    config = config or BertScoreConfig()
    encoder = FrozenEncoder(config.model, config.layer, device=device)
    return EmbeddingPrecision(encoder, name="bertscore_precision", baseline=config.baseline)
