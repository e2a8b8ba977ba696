"""Times the codebook search against what else could be used, round by round on the same data.

Each contender runs in a process of its own and is started once per round, so that all see the same machine. Other libraries
are installed below OUT/peers. Run it on an idle machine: ``make bench``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Report, Worker, ratio, rounds
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook import top_s_reference

OURS = "fast"
OTHERS = ("naive", "product", "faiss", "codebook-features", "vector-quantize-pytorch")
ONE_CODE_ONLY = "vector-quantize-pytorch"
CHECKED_ROWS = 64


@dataclass(frozen=True)
class Size:
    """N activations against K codes of F numbers, S codes each."""

    n: int
    k: int
    s: int
    f: int = 512

    def __str__(self) -> str:
        return f"N={self.n} K={self.k} S={self.s}"


SIZES = tuple(
    Size(n, k, s)
    for s in (1, 8, 104)
    for n, k in ((256, 25_000), (1024, 4096), (1024, 25_000), (1024, 100_000), (4096, 25_000), (16_384, 25_000))
    if s > 1 or n == 1024
)


def install(peers: Path) -> dict[str, tuple[str, str]]:
    """Other libraries, each where it disturbs nothing else; a Python and a PYTHONPATH for each that could be had."""
    found: dict[str, tuple[str, str]] = {}
    for name, requirements in {
        "faiss": ["faiss-cpu==1.15.1"],
        "vector-quantize-pytorch": [
            "vector-quantize-pytorch==1.32.0",
            *("einops", "einx", "loguru", "torch-einops-utils", "frozendict"),
        ],
    }.items():
        own = peers / name
        if own.exists() or pip(sys.executable, "install", "--no-deps", "--target", str(own), *requirements):
            found[name] = sys.executable, str(own)
    own = peers / "codebook-features"
    if own.exists() or install_codebook_features(own):
        found["codebook-features"] = str(own / "bin/python"), ""
    return found


def install_codebook_features(own: Path) -> bool:
    """Into an environment of its own, because it needs old versions; the triton it asks for breaks today's torch."""
    subprocess.run([sys.executable, "-m", "venv", str(own)], check=True)
    python = str(own / "bin/python")
    torch_here = f"torch=={torch.__version__.partition('+')[0]}"
    wanted = [torch_here, "transformers<5", "typeguard<3", "codebook-features==0.1.2"]
    return pip(python, "install", *wanted) and pip(python, "uninstall", "--yes", "triton")


def pip(python: str, *arguments: str) -> bool:
    return not subprocess.run([python, "-m", "pip", "--quiet", *arguments], check=False).returncode


def start(contender: str, folder: Path, s: int, where: tuple[str, str]) -> Worker:
    python, path = where
    command = [python, str(Path(__file__).with_name("search_worker.py")), contender, str(folder), str(s)]
    worker = Worker(command, {**os.environ, "PYTHONPATH": path})
    worker.go()  # the first run warms up
    return worker


def encodings(size: Size, inputs: int, seed: int, device: torch.device) -> tuple[list[Tensor], Tensor]:
    """``inputs`` times N activations, and K codes, as the bottleneck makes them: rectified, normalised, the activations near to
    some of the codes."""
    generator = torch.Generator(device).manual_seed(seed)
    draw = partial(torch.randn, generator=generator, device=device)
    codes = F.layer_norm(draw(size.k, size.f).relu(), (size.f,))
    origins = torch.randint(size.k, (inputs, size.n), generator=generator, device=device)
    return [F.layer_norm(codes[origin] + draw(size.n, size.f), (size.f,)) for origin in origins], codes


def make_data(size: Size, seed: int, folder: Path) -> None:
    """Writes `encodings` for the contenders."""
    (h,), codes = encodings(size, 1, seed, torch.device("cpu"))
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


def measure(size: Size, contenders: dict[str, tuple[str, str]], number: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(size, seed, folder)
        workers = {contender: start(contender, folder, size.s, where) for contender, where in contenders.items()}
        seconds = rounds({contender: worker.go for contender, worker in workers.items()}, number)
        for worker in workers.values():
            worker.stop()
        same = {contender: agreement(folder, contender, size.s) for contender in contenders}
    return {**asdict(size), "ids_as_reference": same, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for search.json")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds per size")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    here = sys.executable, ""
    found = {OURS: here, "naive": here, "product": here, **install(options.out / "peers")}
    report = Report("search", options.out, rounds=options.rounds, seed=options.seed)
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        contenders = {name: where for name, where in found.items() if name != ONE_CODE_ONLY or size.s == 1}
        row = measure(size, contenders, options.rounds, options.seed)
        rows.append(row)
        for name in OTHERS:
            if name in contenders:
                report.add(f"{size}: {name} over ours", ratio(row["seconds"][name], row["seconds"][OURS]))
        report.save(sizes=rows)
    print(f"written to {report.path}")


if __name__ == "__main__":
    main()
