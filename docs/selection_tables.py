"""Tables on how codes are found, from ``docs/results/selection``; ``fill_tables.py`` puts them into the pages."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from codeunlearn.evaluation.tradeoff import CurvePoint, TradeOff

SELECTION = Path(__file__).parent / "results/selection"
PRESETS = ("paper", "paired", "recommended")
WHOLE = "paper, whole sets"  # what the paper deletes; as "paper" alone it may stop at any size
LOSSES = (25, 50, 75, 95)


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


class _Seed(NamedTuple):
    """What one seed chose on validation for a loss, and how that did on test; whether it reached the loss on validation."""

    validation: CurvePoint
    test: CurvePoint
    reached: bool


def _chosen(content: Any, loss: float) -> _Seed:
    validation = TradeOff.from_dict(content["validation"])
    at = validation.at_loss(loss)
    point = at or max(validation.points, key=lambda one: one.topic_loss)
    same = (
        one
        for one in TradeOff.from_dict(content["test"]).points
        if (one.codes, one.s_prime) == (point.codes, point.s_prime)
    )
    return _Seed(point, next(same), at is not None)


def _seeds(rows: list[Any], preset: str, loss: float) -> list[_Seed]:
    return [_chosen(row["presets"][preset], loss) for row in rows if preset in row["presets"]]


def _cells(rows: list[Any], preset: str, loss: float) -> list[str]:
    """Codes of every seed, what of the recall went on test, change of chrF of the rest: means and the widest intervals."""
    seeds = _seeds(rows, preset, loss)
    tests = [seed.test for seed in seeds if seed.reached]
    if not tests:
        return ["not reached", "", ""]
    codes = ", ".join(f"{seed.test.codes}" if seed.reached else "-" for seed in seeds)
    lost = [
        (
            p.topic_loss,
            p.topic_loss if p.topic_loss_low is None else p.topic_loss_low,
            p.topic_loss_high or p.topic_loss,
        )
        for p in tests
    ]
    return [
        codes,
        _mean(lost, ".0f"),
        _mean([(p.retain_chrf_delta, p.retain_low, p.retain_high) for p in tests], "+.2f"),
    ]


def _mean(found: list[tuple[float, float, float]], form: str) -> str:
    values, lows, highs = zip(*found, strict=True)
    return f"{fmean(values):{form}} ({min(lows):{form}} to {max(highs):{form}})"


def _of_presets(presets: tuple[str, ...], loss: float) -> str:
    topics = _selection()
    rows = [
        f"| {topic} | {n_test(rows)} | " + " | ".join(cell for p in presets for cell in _cells(rows, p, loss)) + " |"
        for topic, rows in topics.items()
    ]
    head = "".join(f" {preset}: codes | recall lost, % | chrF of the rest |" for preset in presets)
    return table(f"| topic | test sentences |{head}", rows) + _missed(topics, presets, loss)


def n_test(rows: list[Any]) -> int:
    return next(iter(rows[0]["presets"].values()))["test"]["n_forget"]


def _missed(topics: dict[str, list[Any]], presets: tuple[str, ...], loss: float) -> str:
    """Where a loss was not reached on validation, and what the most was."""
    found = [
        f"{topic} with {preset}, seed {number} (at most {seed.validation.topic_loss:.0f} %, with {seed.test.codes} codes; "
        f"on test {seed.test.topic_loss:.0f} %)"
        for preset in presets
        for topic, rows in topics.items()
        for number, seed in enumerate(_seeds(rows, preset, loss))
        if not seed.reached
    ]
    return f"\nNot reached on validation: {'; '.join(found)}.\n" if found else ""


def selection(loss: float = 95) -> str:
    return _of_presets((WHOLE, "paper", "recommended"), loss)


def claim() -> str:
    return _of_presets(("paper", "recommended"), 95)


def selection_area() -> str:
    """Mean loss of chrF over the losses of recall, each at the size that was chosen for it."""
    rows: list[str] = []
    columns = (WHOLE, *PRESETS)
    for topic, of_seed in _selection().items():
        cells: list[str] = []
        for preset in columns:
            found = [seed for loss in LOSSES for seed in _seeds(of_seed, preset, loss)]
            missed = sum(not seed.reached for seed in _seeds(of_seed, preset, LOSSES[-1]))
            cost = 0.0 - fmean(seed.test.retain_chrf_delta for seed in found)
            cells.append(f"{cost:+.2f}" if not missed else f"95 % missed by {missed} of {len(of_seed)}")
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
        own = _chosen(first["presets"]["recommended"], 95).test.retain_chrf_delta
        rows.append(f"| {topic} | {' | '.join(cells)} | {ends} | {own:+.2f} |")
    head = "| topic | neighbours: paper | paired | recommended | placebo, 20 draws | recommended on the same text |"
    return table(head, rows)


def selection_times() -> str:
    rows: list[str] = []
    for preset in PRESETS:
        seconds = sorted(
            row["presets"][preset]["seconds"] for of in _selection().values() for row in of if preset in row["presets"]
        )
        rows.append(f"| {preset} | {median(seconds):.1f} s | {seconds[0]:.1f} to {seconds[-1]:.1f} s |")
    return table("| preset | median | range |", rows)


def selection_made() -> str:
    """Where and with what the measurement ran."""
    rows = [row for of in _selection().values() for row in of]
    machines = {json.dumps(row["environment"], sort_keys=True): row["environment"] for row in rows}
    return (
        "\n".join(
            f"Model {rows[0]['model']} ({rows[0]['fingerprint'][:8]}), data {rows[0]['data']}; {len(rows)} searches; "
            f"{one['processor']}, torch {one['torch']}, transformers {one['transformers']}, python {one['python']}."
            for one in machines.values()
        )
        + "\n"
    )


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
            seed = _chosen(content, 95)
            point = seed.test
            reached = "" if seed.reached else f" (most: {seed.validation.topic_loss:.0f} %)"
            rows.append(
                f"| {topic['topic']} | {mode} | {point.codes}{reached} | {point.topic_loss:.0f} % "
                f"| {point.retain_chrf_delta:+.2f} ({point.retain_low:+.2f} to {point.retain_high:+.2f}) "
                f"| {point.forget_chrf_delta:+.1f} | {point.degenerate:.0f} % |"
            )
    head = "| topic | slot | codes | recall lost | chrF of the rest (95 %) | chrF of the topic's sentences | broken outputs |"
    return table(head, rows)


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
    "selection area": selection_area,
    "selection side": selection_side,
    "selection times": selection_times,
    "selection made": selection_made,
    "selection examples": selection_examples,
    "null control": null_control,
    "planted truth": planted_truth,
    "planted precision": planted_precision,
    "deleted slots": deleted_slots,
    "slot examples": slot_examples,
}
