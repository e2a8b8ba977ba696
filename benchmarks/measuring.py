"""What every benchmark shares: contenders in processes of their own, ratios with their spread, the last committed beside them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from codeunlearn.device import has_fast_bf16
from codeunlearn.files import write_json
from codeunlearn.record import environment

COMMITTED = Path(__file__).parents[1] / "docs/results/performance"
Spread = dict[str, float]


class Worker:
    """A contender in its own process, which answers every line on stdin with a line on stdout."""

    def __init__(self, command: Sequence[str], env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def go(self) -> float:
        """Seconds of one round."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"A contender stopped (exit status {self._process.wait()}); its last words stand above.")
        return float(answer)

    def stop(self) -> str:
        """Ends the process; returns what it said last."""
        return self._process.communicate()[0]


def answer_rounds(action: Callable[[], Any]) -> Any:
    """The other end of a `Worker`: runs ``action`` once per line and prints the seconds; returns its last result."""
    found = None
    for _ in sys.stdin:
        taken, found = timed(action)
        print(taken, flush=True)
    return found


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def rounds(contenders: dict[str, Callable[[], float]], number: int) -> dict[str, list[float]]:
    """Seconds of every contender, round by round, all of them once per round."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(number):
        for name, go in contenders.items():
            seconds[name].append(go())
    return seconds


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Median, lowest and highest of the ratios of two contenders' rounds."""
    values = [a / b for a, b in zip(over, under, strict=True)]
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def committed_ratios(name: str) -> dict[str, Spread]:
    """The ratios of a benchmark that were committed last, by label; none where it has not been."""
    path = COMMITTED / f"{name}.json"
    return json.loads(path.read_text("utf-8")).get("ratios", {}) if path.exists() else {}


class Report:
    """Ratios of one benchmark, printed beside the last committed ones as they come, and written to ``OUT/NAME.json``.

    Processors with fast bf16 products have files of their own, ``NAME-bf16.json``: other ratios are to be expected there. What a
    GPU does has one file, whatever the processor beside it.
    """

    def __init__(self, name: str, out: Path, *, of_gpu: bool = False, **about: Any) -> None:
        name += "-bf16" if not of_gpu and has_fast_bf16(torch.device("cpu")) else ""
        self.path = out / f"{name}.json"
        self.content: dict[str, Any] = {**about, "ratios": {}, "environment": environment()}
        self._last = committed_ratios(name)
        print(f"{name}: median (lowest to highest round), and the median that was last committed", flush=True)

    def add(self, label: str, found: Spread) -> None:
        self.content["ratios"][label] = found
        last = f"{self._last[label]['median']:.2f}" if label in self._last else "none"
        print(
            f"  {label:58} {found['median']:6.2f} ({found['low']:.2f} to {found['high']:.2f})   last {last}", flush=True
        )

    def save(self, **more: Any) -> None:
        self.content |= more
        write_json(self.path, self.content)
