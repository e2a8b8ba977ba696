"""Times a joint training step against the same step of the plain model, T5-small with K = 25,000, and their peak memory.

All take the same batch in turn, each in a process of its own: beside these two a joint step whose decoder is under
``torch.compile`` (the first step shows what compiling costs for each shape of a batch; a compiled bottleneck would not record
what its losses need), and one without `keep_freed_memory`. Writes ``training.json``.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from measuring import Report, Worker, answer_rounds, ratio, rounds
from transformers import T5Config, T5ForConditionalGeneration

from codeunlearn.codebook import BottleneckConfig, attach
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.joint import JointTrainer
from codeunlearn.training.processor import keep_freed_memory
from codeunlearn.training.tokenizer import train_tokenizer
from codeunlearn.training.trainer import PlainTrainer

LENGTH = 32
ROWS = 64
KINDS = ("plain", "joint", "compiled", "fresh pages")


def make_trainer(kind: str, folder: Path, rows: int = ROWS, device: str = "cpu") -> PlainTrainer:
    """A trainer for a randomly initialised T5-small, as far as `train` would build one."""
    torch.manual_seed(0)
    model: Any = T5ForConditionalGeneration(T5Config(decoder_start_token_id=0, dropout_rate=0.0))  # pyright: ignore[reportCallIssue]
    tokens = torch.randint(3, 32_000, (rows, LENGTH)).tolist()
    pairs = Dataset.from_dict({"input_ids": tokens, "labels": tokens})
    tokenizer = train_tokenizer(["a dog runs", "the cat sees a dog"], vocab_size=64)
    config = TrainConfig.joint(optimizer="adamw", batch_tokens=2 * rows * LENGTH, max_steps=1, device=device)
    if kind == "plain":
        return PlainTrainer(model, config, pairs, tokenizer, folder)
    return JointTrainer(attach(model, BottleneckConfig()), config, pairs, tokenizer, folder)


def step_of(trainer: Any) -> Callable[[], None]:
    """One training step, on the same batch each time."""
    optimizer, model = trainer.create_optimizer(), trainer.model
    model.train()
    (batch,) = iter(trainer.get_train_dataloader())

    def step() -> None:
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(model, dict(batch))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def work(kind: str) -> None:
    """Answers every line on stdin with the seconds of one step, and the end of it with the peak memory in MB."""
    if kind != "fresh pages":
        keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        trainer: Any = make_trainer(kind, Path(folder))
        if kind == "compiled":
            trainer.model.get_decoder().compile()
        answer_rounds(step_of(trainer))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for training.json")
    parser.add_argument("--rounds", type=int, default=7, help="timed steps of each")
    parser.add_argument("--work", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return
    report = Report("training", options.out, rows=ROWS, length=LENGTH)
    workers = {kind: Worker([sys.executable, __file__, "--work", kind]) for kind in KINDS}
    first = {kind: worker.go() for kind, worker in workers.items()}
    seconds = rounds({kind: worker.go for kind, worker in workers.items()}, options.rounds)
    peak = {kind: float(worker.stop()) for kind, worker in workers.items()}
    report.add("time of a joint step over a plain one", ratio(seconds["joint"], seconds["plain"]))
    report.add("time of a compiled joint step over a joint one", ratio(seconds["compiled"], seconds["joint"]))
    report.add("time of a joint step on fresh pages over kept ones", ratio(seconds["fresh pages"], seconds["joint"]))
    report.add("peak memory of joint over plain", ratio([peak["joint"]], [peak["plain"]]))
    report.save(seconds=seconds, first_step_seconds=first, peak_megabytes=peak)
    print(f"written to {report.path}")


if __name__ == "__main__":
    main()
