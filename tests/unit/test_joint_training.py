"""Dead codes are revived once in a step, when all of its batches have been seen, and logs say how many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor

from codeunlearn.codebook.codebook import Codebook
from codeunlearn.training import joint
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.joint import JointTrainer

STEPS, EVERY = 6, 2


class Watched(JointTrainer):
    """Keeps what every batch uses, and what every revival takes for dead: (steps done, dead codes)."""

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *arguments: Any, **options: Any) -> Any:
        real = inputs["attention_mask"].bool()
        with torch.no_grad():
            record = model(**inputs, output_bottleneck=True).bottleneck
        self.used = getattr(self, "used", torch.zeros(64, dtype=torch.bool))
        self.used[record.ids[real].flatten()] = True
        return super().compute_loss(model, inputs, *arguments, **options)


def train(
    model: Any, tokenizer: Any, out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Any, list[Any]]:
    generator = torch.Generator().manual_seed(0)
    rows: list[list[int]] = torch.randint(2, 48, (60, 3), generator=generator).tolist()
    pairs = Dataset.from_dict({"input_ids": rows, "labels": rows})
    # One pair to a batch: of 64 codes a batch uses 12 at most, so that batches differ in what they use.
    config = TrainConfig.joint(
        max_steps=STEPS, epochs=9, batch_tokens=8, revive_steps=EVERY, device="cpu", optimizer="adamw", learning_rate=1e-4,
        save_steps=100, **options,
    )  # fmt: skip
    trainer = Watched(model, config, pairs, tokenizer, out)
    revivals: list[Any] = []

    def revive(codebook: Codebook, dead: Tensor, *others: Any) -> int:
        revivals.append((trainer.state.global_step, dead, trainer.used.clone()))
        trainer.used.zero_()
        return int(dead.sum())

    monkeypatch.setattr(joint, "revive", revive)
    trainer.train()
    return trainer, revivals


@pytest.mark.parametrize(("batches", "log_steps"), [(1, 5), (4, 1)])
def test_codes_are_dead_that_no_batch_has_used_since_the_last_revival(
    tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int, log_steps: int
) -> None:
    options = {"gradient_accumulation_steps": batches, "log_steps": log_steps}
    _, revivals = train(tiny_model, tiny_tokenizer, tmp_path, monkeypatch, **options)
    assert [step for step, _, _ in revivals] == [EVERY, 2 * EVERY], "once in a step, in the first three quarters"
    for _, dead, used in revivals:
        assert torch.equal(dead, ~used)


def test_the_log_says_how_many_were_revived(
    tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, revivals = train(tiny_model, tiny_tokenizer, tmp_path, monkeypatch, log_steps=STEPS)
    logged = [entry["revived_codes"] for entry in trainer.state.log_history if "revived_codes" in entry]
    assert logged == [sum(int(dead.sum()) for _, dead, _ in revivals)]
