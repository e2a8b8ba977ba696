"""Times the codebook search against what else could be used, round by round on the same data.

Each contender runs in a process of its own and is started once per round, so that all see the same machine. Prints one line
per size and writes ratios with their spread to ``search.json``. Run it on an idle machine: ``make bench``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from codeunlearn.codebook import top_s_reference
from codeunlearn.record import environment, write_json

OURS = "fast"
CONTENDERS = (OURS, "naive", "product", "faiss")
PEERS = {"faiss": "faiss-cpu==1.15.1"}
CHECKED_ROWS = 64


@dataclass(frozen=True)
class Size:
    """N activations against K codes of F numbers, S codes each."""

    n: int
    k: int
    s: int
    f: int = 512


SIZES = tuple(
    Size(n, k, s)
    for s in (8, 104)
    for n, k in ((256, 25_000), (1024, 4096), (1024, 25_000), (1024, 100_000), (4096, 25_000), (16_384, 25_000))
)


class Worker:
    """A contender in its own process: ``go`` lets it search once."""

    def __init__(self, contender: str, folder: Path, s: int, peers: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("search_worker.py")), contender, str(folder), str(s)]
        own = peers / contender
        paths = os.environ.get("PYTHONPATH", "")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{own}{os.pathsep}{paths}"},
        )
        self.go()  # the first run warms up

    def go(self) -> float:
        """Seconds of one search."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def install(peers: Path) -> list[str]:
    """Other libraries, each in a folder of its own; returns those that could not be had."""
    missing: list[str] = []
    for name, requirement in PEERS.items():
        if (peers / name).exists():
            continue
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(peers / name)]
        if subprocess.run([*command, requirement], check=False).returncode:
            missing.append(name)
    return missing


def make_data(size: Size, seed: int, folder: Path) -> None:
    """Encodings as the bottleneck makes them: rectified, normalised, the activations near to some of the codes."""
    generator = torch.Generator().manual_seed(seed)
    codes = F.layer_norm(torch.randn(size.k, size.f, generator=generator).relu(), (size.f,))
    origin = torch.randint(size.k, (size.n,), generator=generator)
    h = F.layer_norm(codes[origin] + torch.randn(size.n, size.f, generator=generator), (size.f,))
    np.save(folder / "codes.npy", codes.numpy())
    np.save(folder / "h.npy", h.numpy())


def agreement(folder: Path, contender: str, s: int) -> float | None:
    """Share of rows whose ids are the reference's, in order; None for a contender that finds none."""
    path = folder / f"{contender}.npy"
    if not path.exists():
        return None
    h, codes = (torch.from_numpy(np.load(folder / name)) for name in ("h.npy", "codes.npy"))
    expected = top_s_reference(h[:CHECKED_ROWS], codes, s).ids.numpy()
    return float((np.load(path)[:CHECKED_ROWS] == expected).all(1).mean())


def measure(size: Size, contenders: list[str], rounds: int, seed: int, peers: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(size, seed, folder)
        workers = {contender: Worker(contender, folder, size.s, peers) for contender in contenders}
        seconds: dict[str, list[float]] = {contender: [] for contender in contenders}
        for _ in range(rounds):
            for contender, worker in workers.items():
                seconds[contender].append(worker.go())
        for worker in workers.values():
            worker.stop()
        same = {contender: agreement(folder, contender, size.s) for contender in contenders}
    ratios = {
        contender: spread([other / ours for other, ours in zip(times, seconds[OURS], strict=True)])
        for contender, times in seconds.items()
        if contender != OURS
    }
    return {**asdict(size), "time_over_ours": ratios, "ids_as_reference": same, "seconds": seconds}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for search.json")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds per size")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    peers = options.out / "peers"
    missing = install(peers)
    contenders = [name for name in CONTENDERS if name not in missing]
    print(f"{'N':>6} {'K':>7} {'S':>4}   time of others over ours: median (lowest to highest round)")
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        row = measure(size, contenders, options.rounds, options.seed, peers)
        rows.append(row)
        cells = "   ".join(
            f"{name} {r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f})" for name, r in row["time_over_ours"].items()
        )
        print(f"{size.n:6} {size.k:7} {size.s:4}   {cells}   same ids {row['ids_as_reference'][OURS]:.0%}", flush=True)
        content = {"peers": PEERS, "rounds": options.rounds, "seed": options.seed, "environment": environment()}
        write_json(options.out / "search.json", {**content, "sizes": rows})
    print(f"written to {options.out / 'search.json'}")


if __name__ == "__main__":
    main()
