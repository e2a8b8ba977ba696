"""How likely a translation is under another model: the mean log probability of its tokens, after BARTScore.

Yuan et al., "BARTScore: Evaluating Generated Text as Text Generation", NeurIPS 2021, for any encoder-decoder model: a
plain fine-tuned translation model at hand gives a score that needs no download. It is called BARTScore only where the
model is a BART (`bartscore.py`); everything else is a `seq2seq_score`. Values are natural logarithms per token, nearer to
0 is better, and only scores under one model and direction compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from codeunlearn.codebook import fingerprint, source_prefix
from codeunlearn.codebook.loading import load_both
from codeunlearn.corpus.languages.typography import Typography
from codeunlearn.device import pick_device
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.bootstrap import sentence_mean
from codeunlearn.evaluation.metrics.base import (
    TRANSLATIONS,
    References,
    Score,
    TextMetric,
    check_texts,
    reference_count,
)
from codeunlearn.record import public_name
from codeunlearn.tasks.forced import force

Direction = Literal["src-hyp", "ref-hyp", "hyp-ref", "f"]
"""What is given and what is scored: hypothesis given source (is it a translation?), hypothesis given reference
(precision), reference given hypothesis (recall), or the mean of these two."""


_REMEMBERED = 20_000


class Seq2SeqScore:
    """The metric with its model.

    Args:
        name: folder or Hub name of an encoder-decoder model; safetensors only.
        direction: what is scored given what; it is in the name of the score unless it is ``src-hyp``.
        prefix: put before every source in ``src-hyp``; what the model's configuration says if absent.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(
        self, name: str | Path, direction: Direction = "src-hyp", *, prefix: str | None = None, device: str = "auto"
    ) -> None:
        if direction not in get_args(Direction):
            raise CodeUnlearnError(f"Unknown direction {direction!r}; use {', '.join(get_args(Direction))}.")
        model, self.tokenizer = load_both(name)
        self.model: Any = model.to(pick_device(device)).requires_grad_(False)
        self.direction: Direction = direction
        self.prefix = source_prefix(self.model, prefix)
        kind = "bartscore" if self.model.config.model_type == "bart" else "seq2seq_score"
        self._known: dict[tuple[str, str], float] = {}
        self.name = kind if direction == "src-hyp" else f"{kind}_{direction.replace('-', '_')}"
        self.signature = f"model:{public_name(str(name))}@{fingerprint(self.model)[:8]}|direction:{direction}" + (
            f"|prefix:{self.prefix.strip()}" if self.prefix and direction == "src-hyp" else ""
        )

    def on(self, sources: Sequence[str]) -> TextMetric:
        """The metric of hypotheses that translate these sources."""
        return partial(self.score, sources)

    def score(
        self,
        sources: Sequence[str],
        hypotheses: Sequence[str],
        references: References,
        /,
        *,
        typography: Typography = TRANSLATIONS,
    ) -> Score:
        """Of several references the best counts for each direction; sources are taken as they are."""
        check_texts(hypotheses, references)
        outputs = [typography.normalise(h) for h in hypotheses]
        if self.direction == "src-hyp":
            if len(sources) != len(outputs):
                raise CodeUnlearnError(f"{len(outputs)} hypotheses need as many sources, not {len(sources)}.")
            values = self._means(sources, outputs, self.prefix)
        else:
            values = self._against(outputs, [[typography.normalise(r) for r in rs] for rs in references])
        sums = sentence_mean(values)
        signature = f"nrefs:{reference_count(references)}|{self.signature}|norm:{typography.version}"
        return Score(self.name, sums.value, signature, len(sums), values, sums)

    def _against(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        owners = [i for i, rs in enumerate(references) for _ in rs]
        wanted = [r for rs in references for r in rs]
        said = [outputs[i] for i in owners]
        pairs = {"ref-hyp": [(wanted, said)], "hyp-ref": [(said, wanted)], "f": [(wanted, said), (said, wanted)]}
        best = [[float("-inf")] * len(outputs) for _ in pairs[self.direction]]
        for values, (given, scored) in zip(best, pairs[self.direction], strict=True):
            for i, mean in zip(owners, self._means(given, scored), strict=True):
                values[i] = max(values[i], mean)
        return [sum(column) / len(best) for column in zip(*best, strict=True)]

    def _means(self, given: Sequence[str], scored: Sequence[str], prefix: str = "") -> list[float]:
        """Pairs of earlier calls are remembered: most outputs stay as they were when a few codes are deleted."""
        wanted = [(prefix + g, s) for g, s in zip(given, scored, strict=True)]
        fresh = list(dict.fromkeys(pair for pair in wanted if pair not in self._known))
        found = {pair: self._known[pair] for pair in wanted if pair in self._known}
        forced = force(self.model, self.tokenizer, *zip(*fresh, strict=True), prefix="") if fresh else []
        found.update((pair, float(tokens.log_probabilities.mean())) for pair, tokens in zip(fresh, forced, strict=True))
        if len(self._known) + len(fresh) > _REMEMBERED:
            self._known.clear()
        self._known.update(found)
        return [found[pair] for pair in wanted]
