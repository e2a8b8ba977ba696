"""How a model is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import Seq2SeqTrainingArguments

from codeunlearn.device import pick_device
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.losses import LossWeights
from codeunlearn.validation import Count, Index, NotNegative, Positive, Seed, Share


@dataclass(frozen=True)
class TrainConfig:
    """Options of one training run; the command's options mirror them.

    Attributes:
        epochs: passes over the train pool.
        max_steps: stop earlier, after this many optimizer steps.
        batch_tokens: padded tokens of a batch, prompts (sources) and answers (targets) together.
        gradient_accumulation_steps: batches whose gradients make one optimizer step.
        max_tokens: a longer side is cut; where prompt and answer are one row, a row of more than twice as many.
        optimizer: ``muon`` learns a small model from scratch in far fewer steps; ``adamw`` suits fine-tuning.
        learning_rate: peak; rises over the warm-up and falls linearly to zero.
        bottleneck_learning_rate: peak for the bottleneck; the same as ``learning_rate`` when absent.
        warmup_share: part of the steps spent rising.
        weight_decay: for weight matrices outside the bottleneck.
        dropout: see `SentenceDropout`; the model's own dropout stays when absent.
        label_smoothing: see `cross_entropy`; helps a model that is trained from scratch, above all with beams.
        losses: weights of the bottleneck's losses, or one of `LOSS_PRESETS` by name; plain training ignores it.
        frozen: what keeps its weights in joint training: nothing, the ``base`` model, or the ``bottleneck``.
        revive_steps: codes unused over so many steps start again from data; 0 leaves dead codes alone.
        source_prefix: put before every prompt, as pretrained T5 expects.
        source_suffix: put behind every prompt.
        chat: in place of both, what the tokenizer's chat template puts around a message.
        task: what the model is asked, a name in `TASKS`, of one with an encoder and a decoder; what data and base say if absent.
        source_language: of the prompts, a name such as ``german``; what the base says if absent.
        target_language: of the answers, likewise.
        whole: learn all of the data, not its train pool alone, such as questions that are to be known by heart.
        save_steps: a checkpoint every so many steps, from which a killed run resumes.
        log_steps: losses and health are logged every so many steps.
        seed: decides initial weights and the order of the batches.
        saved_dtype: type of the weights in the finished file; bfloat16 halves it. Checkpoints stay in float32.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    epochs: Positive = 3.0
    max_steps: Count | None = None
    batch_tokens: Count = 6000
    gradient_accumulation_steps: Count = 1
    max_tokens: Count = 128
    optimizer: Literal["muon", "adamw"] = "muon"
    learning_rate: Positive = 6e-3
    bottleneck_learning_rate: Positive | None = None
    warmup_share: Share = 0.03
    weight_decay: NotNegative = 0.01
    dropout: Share | None = None
    label_smoothing: Share = 0.0
    losses: str | LossWeights = "recommended"
    frozen: Literal["nothing", "base", "bottleneck"] = "nothing"
    revive_steps: Index = 1000
    source_prefix: str = ""
    source_suffix: str = ""
    chat: bool = False
    task: str | None = None
    source_language: str | None = None
    target_language: str | None = None
    whole: bool = False
    save_steps: Count = 250
    log_steps: Count = 25
    seed: Seed = 0
    saved_dtype: Literal["float32", "bfloat16"] = "float32"
    device: str = "auto"

    @classmethod
    def finetune(cls, **options: Any) -> TrainConfig:
        """Defaults for going on with a pretrained model."""
        defaults: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 3e-4, "warmup_share": 0.05}
        return cls(**{**defaults, **options})

    @classmethod
    def joint(cls, **options: Any) -> TrainConfig:
        """Defaults for training model and bottleneck together, from a trained base (docs/training.md has the runs)."""
        defaults: dict[str, Any] = {
            "epochs": 2.0,
            "learning_rate": 1.5e-3,
            "bottleneck_learning_rate": 5e-4,
            "warmup_share": 0.05,
        }
        return cls(**{**defaults, **options})

    def to_arguments(self, out: Path, total_steps: int) -> Seq2SeqTrainingArguments:
        """transformers' own arguments for a run whose checkpoints go to ``out``."""
        device = pick_device(self.device)
        options: dict[str, Any] = {
            "output_dir": str(out / "checkpoints"),
            "num_train_epochs": self.epochs,
            "max_steps": total_steps,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "learning_rate": self.learning_rate,
            "lr_scheduler_type": "linear",
            "warmup_steps": max(1, round(self.warmup_share * total_steps)),
            "max_grad_norm": 1.0,
            "logging_steps": self.log_steps,
            "save_steps": self.save_steps,
            "save_total_limit": 2,
            "seed": self.seed,
            "data_seed": self.seed,
            "use_cpu": device.type == "cpu",
            "remove_unused_columns": False,
            "report_to": ["tensorboard"],
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
        }
        arguments = Seq2SeqTrainingArguments(**options)
        if arguments.n_gpu > 1:
            raise CodeUnlearnError(
                f"{arguments.n_gpu} GPUs can be seen: start one process for each with `accelerate launch "
                "-m codeunlearn train ...`, or show it one by CUDA_VISIBLE_DEVICES=0."
            )
        return arguments
