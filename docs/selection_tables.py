"""Tables on how codes are found, from ``docs/results/selection``; ``fill_tables.py`` puts them into the pages."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import fmean, median
from typing import Any

from codeunlearn.evaluation.tradeoff import CurvePoint, TradeOff

SELECTION = Path(__file__).parent / "results/selection"
PRESETS = ("paper", "paired", "recommended")
CUT = "paper, cut short"  # its strongest codes only, which the paper does not do


def table(head: str, rows: list[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|---" * columns + "|", *rows]) + "\n"


def _read(name: str) -> Any:
    return json.loads((SELECTION / f"{name}.json").read_text(encoding="utf-8"))


def _selection() -> dict[str, list[Any]]:
    """By topic the results of its seeds."""
    found: dict[str, list[Any]] = {}
    for path in sorted(SELECTION.glob("*-[0-9].json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(row["topic"], []).append(row)
    return found


def _curve(row: Any, preset: str) -> TradeOff | None:
    """The curve of a preset; of ``paper`` the whole sets of its S' values, unless cut short."""
    content = {
        key: value
        for key, value in row["curves"].get(preset.removesuffix(", cut short"), {}).items()
        if key != "seconds"
    }
    points = [CurvePoint(**point) for point in content.pop("points", [])]
    if preset == "paper":
        points = [p for p in points if p.codes == max(other.codes for other in points if other.s_prime == p.s_prime)]
    return TradeOff(**content, points=points) if points else None


def _at(rows: list[Any], preset: str, loss: float) -> list[CurvePoint]:
    """Of every seed the point with the fewest codes at which the topic has lost so much; missing where none has."""
    curves = (_curve(row, preset) for row in rows)
    points = (curve.at_loss(loss) if curve else None for curve in curves)
    return [point for point in points if point is not None]


def _reached(rows: list[Any], preset: str, loss: float) -> str:
    points = _at(rows, preset, loss)
    if not points:
        return "not reached | "
    codes = [point.codes for point in points]
    deltas = [point.retain_chrf_delta for point in points]
    low, high = min(p.retain_low for p in points), max(p.retain_high for p in points)
    missing = "" if len(points) == len(rows) else f" ({len(points)} of {len(rows)} seeds)"
    return f"{fmean(codes):.0f}{missing} | {fmean(deltas):+.2f} ({low:+.2f} to {high:+.2f})"


def selection(loss: float = 95) -> str:
    rows = [
        f"| {topic} | {rows[0]['curves']['paper']['n_forget']} | "
        + " | ".join(_reached(rows, p, loss) for p in PRESETS)
        + " |"
        for topic, rows in _selection().items()
    ]
    return table(
        "| topic | N test |" + "".join(f" {p}: codes | chrF of the rest |" for p in ("paper", CUT, "recommended")), rows
    )


def claim() -> str:
    rows = [
        f"| {topic} | {rows[0]['curves']['paper']['n_forget']} | "
        f"{_reached(rows, 'paper', 95)} | {_reached(rows, 'recommended', 95)} |"
        for topic, rows in _selection().items()
    ]
    return table("| topic | test sentences | `paper`: codes | chrF (95 %) | `recommended`: codes | chrF (95 %) |", rows)


def selection_area() -> str:
    rows: list[str] = []
    columns = ("paper", CUT, "paired", "recommended")
    for topic, of_seed in _selection().items():
        cells: list[str] = []
        for preset in columns:
            curves = [curve for row in of_seed if (curve := _curve(row, preset))]
            areas = [area for curve in curves if not math.isnan(area := curve.area())]
            cells.append(
                f"{fmean(areas):+.2f}"
                if len(areas) == len(of_seed)
                else f"95 % reached by {len(areas)} of {len(of_seed)}"
            )
        rows.append(f"| {topic} | {' | '.join(cells)} |")
    return table("| topic | " + " | ".join(columns) + " |", rows)


def selection_side() -> str:
    """What happens to neighbours and to random codes."""
    rows: list[str] = []
    for topic, of_seed in _selection().items():
        first = of_seed[0]
        near = first["neighbours"]
        cells = [
            ", ".join(f"{name} {found[preset]:+.1f}" for name, found in near.items() if preset in found)
            for preset in PRESETS
        ]
        placebo = sorted(first["placebo"])
        ends = f"{placebo[0]:+.2f} to {placebo[-1]:+.2f}" if placebo else ""
        own = _at([first], "recommended", 95)
        rows.append(
            f"| {topic} | {' | '.join(cells)} | {ends} | {own[0].retain_chrf_delta:+.2f} |"
            if own
            else f"| {topic} | {' | '.join(cells)} | {ends} | not reached |"
        )
    head = "| topic | neighbours: paper | paired | recommended | placebo, 20 draws | recommended on the same text |"
    return table(head, rows)


