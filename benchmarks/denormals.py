"""Times a training step of a trained model with denormal numbers counted as zero against one with them computed.

Random weights hardly make any; the gradients of a trained model do. Each contender runs in a process of its own, for threads keep
the setting they started with. Writes ``denormals.json``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from measuring import Report, Worker, answer_rounds, ratio, rounds

from codeunlearn.codebook import load_model, load_tokenizer
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.device import flush_denormals, keep_freed_memory
from codeunlearn.record import public_name
from codeunlearn.training.cross_entropy import cross_entropy

ROWS = 200
KINDS = ("flushed", "computed")


def work(kind: str, name: str, data: str) -> None:
    """Answers every line on stdin with the seconds of one forward and backward pass."""
    if kind == "flushed":
        flush_denormals()
    keep_freed_memory()
    model, tokenizer = load_model(name).train(), load_tokenizer(name)
    pairs = load_pairs(DataConfig(data, limit=ROWS)).dataset
    sources, targets = (
        tokenizer(list(pairs[side]), padding=True, return_tensors="pt") for side in ("source", "target")
    )
    labels = targets["input_ids"].masked_fill(targets["attention_mask"] == 0, -100)
    decoder_input_ids = model.prepare_decoder_input_ids_from_labels(labels)

    def step() -> None:
        output = model(**sources, decoder_input_ids=decoder_input_ids)
        loss: torch.Tensor = cross_entropy(output.logits, labels, 0.0)
        loss.backward()
        model.zero_grad()

    answer_rounds(step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-base", help="a trained model")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for denormals.json")
    parser.add_argument("--work", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.model, options.data)
        return
    report = Report("denormals", options.out, rows=ROWS, model=public_name(options.model))
    command = [sys.executable, __file__, "--model", options.model, "--data", options.data, "--work"]
    workers = {kind: Worker([*command, kind]) for kind in KINDS}
    for worker in workers.values():
        worker.go()  # the first pass warms up
    seconds = rounds({kind: worker.go for kind, worker in workers.items()}, options.rounds)
    report.add("time of a step with denormals over one without", ratio(seconds["computed"], seconds["flushed"]))
    report.save(seconds=seconds)
    print(f"written to {report.path}")


if __name__ == "__main__":
    main()
