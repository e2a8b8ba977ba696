"""One contender of ``search.py`` in a process of its own: reads ``go``, searches once, prints the seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

ROWS = 1024  # of the similarity matrix at one time, for contenders that hold one

Search = Callable[[], Any]


def fast(h: Any, codes: Any, s: int) -> Search:
    from codeunlearn.codebook import PreparedCodes, top_s

    h, prepared = torch.from_numpy(h), PreparedCodes(torch.from_numpy(codes))
    return lambda: top_s(h, prepared, s).ids.numpy()


def naive(h: Any, codes: Any, s: int) -> Search:
    """A float32 product and ``topk``, as one would write it first."""
    h, unit = torch.from_numpy(h), F.normalize(torch.from_numpy(codes), dim=-1)
    return lambda: torch.cat(
        [(F.normalize(part, dim=-1) @ unit.T).topk(s, dim=-1).indices for part in h.split(ROWS)]
    ).numpy()


def product(h: Any, codes: Any, s: int) -> Search:
    """The floor: the bf16 product alone, which finds nothing."""
    unit = F.normalize(torch.from_numpy(codes), dim=-1).bfloat16()
    low = F.normalize(torch.from_numpy(h), dim=-1).bfloat16()

    def run() -> None:
        for part in low.split(ROWS):
            _ = part @ unit.T

    return run


def faiss(h: Any, codes: Any, s: int) -> Search:
    """FAISS IndexFlatIP over normalised codes."""
    import faiss as library  # pyright: ignore[reportMissingImports]

    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    queries = h / np.linalg.norm(h, axis=1, keepdims=True)
    index: Any = library.IndexFlatIP(codes.shape[1])  # pyright: ignore[reportUnknownMemberType]
    index.add(unit)
    return lambda: index.search(queries, s)[1]


def main() -> None:
    name, folder, s = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    contender: Callable[[Any, Any, int], Search] = globals()[name]
    search = contender(np.load(folder / "h.npy"), np.load(folder / "codes.npy"), s)
    found = None
    for _ in sys.stdin:
        began = time.perf_counter()
        found = search()
        print(time.perf_counter() - began, flush=True)
    if found is not None:
        np.save(folder / f"{name}.npy", found)


if __name__ == "__main__":
    main()
