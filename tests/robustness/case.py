"""A case: an input, and what is right for it. The verdicts are what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from outcome import Outcome
from place import Place

Verdict = Literal[
    "right",
    "traceback",
    "no end",
    "wrongly accepted",
    "wrong value",
    "wrongly refused",
    "unclear refusal",
    "left something behind",
    "ran code",
]
RAN = "ran"
"""A file that the code in a stranger's file makes in the place, if it is ever run."""
Check = Callable[[Outcome, Place], object]
"""Whether what was accepted is right: False, or an AssertionError, where it is not."""


@dataclass(frozen=True)
class Refused:
    """In one sentence that holds each of ``names``, with nothing changed on the disk.

    Attributes:
        may_change: whether a path may change all the same, such as the state of a training that goes on.
    """

    names: tuple[str, ...] = ()
    may_change: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True)
class Accepted:
    """Done, and ``check`` holds."""

    check: Check = lambda _outcome, _place: True


@dataclass(frozen=True)
class Either:
    """Refused as by ``refused``, or accepted as by ``accepted``: both are right."""

    refused: Refused
    accepted: Accepted


Right = Refused | Accepted | Either


def refused(*names: str) -> Refused:
    return Refused(names)


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: what is wrong with it.
        do: makes the input in a place of its own and runs what reads it.
        right: what shall come of it.
        always: it is part of `make test`; the soak judges the others too.
    """

    name: str
    do: Callable[[Place], Outcome]
    right: Right
    always: bool = True

    def judge(self, place: Place) -> tuple[Verdict, str]:
        """The verdict, and for people why."""
        return verdict(self.do(place), self.right, place)


def some(cases: Iterable[Case]) -> list[Case]:
    """Cases that are alike, as of a table of values: every fifth is part of `make test`."""
    return [replace(case, always=number % 5 == 0) for number, case in enumerate(cases)]


def made_always(cases: Iterable[Case]) -> list[Case]:
    """Those that `make test` judges."""
    return [case for case in cases if case.always]


def verdict(outcome: Outcome, right: Right, place: Place) -> tuple[Verdict, str]:
    if (place.path / RAN).exists():
        return "ran code", "code in the input was run"
    if outcome.kind in ("traceback", "no end"):
        return outcome.kind, outcome.trace
    if isinstance(right, Either):
        right = right.refused if outcome.kind == "refused" else right.accepted
    if isinstance(right, Refused):
        return _refusal(outcome, right)
    if outcome.kind == "refused":
        return "wrongly refused", outcome.sentence
    try:
        good = right.check(outcome, place)
    except Exception as error:  # an assertion that does not hold, or what was accepted cannot even be read
        return "wrong value", str(error) or "the check failed"
    return (
        ("right", "") if good else ("wrong value", f"shown: {outcome.shown[-500:]!r}, result: {outcome.result!r}"[:800])
    )


def _refusal(outcome: Outcome, right: Refused) -> tuple[Verdict, str]:
    if outcome.kind == "done":
        return "wrongly accepted", f"shown: {outcome.shown[-300:]!r}, said: {outcome.said[-300:]!r}"
    if outcome.code not in (0, 1, 2) or not _is_one_sentence(outcome):
        return "unclear refusal", f"exit code {outcome.code}: {outcome.said[-800:]!r}"
    if missing := [name for name in right.names if not outcome.names(name)]:
        return "unclear refusal", f"it does not name {missing[0]!r}: {outcome.sentence[:600]!r}"
    if left := [name for name in outcome.changed if not right.may_change(name)]:
        return "left something behind", f"{left[:5]} after {outcome.sentence[:200]!r}"
    return "right", ""


def _is_one_sentence(outcome: Outcome) -> bool:
    """One line behind ``Error:`` and nothing after it, or the one box that typer draws; of a call a message of one line."""
    if outcome.code == 0:
        return bool(outcome.said.strip()) and "\n" not in outcome.said.strip()
    if outcome.code == 2:
        return "Error" in outcome.said and "Usage:" in outcome.said
    lines = [line for line in outcome.said.splitlines() if line.strip()]
    return bool(lines) and sum(line.startswith("Error: ") for line in lines) == 1 and lines[-1].startswith("Error: ")


def expect(case: Case, place: Place) -> None:
    """For a test: fails with what was expected and what was found."""
    found, why = case.judge(place)
    assert found == "right", f"{found}: {why}"


def always(value: Any) -> Check:
    """The call returned this value."""
    return lambda outcome, _place: outcome.result == value
