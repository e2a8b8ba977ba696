"""What is counted: by kind of trial, how many came out right and in which way the others did not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal[
    "traceback", "wrongly accepted", "loads as whole and is not", "chooses a deleted code", "something else"
]
RIGHT = "right"
FAULTS: dict[Fault, str] = {
    "traceback": "tracebacks",
    "wrongly accepted": "wrongly accepted",
    "loads as whole and is not": "load as whole and are not",
    "chooses a deleted code": "slots that choose a deleted code",
    "something else": "something else",
}


@dataclass
class Tally:
    """The trials of one kind.

    Attributes:
        kind: such as ``kill: apply``.
        counts: trials by verdict.
        failures: what is needed to try again, for every trial that was not right.
    """

    kind: str
    counts: Counter[str] = field(default_factory=Counter[str])
    failures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    def add(self, fault: Fault | None, trial: str, why: str = "", **more: Any) -> None:
        self.counts[fault or RIGHT] += 1
        if fault:
            self.failures.append({"kind": self.kind, "trial": trial, "fault": fault, "why": why[-3000:], **more})


def table(tallies: Sequence[Tally]) -> str:
    """Markdown, with a row of sums."""
    head = ["kind", "tried", "right", *FAULTS.values()]
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    total = Tally("**all**")
    for tally in tallies:
        total.counts.update(tally.counts)
    for tally in (*tallies, total):
        numbers = [tally.tried, tally.counts[RIGHT], *(tally.counts[fault] for fault in FAULTS)]
        lines.append(f"| {tally.kind} | {' | '.join(f'{number:,}' for number in numbers)} |")
    return "\n".join(lines) + "\n"


def as_json(tallies: Sequence[Tally], details: dict[str, Any]) -> str:
    counted = [{"kind": tally.kind, "counts": dict(tally.counts), "failures": tally.failures} for tally in tallies]
    return json.dumps({**details, "tallies": counted}, indent=1, ensure_ascii=True, default=str) + "\n"
