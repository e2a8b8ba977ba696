"""Binds what the benchmarks left in a folder: one ``bench.json`` and one page, each ratio beside the one last committed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measuring import Spread, committed_ratios

from codeunlearn.files import write_json

BOUND = "bench"


def page(benchmarks: dict[str, Any]) -> str:
    """Markdown: a table for each benchmark, and what it ran on."""
    parts = [
        "# Benchmarks\n\nMedian and, in parentheses, the lowest and highest round; last: the median that was last committed.\n"
    ]
    for name, content in benchmarks.items():
        last = committed_ratios(name)
        rows = "".join(
            f"| {label} | {ratio['median']:.2f} | {ratio['low']:.2f} to {ratio['high']:.2f} | {_last(last, label)} |\n"
            for label, ratio in content["ratios"].items()
        )
        machine = ", ".join(f"{key} {value}" for key, value in content["environment"].items())
        parts.append(f"## {name}\n\n| | median | rounds | last |\n|---|---:|---:|---:|\n{rows}\n{machine}\n")
    return "\n".join(parts)


def _last(ratios: dict[str, Spread], label: str) -> str:
    return f"{ratios[label]['median']:.2f}" if label in ratios else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder with the benchmarks' JSON files")
    options = parser.parse_args()
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(options.out.glob("*.json"))}
    found.pop(BOUND, None)
    if not found:
        sys.exit(f"There is no benchmark in {options.out}; run one first, for example `make bench`.")
    write_json(options.out / f"{BOUND}.json", found)
    (options.out / f"{BOUND}.md").write_text(page(found), encoding="utf-8")
    print(f"written to {options.out / BOUND}.json and {options.out / BOUND}.md")


if __name__ == "__main__":
    main()
