"""Times the fast top-S search against its reference and against one plain matrix product with ``topk``.

Prints one line per size and writes all timings to ``search.json``. Run it on an idle machine: ``make bench``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook import PreparedCodes, Selection, top_s, top_s_reference
from codeunlearn.record import environment, write_json

TOP_S = 8
Search = Callable[[Tensor, Tensor, int], Selection]


@dataclass(frozen=True)
class Size:
    """N activations against K codes of F numbers."""

    activations: int
    codes: int
    code_dim: int


SIZES = (Size(512, 2048, 128), Size(1024, 8192, 256), Size(1024, 25_000, 512))


def naive(h: Tensor, codes: Tensor, s: int) -> Selection:
    """What one would write first; it holds all similarities at once and does not settle ties."""
    best = (F.normalize(h, dim=-1) @ F.normalize(codes, dim=-1).T).topk(s, dim=-1)
    return Selection(best.indices, best.values)


def fast(h: Tensor, codes: Tensor, s: int) -> Selection:
    """What the codebook does; the codes are prepared anew each time, as in training."""
    return top_s(h, PreparedCodes(codes), s)


SEARCHES: dict[str, Search] = {
    "fast": fast,
    "naive": naive,
    "reference": top_s_reference,
}


def timed(search: Search, h: Tensor, codes: Tensor, repeats: int) -> tuple[Selection, list[float]]:
    """What the search finds, and the wall seconds of each repeat after one that is not counted."""
    found = search(h, codes, TOP_S)
    timings: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = search(h, codes, TOP_S)
        if h.is_cuda:
            torch.cuda.synchronize()
        timings.append(time.perf_counter() - began)
    return found, timings


def measure(size: Size, repeats: int, device: str, seed: int) -> dict[str, Any]:
    """Medians and ratios for one size; the fast ids are checked against the reference's."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(size.activations, size.code_dim, generator=generator).to(device)
    codes = torch.randn(size.codes, size.code_dim, generator=generator).to(device)
    results = {name: timed(search, h, codes, repeats) for name, search in SEARCHES.items()}
    medians = {name: statistics.median(seconds) for name, (_, seconds) in results.items()}
    same = (results["fast"][0].ids == results["reference"][0].ids).float().mean()
    return {
        **asdict(size),
        "median_seconds": medians,
        "speedup_over_reference": medians["reference"] / medians["fast"],
        "speedup_over_naive": medians["naive"] / medians["fast"],
        "ids_equal_to_reference": float(same),
        "seconds": {name: seconds for name, (_, seconds) in results.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for search.json")
    parser.add_argument("--repeats", type=int, default=3, help="timed repeats per search and size")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'N':>6} {'K':>6} {'F':>4}   {'fast':>9} {'naive':>9} {'reference':>9}   median milliseconds")
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        row = measure(size, options.repeats, options.device, options.seed)
        rows.append(row)
        cells = " ".join(f"{1000 * row['median_seconds'][name]:9.1f}" for name in SEARCHES)
        print(
            f"{size.activations:6} {size.codes:6} {size.code_dim:4}   {cells}   "
            f"{row['speedup_over_naive']:.2f}x naive, {row['speedup_over_reference']:.2f}x reference"
        )
    write_json(
        options.out / "search.json",
        {"top_s": TOP_S, "device": options.device, "environment": environment(), "sizes": rows},
    )
    print(f"written to {options.out / 'search.json'}")


if __name__ == "__main__":
    main()
