"""The metrics that need a model, opened once and bound to each set of an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codeunlearn.device import pick_device
from codeunlearn.evaluation.metrics.bartscore import BartScoreConfig, bartscore
from codeunlearn.evaluation.metrics.base import Metric, TextMetric, on_texts
from codeunlearn.evaluation.metrics.bertscore import BertScoreConfig, bertscore_precision
from codeunlearn.evaluation.metrics.comet import Comet
from codeunlearn.evaluation.metrics.embedding_precision import EmbeddingPrecision
from codeunlearn.evaluation.metrics.encoder import FrozenEncoder
from codeunlearn.evaluation.metrics.fluency import CharacterModel
from codeunlearn.evaluation.metrics.likelihood import Seq2SeqScore
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.record import public_name

_Bound = Callable[[TestSet], TextMetric]


@dataclass(frozen=True)
class ExtraMetricsConfig:
    """Which of them; all are off unless named. Models are folders or Hub names.

    Attributes:
        embedding_precision: encoder, or encoder-decoder model, whose states are compared.
        seq2seq_score: encoder-decoder model under which outputs are likely or not, given the source.
        seq2seq_prefix: put before every source for it; what the model's configuration says if absent.
        bertscore: BERTScore precision.
        bartscore: BARTScore.
        comet: COMET model, a Hub name.
    """

    embedding_precision: str | None = None
    seq2seq_score: str | None = None
    seq2seq_prefix: str | None = None
    bertscore: BertScoreConfig | None = None
    bartscore: BartScoreConfig | None = None
    comet: str | None = None

    def names(self) -> dict[str, str]:
        """What was asked for, for the record, without folders of the machine."""
        models = {
            "embedding_precision": self.embedding_precision,
            "seq2seq_score": self.seq2seq_score,
            "bertscore": self.bertscore and self.bertscore.model,
            "bartscore": self.bartscore and self.bartscore.model,
            "comet": self.comet,
        }
        return {name: public_name(model) for name, model in models.items() if model}


def opened_metrics(
    config: ExtraMetricsConfig, *, fluency: CharacterModel | None = None, device: str = "auto"
) -> dict[str, Metric]:
    """Opens the models and gives their metrics, by the names of their scores.

    Args:
        fluency: a language model of the target side, see `fluency.fit_fluency`.
    """

    def measured(bind: _Bound) -> Metric:
        return lambda outputs: on_texts(bind(outputs.test))(outputs)

    return {name: measured(bind) for name, bind in _open(config, fluency, device).items()}


def _open(config: ExtraMetricsConfig, fluency: CharacterModel | None, device: str) -> dict[str, _Bound]:
    opened: dict[str, _Bound] = {}
    if config.bertscore:
        bertscore = bertscore_precision(config.bertscore, device=device)
        opened[bertscore.name] = lambda _: bertscore
    if config.embedding_precision:
        precision = EmbeddingPrecision(FrozenEncoder(config.embedding_precision, device=device))
        opened[precision.name] = lambda _: precision
    scorers = [bartscore(config.bartscore, device=device)] if config.bartscore else []
    if config.seq2seq_score:
        scorers.append(Seq2SeqScore(config.seq2seq_score, prefix=config.seq2seq_prefix, device=device))
    for scorer in scorers:
        opened[scorer.name] = lambda s, scorer=scorer: scorer.on(s.prompts)
    if config.comet:
        comet = Comet(config.comet, gpus=int(pick_device(device).type == "cuda"))
        opened["comet"] = lambda s: comet.on(s.prompts)
    if fluency:
        opened["fluency"] = lambda _: fluency
    return opened
