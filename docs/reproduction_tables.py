"""Tables of the finished reproduction, from ``docs/results/reproduction``; ``fill_tables.py`` puts them into the pages."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from selection_tables import table

from codeunlearn.experiments.paper import numbers as paper

RESULTS = Path(__file__).parent / "results/reproduction/tatoeba-small"
SETS = {"forget": "D'_T", "retain": "D_R"}
COMPARED = ("bleu", "meteor_fr")
"""The metrics that the paper has too, under the same name."""

Row = dict[str, str]


@cache
def _rows(name: str) -> list[Row]:
    with (RESULTS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_made(name: str) -> str:
    """An artefact as the command wrote it, without its drawing."""
    text = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("![")).strip() + "\n"


def _topics() -> dict[str, dict[tuple[str, str], Row]]:
    """By topic, then by set and metric."""
    found: dict[str, dict[tuple[str, str], Row]] = {}
    for row in _rows("table2"):
        found.setdefault(row["topic"], {})[row["set"], row["metric"]] = row
    return found


def beside_the_paper() -> str:
    """Table 2's normalised drops, ours and the paper's."""
    lines: list[str] = []
    for topic, rows in _topics().items():
        for name, symbol in SETS.items():
            cells = [rows[name, metric] for metric in COMPARED]
            numbers = f"{cells[0]['n']} / {paper.N.get(topic.capitalize(), '')}"
            drops = " | ".join(f"{_drop(cell)} | {_number(cell['paper'], 0)}" for cell in cells)
            lines.append(f"| {topic} | {numbers} | {symbol} | {drops} |")
    return table("| topic | N, ours / paper | set | BLEU drop, % | paper | METEOR drop, % | paper |", lines)


def what_it_leaves_out() -> str:
    """Raw changes of chrF beside placebo, gold and unrelated sentences."""
    lines: list[str] = []
    for topic, rows in _topics().items():
        for name in dict.fromkeys(name for name, metric in rows if metric == "chrf"):
            row = rows[name, "chrf"]
            systems, placebo = _systems(row), _with_bounds(row, "placebo", "placebo_low", "placebo_high")
            beyond = _with_bounds(row, "beyond_retain", "beyond_retain_low", "beyond_retain_high")
            change = _with_bounds(row, "delta", "low", "high")
            lines.append(f"| {topic} | {SETS.get(name, name)} | {systems} | {change} | {beyond} | {placebo} |")
    head = "| topic | set | zero-shot | plain | codebook | unlearned | gold | change | beyond D_R | placebo |"
    return table(head, lines)


def knowledge() -> str:
    """The topic's words: said, and still known."""
    lines: list[str] = []
    for topic, rows in _topics().items():
        for metric, label in (
            ("topic_word_recall", "recall, %"),
            ("target_word_probability", "probability, %"),
            ("target_word_rank", "median rank"),
        ):
            row = rows["forget", metric]
            systems, placebo = _systems(row), _with_bounds(row, "placebo", "placebo_low", "placebo_high")
            lines.append(f"| {topic} | {_number(row['codes'], 0)} | {label} | {systems} | {placebo} |")
    return table(
        "| topic | codes | the topic's words on D'_T | zero-shot | plain | codebook | unlearned | gold | placebo, change |",
        lines,
    )


def _systems(row: Row) -> str:
    return " | ".join(_number(row[system]) for system in ("zero_shot", "plain", "codebook", "unlearned", "gold"))


def _drop(cell: Row) -> str:
    if cell["within_noise"] == "True":
        return "within noise"
    ends = [cell["normalised_low"], cell["normalised_high"]]
    return f"{_number(cell['normalised'], 0)} ({' to '.join(_number(end, 0) or 'unbounded' for end in ends)})"


def _number(value: str, decimals: int = 1) -> str:
    return f"{float(value):.{decimals}f}" if value else ""


def _with_bounds(row: Row, value: str, low: str, high: str) -> str:
    return f"{float(row[value]):+.1f} ({float(row[low]):+.1f} to {float(row[high]):+.1f})" if row[value] else ""


TABLES = {
    **{
        f"reproduction {name}": lambda name=name: as_made(name)
        for name in ("models", "table1", "table3", "table4", "table5", "pools", "ablations")
    },
    "reproduction beside the paper": beside_the_paper,
    "reproduction beyond the paper": what_it_leaves_out,
    "reproduction knowledge": knowledge,
}
