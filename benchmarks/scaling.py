"""How the search of a topic grows with K, sentences and processes: seconds and memory, all seven S' values.

The model is a T5-small with random weights, its codes the encodings of tokens of the corpus. Every point runs in a process of
its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from measuring import Report, ratio, timed
from random_models import small_t5

from codeunlearn.codebook import load_tokenizer
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.device import join_processes, processes
from codeunlearn.training.initialise import BuildConfig, initialise_from_data
from codeunlearn.training.processor import keep_freed_memory
from codeunlearn.unlearning import Paper


@dataclass(frozen=True)
class Point:
    """One search: K codes, sentences of the topic and as many controls, processes with one processor core each."""

    num_codes: int = 25_000
    sentences: int = 500
    processes: int = 1
    threads: int = 2

    def __str__(self) -> str:
        return f"K={self.num_codes} sentences={self.sentences} processes={self.processes}x{self.threads}"


BASE = Point()
POINTS = (
    BASE,
    *(Point(sentences=number) for number in (125, 250, 1000)),
    *(Point(num_codes=number) for number in (4096, 8192, 50_000)),
    Point(threads=1),
    Point(processes=2, threads=1),
)


def work(point: Point, tokenizer_of: str, data: str) -> None:
    """Prints seconds, peak memory and tokens of one search as JSON, on the first of its processes."""
    keep_freed_memory()
    torch.set_num_threads(point.threads)
    join_processes(torch.device("cpu"))
    model = small_t5(point.num_codes)
    tokenizer = load_tokenizer(tokenizer_of)
    texts: list[str] = list(load_pairs(DataConfig(data)).dataset["source"])
    random.Random(0).shuffle(texts)
    initialise_from_data(model, tokenizer, texts[:20_000], BuildConfig(fit_tokens=2_000, new_basis=False))
    number = point.sentences
    columns = texts[-number:], texts[-2 * number : -number]
    Paper().search(model, tokenizer, TopicSets.from_sentences("warm-up", columns[0][:16], [columns[1][:16]]))
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    sets = TopicSets.from_sentences("topic", columns[0], [columns[1]])
    seconds, found = timed(lambda: Paper().search(model, tokenizer, sets))
    peak = memory("VmHWM")
    counts = found.counts
    if processes().rank == 0:
        tokens = counts.n_topic_tokens + counts.n_control_tokens
        megabytes = {"before": before, "peak": peak}
        print(json.dumps({"seconds": seconds, "tokens": tokens, "megabytes": megabytes}))


def memory(field: str) -> float:
    """Megabytes of this process, as Linux says: VmRSS is what it has, VmHWM the most it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def finished(path: Path) -> dict[Point, dict[str, Any]]:
    """The points of a run that was interrupted; remove its file to measure them again."""
    rows = json.loads(path.read_text("utf-8"))["points"] if path.exists() else []
    names = [f.name for f in fields(Point)]
    return {Point(**{name: row[name] for name in names}): row for row in rows}


def run(point: Point, options: argparse.Namespace) -> dict[str, Any]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={point.processes}"]
    shape = json.dumps(asdict(point))
    arguments = [__file__, "--work", shape, "--tokenizer", options.tokenizer, "--data", options.data]
    command = [sys.executable, *(launcher if point.processes > 1 else []), *arguments]
    environ = {**os.environ, "OMP_NUM_THREADS": str(point.threads)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environ)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="models/en-fr-mini", help="model whose tokenizer is used")
    parser.add_argument("--data", required=True, help="parallel text; its source sentences are searched")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for scaling.json")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Point(**json.loads(options.work)), options.tokenizer, options.data)
        return
    report = Report("scaling", options.out, data=Path(options.data).name)
    done = finished(report.path)
    found: list[dict[str, Any]] = []
    for point in POINTS:
        found.append(done.get(point) or {**asdict(point), **run(point, options)})
        report.add(f"{point}: time over the first", ratio([found[-1]["seconds"]], [found[0]["seconds"]]))
        report.save(points=found)
    print(f"written to {report.path}")


if __name__ == "__main__":
    main()
