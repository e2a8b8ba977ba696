"""Times a joint training step against the same step of the plain model, T5-small with K = 25,000, and their peak memory.

Both take the same batch in turn, each in a process of its own. Writes ``training.json``.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import T5Config, T5ForConditionalGeneration

from codeunlearn.codebook import BottleneckConfig, attach
from codeunlearn.record import environment, write_json
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.joint import JointTrainer
from codeunlearn.training.tokenizer import train_tokenizer
from codeunlearn.training.trainer import PlainTrainer

LENGTH = 32
ROWS = 64


def make_trainer(kind: str, folder: Path) -> PlainTrainer:
    """A trainer for a randomly initialised T5-small, as far as `train` would build one."""
    torch.manual_seed(0)
    model: Any = T5ForConditionalGeneration(T5Config(decoder_start_token_id=0, dropout_rate=0.0))  # pyright: ignore[reportCallIssue]
    tokens = torch.randint(3, 32_000, (ROWS, LENGTH)).tolist()
    pairs = Dataset.from_dict({"input_ids": tokens, "labels": tokens})
    tokenizer = train_tokenizer(["a dog runs", "the cat sees a dog"], vocab_size=64)
    config = TrainConfig.joint(optimizer="adamw", batch_tokens=2 * ROWS * LENGTH, max_steps=1, device="cpu")
    if kind == "plain":
        return PlainTrainer(model, config, pairs, tokenizer, folder)
    return JointTrainer(attach(model, BottleneckConfig()), config, pairs, tokenizer, folder)


def work(kind: str) -> None:
    """Answers every line on stdin with the seconds of one step, and the end of it with the peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(kind, Path(folder))
        optimizer = trainer.create_optimizer()
        model: Any = trainer.model
        model.train()
        (batch,) = iter(trainer.get_train_dataloader())
        for _ in sys.stdin:
            began = time.perf_counter()
            with trainer.compute_loss_context_manager():
                loss: Any = trainer.compute_loss(model, dict(batch))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            print(time.perf_counter() - began, flush=True)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for training.json")
    parser.add_argument("--rounds", type=int, default=7, help="timed steps of each")
    parser.add_argument("--work", choices=("plain", "joint"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return
    command = [sys.executable, __file__, "--work"]
    workers = {
        kind: subprocess.Popen([*command, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for kind in ("plain", "joint")
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in workers}
    for _ in range(options.rounds + 1):
        for kind, worker in workers.items():
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
            seconds[kind].append(float(worker.stdout.readline()))
    peak = {kind: float(worker.communicate()[0]) for kind, worker in workers.items()}
    ratios = [joint / plain for joint, plain in zip(seconds["joint"][1:], seconds["plain"][1:], strict=True)]
    print(
        f"a joint step takes {statistics.median(ratios):.2f} times a plain one ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"plain {statistics.median(seconds['plain'][1:]):.2f} s; peak memory {peak['joint']:.0f} against {peak['plain']:.0f} MB"
    )
    write_json(
        options.out / "training.json",
        {
            "rows": ROWS,
            "length": LENGTH,
            "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
            "seconds": seconds,
            "peak_megabytes": peak,
            "environment": environment(),
        },
    )
    print(f"written to {options.out / 'training.json'}")


if __name__ == "__main__":
    main()
