"""Tables of the benchmarks' committed results, one Markdown file each; ``docs/fill_tables.py`` puts them into the pages.

python benchmarks/tables.py docs/results/performance
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _ratio(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def search(found: Any) -> str:
    """Every contender that was there; others' times over ours."""
    wanted = ("naive", "faiss", "codebook-features", "vector-quantize-pytorch", "product")
    there = [one for one in wanted if any(label.endswith(f": {one} over ours") for label in found["ratios"])]
    rows: list[list[str]] = []
    for size in found["sizes"]:
        label = f"N={size['n']} K={size['k']} S={size['s']}"
        ratios = (found["ratios"].get(f"{label}: {one} over ours") for one in there)
        cells = [_ratio(ratio) if ratio else "" for ratio in ratios]
        rows.append([f"{size['n']:,}", f"{size['k']:,}", str(size["s"]), *cells])
    return table(["N", "K", "S", *there], rows)


def search_ids(found: Any) -> str:
    """On what share of the checked rows each search found the reference's codes in order: lowest over all sizes."""
    sizes = [size["ids_as_reference"] for size in found["sizes"]]
    shares = {
        one: [size.get(one) for size in sizes] for size in sizes for one, share in size.items() if share is not None
    }
    rows = [[one, f"{100 * min(share for share in of if share is not None):.0f} %"] for one, of in shares.items()]
    return table(["search", "rows with the reference's codes, lowest over all sizes"], rows)


def ratios(found: Any) -> str:
    """All that are not of one size of the search."""
    shown = {label: ratio for label, ratio in found["ratios"].items() if "N=" not in label}
    return table(["", "ratio"], [[label, _ratio(ratio)] for label, ratio in shown.items()])


def scaling(found: Any) -> str:
    rows = [
        [
            f"{p['num_codes']:,}", f"{p['sentences']:,}", f"{p['processes']} x {p['threads']}", f"{p['tokens']:,}",
            f"{p['seconds']:.1f} s", f"{p['megabytes']['peak'] - p['megabytes']['before']:,.0f} MB",
        ]
        for p in found["points"]
    ]  # fmt: skip
    return table(["K", "sentences", "processes x threads", "tokens", "seconds", "memory on top"], rows)


def training(found: Any) -> str:
    peak, spread = found["peak_megabytes"], found["ratios"]
    lines = [
        f"A joint step takes {_ratio(spread['time of a joint step over a plain one'])} times a plain one; peak memory "
        f"{peak['joint'] / 1000:.1f} GB against {peak['plain'] / 1000:.1f} GB."
    ]
    fresh = spread.get("time of a joint step on fresh pages over kept ones")
    if fresh:
        compiled = spread["time of a compiled joint step over a joint one"]
        lines.append(
            f"On fresh pages it takes {_ratio(fresh)} times as long as on kept ones, with a peak of "
            f"{peak['fresh pages'] / 1000:.1f} GB; with a compiled decoder {_ratio(compiled)} times as long, after "
            f"{found['first_step_seconds']['compiled']:.0f} s for the first step."
        )
    return "\n".join(lines) + "\n"


def gpu_search(found: Any) -> str:
    """The fused search on a GPU: its time and memory beside other ways and the product alone."""
    names = ("library over fused", "naive over fused", "naive bf16 over fused", "fused over the product")
    rows: list[list[str]] = []
    for size in found["search"]:
        label = f"N={size['n']} K={size['k']} S={size['s']}"
        milliseconds = 1000 * statistics.median(size["seconds"]["fused"])
        memory = (f"{size['peak_megabytes'][name]:,.0f}" for name in ("fused", "library", "naive"))
        spread = [_ratio(found["ratios"][f"{label}: {name}"]) for name in names]
        numbers = [f"{size['n']:,}", f"{size['k']:,}", str(size["s"]), f"{milliseconds:.2f} ms"]
        rows.append([*numbers, *spread, " / ".join(memory)])
    same = math.floor(100 * min(size["ids_as_reference"]["fused"] for size in found["search"]))
    where = f"{found['environment']['gpu']}, torch {found['environment']['torch']}"
    about = f"{where}; of 64 rows checked in each line, at least {same} % have the reference's codes.\n"
    heads = ["library / ours", "naive / ours", "naive bf16 / ours", "ours / product", "MB: ours / library / naive"]
    return table(["N", "K", "S", "ours", *heads], rows) + "\n" + about


def topics(found: Any) -> str:
    """Searches, with the index of older versions where that was measured; and what a forget set takes."""
    index, applied = found.get("index"), found["forget_set"]
    rows = [
        [
            row["topic"], row["sentences"], f"{row['seconds']:.2f} s",
            *([f"{row['with_index']:.2f} s"] if index else []),
        ]
        for row in found["topics"]
    ]  # fmt: skip
    about = index and (
        f"The index holds {index['tokens']:,} tokens in {index['bytes'] / 1e6:.0f} MB; it was built in {index['seconds']:.0f} s. "
    )
    about = (about or "") + (
        f"A forget set of {applied['codes']} codes ({applied['bytes'] / 1000:.0f} kB) is applied in {applied['apply']:.2f} s, "
        f"undone in {applied['undo']:.2f} s and committed in {applied['commit']:.2f} s.\n"
    )
    heads = ["topic", "sentences", *(["without index", "with index"] if index else ["seconds"])]
    return table(heads, rows) + "\n" + about


TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "search": ("search", search),
    "search-ids": ("search", search_ids),
    "search-bf16": ("search-bf16", search),
    "translation": ("translation", ratios),
    "translation-bf16": ("translation-bf16", ratios),
    "scaling": ("scaling", scaling),
    "scaling-bf16": ("scaling-bf16", scaling),
    "training": ("training", training),
    "training-bf16": ("training-bf16", training),
    "topics": ("topics", topics),
    "gpu-search": ("gpu", gpu_search),
    "gpu": ("gpu", ratios),
}
"""By name of the table: the results it is made of, and how."""


def main() -> None:
    folder = Path(sys.argv[1])
    for name, (source, make) in TABLES.items():
        if (path := folder / f"{source}.json").exists():
            (folder / f"{name}.md").write_text(make(json.loads(path.read_text("utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
