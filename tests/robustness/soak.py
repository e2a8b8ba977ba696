"""`make soak`: kills, races, malformed inputs and ways of running, counted.

Every trial is drawn from the seed. What fails is printed and kept, so that it can become a case of the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forks
import kills
import malformed
import races
import ways
from tally import Tally, as_json, table
from world import World, make_world

PARTS: dict[str, Callable[[World, int, Callable[[str], None]], Iterator[Tally]]] = {
    "kills": kills.run,
    "races": races.run,
    "malformed": malformed.run,
    "running": ways.run,
}
BEGIN, END = "<!-- table of make soak: begin -->", "<!-- table of make soak: end -->"


def main() -> int:
    options = _options()
    forks.prepare()
    began = time.monotonic()
    _say("Importing, and making a small world ...")
    import codeunlearn.cli.opening
    import codeunlearn.experiments.run  # noqa: F401

    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        (Path(folder) / "world").mkdir()
        world = make_world(Path(folder) / "world")
        tallies = [tally for part in options.part for tally in _part(part, world, options.seed, began)]
    details = _details(options, time.monotonic() - began)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "soak.json").write_text(as_json(tallies, details), encoding="utf-8")
    text = f"{table(tallies)}\n{_footnote(details)}\n"
    (options.out / "soak.md").write_text(text, encoding="utf-8")
    if options.page and options.part == list(PARTS):
        _fill(options.page, text)
    print(text)
    failures = [failure for tally in tallies for failure in tally.failures]
    for failure in failures:
        print(f"{failure['fault']}: {failure['kind']}: {failure['trial']}: {str(failure['why'])[-400:]}")
    print(f"Everything is in {options.out}.")
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="*", choices=[*PARTS, "all"], default=["all"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    parser.add_argument("--page", type=Path, help="a page with marks between which the table of all parts goes")
    options = parser.parse_args()
    options.part = list(PARTS) if "all" in options.part or not options.part else options.part
    return options


def _part(part: str, world: World, seed: int, began: float) -> Iterator[Tally]:
    for tally in PARTS[part](world, seed, _progress):
        _say(f"{time.monotonic() - began:6.0f} s  {tally.kind}: {tally.tried} tried, {len(tally.failures)} not right")
        yield tally


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:110]}")
        sys.stderr.flush()


def _say(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    print(text, file=sys.stderr, flush=True)


def _details(options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    from codeunlearn.record import environment

    return {
        "seed": options.seed,
        "parts": options.part,
        "minutes": round(seconds / 60, 1),
        "environment": environment(),
    }


def _footnote(details: dict[str, Any]) -> str:
    machine = details["environment"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("codeunlearn", "python", "torch", "transformers"))
    where = f"{details['minutes']} minutes on {machine['cores']} cores ({machine['processor']})"
    return f"`make soak`, seed {details['seed']}, {where}; {versions}."


def _fill(page: Path, text: str) -> None:
    """Puts the table between its marks."""
    content = page.read_text(encoding="utf-8")
    before, rest = content.split(BEGIN)
    _, behind = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
