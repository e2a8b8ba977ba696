"""One contender of ``search.py`` in a process of its own: reads ``go``, searches once, prints the seconds.

It runs with other libraries' Python too, so what a contender needs is imported by that contender alone.
"""

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
    """The floor: the product alone, in bf16 where that is fast, which finds nothing."""
    from codeunlearn.device import has_fast_bf16

    low_type = torch.bfloat16 if has_fast_bf16(torch.device("cpu")) else torch.float32
    unit, low = (F.normalize(torch.from_numpy(part), dim=-1).to(low_type) for part in (codes, h))

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


def codebook_features(h: Any, codes: Any, s: int) -> Search:
    """The search of codebook-features with the cosine; it also sums the codes, which is a small part of its time."""
    from codebook_features import models  # pyright: ignore[reportMissingImports]

    library: Any = models
    layer = library.CodebookLayer(codes.shape[1], len(codes), "key", kcodes=s)
    kwargs = {**layer.hook_kwargs, "cosine": True, "keep_k_codes": True}
    vectors = torch.from_numpy(codes)
    parts = torch.from_numpy(h).split(ROWS)

    @torch.no_grad()
    def run() -> Any:
        search = library.InnerProductSnapFunction.apply
        return torch.cat([search(part[None], vectors, s, kwargs)[1][0] for part in parts]).numpy()

    return run


def vector_quantize_pytorch(h: Any, codes: Any, s: int) -> Search:
    """The nearest code by the cosine, as VectorQuantize finds it; S = 1 is all it offers."""
    from vector_quantize_pytorch import VectorQuantize  # pyright: ignore[reportMissingImports]

    quantize: Any = VectorQuantize(
        dim=codes.shape[1], codebook_size=len(codes), use_cosine_sim=True, freeze_codebook=True
    ).eval()
    quantize.codebook = F.normalize(torch.from_numpy(codes), dim=-1)
    parts = torch.from_numpy(h).split(ROWS)

    @torch.no_grad()
    def run() -> Any:
        return torch.cat([quantize(part[None])[1][0] for part in parts])[:, None].numpy()

    return run


def main() -> None:
    name, folder, s = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    contender: Callable[[Any, Any, int], Search] = globals()[name.replace("-", "_")]
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