def selection_times() -> str:
    rows: list[str] = []
    for preset in PRESETS:
        seconds = sorted(
            row["curves"][preset]["seconds"] for of in _selection().values() for row in of if preset in row["curves"]
        )
        rows.append(f"| {preset} | {median(seconds):.1f} s | {seconds[0]:.1f} to {seconds[-1]:.1f} s |")
    return table("| preset | median | range |", rows)


def selection_examples() -> str:
    lines: list[str] = []
    for topic, of_seed in _selection().items():
        found = of_seed[0]["examples"]
        for place in range(2):
            cells = [found[system][place] for system in ("source", "before", "paper", "recommended") if system in found]
            lines.append(f"| {topic} | {' | '.join(cells)} |")
    return table("| topic | source | before | paper | recommended |", lines)


def null_control() -> str:
    found = _read("null_control")["topics"]
    levels = list(found[0]["paper"])
    rows = [
        f"| {row['topic']} | {row['sentences']} | "
        + " | ".join(str(row[preset][level]) for preset in ("paper", "paired") for level in levels)
        + f" | {row['recommended']} |"
        for row in found
    ]
    head = "| topic | pairs |" + "".join(
        f" {preset}, S'={level} |" for preset in ("paper", "paired") for level in levels
    )
    return table(head + " recommended |", rows)


def planted_truth() -> str:
    """Codes of every set and what it leaves; the reference only where a set leaves 5 % or less."""
    found = _read("planted_truth")["topics"]
    names = ("greedy", "paper, S'=8", "paper, S'=72", "paired, S'=4", "recommended")
    rows: list[str] = []
    for topic in found:
        sets = topic["presets"]
        reference = sets["reference"]
        smallest = f"{reference['codes']}" if reference["topic_left"] <= 0.05 else "none"
        cells = [f"{sets[name]['codes']} ({100 * sets[name]['topic_left']:.0f} %)" for name in names]
        rows.append(f"| {topic['topic']} | {smallest} | {' | '.join(cells)} |")
    return table(f"| topic | reference | {' | '.join(names)} |", rows)


def planted_precision() -> str:
    names = ("paper, S'=8", "paper, S'=72", "paired, S'=4", "recommended")
    rows: list[str] = []
    for topic in _read("planted_truth")["topics"]:
        sets = [topic["presets"][name] for name in names]
        cells = [f"{100 * one['precision']:.0f} % / {100 * one['recall']:.0f} %" for one in sets]
        rows.append(f"| {topic['topic']} | {topic['topic_codes']} | {' | '.join(cells)} |")
    return table(f"| topic | topic codes | {' | '.join(names)} |", rows)


def deleted_slots() -> str:
    rows: list[str] = []
    for topic in _read("deleted_slots")["topics"]:
        for mode, content in topic["modes"].items():
            curve = {key: value for key, value in content.items() if key not in ("examples", "points")}
            points = [CurvePoint(**point) for point in content["points"]]
            at = TradeOff(**curve, points=points).at_loss(95)
            most = max(points, key=lambda point: point.topic_loss)
            point = at or most
            reached = "" if at else f" (most: {most.topic_loss:.0f} %)"
            rows.append(
                f"| {topic['topic']} | {mode} | {point.codes}{reached} | {point.retain_chrf_delta:+.2f} "
                f"({point.retain_low:+.2f} to {point.retain_high:+.2f}) | {point.forget_chrf_delta:+.1f} "
                f"| {point.degenerate:.0f} % |"
            )
    return table(
        "| topic | slot | codes | chrF of the rest (95 %) | chrF of the topic's sentences | broken outputs |", rows
    )


def slot_examples() -> str:
    rows: list[str] = []
    for topic in _read("deleted_slots")["topics"]:
        cells = [topic["sources"][0], topic["before"][0], *(found["examples"][0] for found in topic["modes"].values())]
        rows.append(f"| {' | '.join(cells)} |")
    modes = list(_read("deleted_slots")["topics"][0]["modes"])
    return table(f"| source | before | {' | '.join(modes)} |", rows)


TABLES = {
    "claim": claim,
    "selection": selection,
    "selection, 75": lambda: selection(75),
    "selection, 50": lambda: selection(50),
    "selection area": selection_area,
    "selection side": selection_side,
    "selection times": selection_times,
    "selection examples": selection_examples,
    "null control": null_control,
    "planted truth": planted_truth,
    "planted precision": planted_precision,
    "deleted slots": deleted_slots,
    "slot examples": slot_examples,
}
