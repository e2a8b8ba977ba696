"""Joint training of model and bottleneck (eq. 8) on the Hugging Face Trainer."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Literal, cast

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.basis import SignedPermutation
from codeunlearn.codebook.bottleneck import BottleneckOutput, ConceptBottleneck, require_bottleneck
from codeunlearn.codebook.modeling import CodeUnlearnOutput
from codeunlearn.codebook.probing import goes_through
from codeunlearn.extras import needs
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.dead_codes import revive, sample_encodings
from codeunlearn.training.health import HealthMonitor
from codeunlearn.training.losses import bottleneck_losses, loss_weights
from codeunlearn.training.trainer import PlainTrainer

with needs("train"):
    from accelerate.utils import broadcast

REVIVAL_POOL = 2048  # encodings from which revived codes are drawn
UNUSED_CODES = "unused_codes.safetensors"  # in a checkpoint: which codes no token has selected since the last revival


def freeze(model: Any, bottleneck: ConceptBottleneck, part: Literal["nothing", "base", "bottleneck"]) -> None:
    """Leaves gradients only to what is not frozen."""
    model.requires_grad_(part != "base")
    bottleneck.requires_grad_(part != "bottleneck")


class JointTrainer(PlainTrainer):
    """`PlainTrainer` with the bottleneck's losses, its health log and the revival of dead codes.

    Args:
        basis: the basis of the layers behind the bottleneck, when `BuildConfig.new_basis` changed it.
    """

    checkpoint_files = (UNUSED_CODES,)

    def __init__(
        self,
        model: Any,
        config: TrainConfig,
        train_pairs: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        out: Path,
        basis: SignedPermutation | None = None,
    ) -> None:
        self.bottleneck = require_bottleneck(model)
        freeze(model, self.bottleneck, config.frozen)
        super().__init__(model, config, train_pairs, tokenizer, out)
        self.weights = loss_weights(config.losses)
        self.basis = basis
        self.monitor = HealthMonitor(self.bottleneck.config.num_codes)
        self.unused_since_revival = torch.ones(self.bottleneck.config.num_codes, dtype=torch.bool)
        self.part_sums: dict[str, float] = defaultdict(float)
        self.part_count = 0
        self.revived_codes = 0

    def compute_loss(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, CodeUnlearnOutput]:
        """Equation 8: cross-entropy plus the weighted parts of `bottleneck_losses`."""
        output, task_loss = self.run_with_cross_entropy(model, inputs, output_bottleneck=True)
        assert output.bottleneck is not None
        mask = goes_through(self.accelerator.unwrap_model(model), inputs["input_ids"], inputs["attention_mask"])
        parts = bottleneck_losses(
            output.bottleneck,
            self.bottleneck.codebook,
            mask,
            normalised=self.weights.normalised,
            basis=self.basis,
        )
        loss = task_loss + parts.total(self.weights)
        if model.training:
            self._observe(output, mask, {"cross_entropy": task_loss, **parts._asdict()})
        return (loss, output) if return_outputs else loss

    def _observe(self, output: CodeUnlearnOutput, mask: Tensor, parts: dict[str, Tensor]) -> None:
        assert output.bottleneck is not None
        for name, value in parts.items():
            self.part_sums[name] += float(value.detach())
        self.part_count += 1
        self.unused_since_revival &= self.monitor.update(output.bottleneck, mask, self.basis) == 0
        if self.accelerator.sync_gradients:  # the last batch of the step: what all of its batches use is known
            self._revive_when_due(output.bottleneck, mask)

    def _revive_when_due(self, output: BottleneckOutput, mask: Tensor) -> None:
        """Every ``revive_steps`` steps of the first three quarters of the training."""
        every, step = self.config.revive_steps, self.state.global_step
        frozen = not self.bottleneck.codebook.weight.requires_grad
        if frozen or not every or not step or step % every or step > 0.75 * self.state.max_steps:
            return
        assert self.optimizer is not None
        codebook, top_s, seed = (
            self.bottleneck.codebook,
            self.bottleneck.config.top_s,
            self.config.seed * 1_000_003 + step,
        )
        encodings = sample_encodings(output, mask, REVIVAL_POOL, seed)
        if self.accelerator.num_processes > 1:
            broadcast(encodings)
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        self.revived_codes += revive(codebook, self._unused_everywhere(), encodings, top_s, optimizer, seed)
        self.unused_since_revival.fill_(True)

    def _over_processes(self, numbers: Tensor) -> Tensor:
        """The sum of every process' numbers."""
        return cast(Tensor, self.accelerator.reduce(numbers.to(self.accelerator.device), "sum")).cpu()

    def _unused_everywhere(self) -> Tensor:
        """[K] bool: codes that no token of any process has selected since the last revival."""
        return self._over_processes((~self.unused_since_revival).long()) == 0

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As the Trainer's; with it goes what a resumed training must know to revive the same codes."""
        super().save_model(output_dir, _internal_call)
        unused = self._unused_everywhere()
        if output_dir is not None and self.args.should_save:
            save_file({"unused": unused}, Path(output_dir) / UNUSED_CODES)

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **options: Any) -> Any:
        """As the Trainer's, going on with the unused codes of the checkpoint."""
        if isinstance(resume_from_checkpoint, str):
            self.unused_since_revival = load_file(Path(resume_from_checkpoint) / UNUSED_CODES)["unused"]
        return super().train(resume_from_checkpoint, *args, **options)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the parts of the loss, and the codebook's health, of all processes since the last log."""
        if "loss" in logs and self.part_count:
            sums = torch.tensor([*self.part_sums.values(), self.part_count], dtype=torch.float64)
            *totals, count = self._over_processes(sums).tolist()
            logs.update({name: total / count for name, total in zip(self.part_sums, totals, strict=True)})
            health = self.monitor.report(self._over_processes)
            logs.update({f"codebook/{name}": value for name, value in health.to_dict().items()})
            if self.revived_codes:
                logs["revived_codes"] = self.revived_codes
            self.part_sums.clear()
            self.part_count = self.revived_codes = 0
        super().log(logs, start_time)
