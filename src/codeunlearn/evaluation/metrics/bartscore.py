"""BARTScore, one of the paper's four metrics, with the choices that the paper leaves open written down.

The paper names neither model nor direction. Its values (-4.7 to -6.1) fit the hypothesis given the reference under the
authors' default model, an English summariser, to which French is foreign. Both are options here; a model that is not a
BART gives a score that is not called BARTScore (`seq2seq_score.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from codeunlearn.evaluation.metrics.likelihood import Direction, Seq2SeqScore

AUTHORS_MODEL = "facebook/bart-large-cnn"


@dataclass(frozen=True)
class BartScoreConfig:
    """Which BARTScore.

    Attributes:
        model: folder or Hub name of a BART, or of another encoder-decoder model.
        direction: what is scored given what, see `seq2seq_score.Direction`.
    """

    model: str = AUTHORS_MODEL
    direction: Direction = "ref-hyp"


def bartscore(config: BartScoreConfig | None = None, *, device: str = "auto") -> Seq2SeqScore:
    """The metric, its model opened; `Seq2SeqScore.on` binds it to the sources."""
    config = config or BartScoreConfig()
    return Seq2SeqScore(config.model, config.direction, device=device)
