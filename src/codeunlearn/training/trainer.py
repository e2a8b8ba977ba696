"""The Trainer that knows shape-stable batches, two learning rates and, when there is a bottleneck, the joint loss."""

from __future__ import annotations

import shutil
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase, PrinterCallback, Seq2SeqTrainer, TrainerState

from codeunlearn.codebook.encoding import pad_id
from codeunlearn.codebook.prompts import goes_on
from codeunlearn.device import has_fast_bf16, processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs
from codeunlearn.files import reason
from codeunlearn.tasks.batches import IGNORED_LABEL, PadToStep, ShapeBatchSampler, decoder_inputs
from codeunlearn.training.checkpoints import STATE, WEIGHTS, checkpoints, fault_of, seal
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.cross_entropy import cross_entropy
from codeunlearn.training.dropout import use_sentence_dropout
from codeunlearn.training.optimizer import make_optimizer
from codeunlearn.training.progress import TrainingProgress

with needs("train"):
    import tensorboard  # noqa: F401 # pyright: ignore[reportUnusedImport]
    from accelerate.data_loader import prepare_data_loader


class PlainTrainer(Seq2SeqTrainer):
    """`Seq2SeqTrainer` with `ShapeBatchSampler` and `make_optimizer`: trains the model without a bottleneck.

    Args:
        model: an encoder-decoder model, one that goes on with a text, or a classifier.
        config: how to train.
        train_pairs: columns ``input_ids`` and ``labels``, see `Task.rows`.
        out: folder for checkpoints and logs.
    """

    def __init__(
        self, model: Any, config: TrainConfig, train_pairs: Dataset, tokenizer: PreTrainedTokenizerBase, out: Path
    ) -> None:
        self.config, self.out = config, out
        if config.dropout is not None:
            use_sentence_dropout(model, config.dropout)
        sources = list(map(len, train_pairs["input_ids"]))
        two_sides = model.config.is_encoder_decoder  # else the labels are no rows of their own
        targets = list(map(len, train_pairs["labels"])) if two_sides else [0] * len(sources)
        lengths = list(zip(sources, targets, strict=True))
        self.batch_sampler = ShapeBatchSampler(lengths, config.batch_tokens, config.seed, *processes())
        steps = round(config.epochs * len(self.batch_sampler) / config.gradient_accumulation_steps)
        steps = min(steps, config.max_steps) if config.max_steps else steps
        super().__init__(
            model=model,
            args=config.to_arguments(out, max(1, steps)),
            train_dataset=train_pairs,
            data_collator=PadToStep(pad_id(tokenizer)),  # pyright: ignore[reportArgumentType]
            processing_class=tokenizer,
            callbacks=[TrainingProgress()],
        )
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False  # our losses are means over a batch, whatever transformers' own are

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader = DataLoader(
            self.train_dataset,  # pyright: ignore[reportArgumentType]
            batch_sampler=self.batch_sampler,
            collate_fn=self.data_collator,
        )
        # As one process, because the sampler has already taken this process' share.
        return prepare_data_loader(loader, self.accelerator.device, 1, 0, put_on_device=True)

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> AbstractContextManager[Any]:
        """bf16 where it is fast. The Trainer's own ``bf16`` would also copy every output, all logits, to float32."""
        device = self.accelerator.device
        return torch.autocast(device.type, torch.bfloat16, has_fast_bf16(device), cache_enabled)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """Cross-entropy, smoothed as the config says."""
        output, loss = self.run_with_cross_entropy(model, inputs)
        return (loss, output) if return_outputs else loss

    def run_with_cross_entropy(self, model: Any, inputs: dict[str, Tensor], **options: bool) -> tuple[Any, Tensor]:
        """The model's output and `cross_entropy`; labels are kept from the model, whose own loss is slow."""
        inputs = dict(inputs)
        labels = inputs.pop("labels")
        plain: Any = self.accelerator.unwrap_model(model)
        if plain.config.is_encoder_decoder:
            inputs["decoder_input_ids"] = decoder_inputs(plain, labels)
            output = model(**inputs, **options)
        elif goes_on(plain):
            labels = pad(labels[:, 1:], (0, 1), value=IGNORED_LABEL)  # each token is foretold by the one before
            output = model(**inputs, **options, use_cache=False)
        else:
            labels = labels[:, 0]  # a class; the rest is padding
            output = model(**inputs, **options)
        return output, cross_entropy(output.logits, labels, self.config.label_smoothing)

    checkpoint_files: tuple[str, ...] = ()
    """What a checkpoint needs beside the Trainer's own files."""

    def last_whole_checkpoint(self) -> Path | None:
        """The newest checkpoint from which to go on; damaged ones are passed over, with a warning that names them."""
        found = checkpoints(self.out)
        for folder in found:
            fault = fault_of(folder, self.model, self.checkpoint_files)  # pyright: ignore[reportArgumentType]
            if not fault:
                return folder
            warnings.warn(f"{folder} is damaged ({fault}) and is passed over.", stacklevel=2)
        if found:
            warnings.warn("No whole checkpoint is left: the training starts from the beginning.", stacklevel=2)
        return None

    def take_if_finished(self, checkpoint: Path) -> bool:
        """Takes model and log of a checkpoint whose steps are all done; of another one nothing.

        The Trainer would do one more step.
        """
        state = TrainerState.load_from_json(str(checkpoint / STATE))
        if state.global_step < self.args.max_steps:
            return False
        self.model.load_state_dict(load_file(checkpoint / WEIGHTS), strict=False)  # pyright: ignore[reportOptionalMemberAccess]
        self.state = state
        return True

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """As the Trainer's; when all is written, a list of the files says so. A checkpoint that cannot be written goes.

        Raises:
            CodeUnlearnError: it cannot be written, as where there is no space.
        """
        folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
        if self.args.should_save and folder.exists():
            shutil.rmtree(folder)
        self.accelerator.wait_for_everyone()
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                seal(folder)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch says RuntimeError where there is no space
            shutil.rmtree(folder, ignore_errors=True)
            raise CodeUnlearnError(f"{folder} cannot be written ({reason(error)}).") from error

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:  # pyright: ignore[reportUnnecessaryComparison]
            config = self.config
            self.optimizer = make_optimizer(
                model or self.model,  # pyright: ignore[reportArgumentType]
                config.optimizer,
                config.learning_rate,
                config.bottleneck_learning_rate or config.learning_rate,
                config.weight_decay,
            )
        return self.optimizer
