"""Scores: every system on every test set, and what sets a system apart from the one before.

Every difference is paired, on the same sentences, with a bootstrap interval; the paper's normalised improvement drop
(section 3.7) stands beside the raw difference and says when its denominator is within noise. What a system lost on a set
beyond what it lost on D_R is a difference in differences, of two independent sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import Role
from codeunlearn.evaluation.test_sets import FORGET
from codeunlearn.files import write_json
from codeunlearn.validation import NumberOrNan, read_state, validated

RECALL, CLOSED = "topic_word_recall", "closed"
NOT_DEFINED = "not defined: before is not clearly above the control prompt"
_MEND = "score the topic again with `codeunlearn evaluate`"


@dataclass(frozen=True)
class Row:
    """One metric of one system on one set, with its 95 % interval: bootstrap, or Wilson's at a rate of 0 or 100.

    Attributes:
        metric: ``closed`` too, on D'_T: the share of the way from the probability of the topic's words before to that
            under the control prompt, per cent; undefined (nan) where before is not clearly above the control.
        count: sentences that enter the metric.
        signature: all that the value depends on beside the texts.
    """

    system: str
    set: str
    metric: str
    value: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan
    count: int
    signature: str


@dataclass(frozen=True)
class Comparison:
    """One metric of one system against the system before, on one set, paired, with 95 % bootstrap intervals.

    Attributes:
        delta: the system minus before.
        normalised: the paper's improvement drop in per cent: 0 is the model before, -100 the zero-shot model, also
            where lower is better. None for metrics that do not measure quality, and where there is no zero point.
        denominator_within_noise: before is not surely better than the zero-shot model, so ``normalised`` says nothing.
        beyond_retain: the delta minus that on D_R, which is resampled independently; None on D_R itself. Forgetting
            that is selective keeps it clear of 0 on D'_T.
    """

    system: str
    set: str
    metric: str
    before: NumberOrNan
    after: NumberOrNan
    delta: NumberOrNan
    low: NumberOrNan
    high: NumberOrNan
    normalised: float | None = None
    normalised_low: float | None = None
    normalised_high: float | None = None
    denominator_within_noise: bool = False
    beyond_retain: float | None = None
    beyond_retain_low: float | None = None
    beyond_retain_high: float | None = None


@dataclass(frozen=True)
class Sample:
    """One prompt, its first right answer, and each system's answer."""

    set: str
    prompt: str
    reference: str
    answers: dict[str, str]


@dataclass(frozen=True)
class Scores:
    """All scores of one topic.

    Attributes:
        topic: name of the topic.
        words: its words on the answer side, whose recall and probability are measured.
        sizes: sentences per set.
        systems: role by name, in the order in which they were scored.
        zero_point: what stands for the zero-shot model in normalised drops.
        rows: every system on every set.
        comparisons: every system after, control and attack against the one before; empty where there is none.
        samples: the first few prompts of each set.
        details: settings, seed, forget sets, token cost, versions and machine.
    """

    topic: str
    words: tuple[str, ...]
    sizes: dict[str, int]
    systems: dict[str, Role]
    zero_point: str
    rows: list[Row]
    comparisons: list[Comparison]
    samples: list[Sample] = field(default_factory=list[Sample])
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def of_role(self, *roles: Role) -> list[str]:
        """Names of the systems of these roles."""
        return [name for name, role in self.systems.items() if role in roles]

    def row(self, system: str, set_name: str, metric: str) -> Row | None:
        return self._rows.get((system, set_name, metric))

    def value(self, system: str, set_name: str, metric: str) -> float:
        """nan where it was not measured or is undefined."""
        row = self.row(system, set_name, metric)
        return math.nan if row is None else row.value

    def comparison(self, system: str, set_name: str, metric: str) -> Comparison | None:
        return self._comparisons.get((system, set_name, metric))

    def closed(self, system: str) -> Row | None:
        """How far the system has closed the topic; None where that was not measured, nan where it is not defined."""
        return self.row(system, FORGET, CLOSED)

    def __str__(self) -> str:
        """The first numbers of every system that is compared: how far the topic is closed, its words, and chrF on each set."""
        return "\n".join(line for name in self.of_role("after", "control", "attack") for line in self._lines(name))

    def _lines(self, system: str) -> Iterator[str]:
        closed = self.closed(system)
        if closed is not None and math.isfinite(closed.value):
            yield f"{system}: closed {closed.value:.0f} % ({closed.low:.0f} to {closed.high:.0f})"
        else:
            yield f"{system}:"
        for row in self.comparisons:
            if row.system == system and (row.metric == "chrf" or (row.set, row.metric) == (FORGET, RECALL)):
                change = f"{row.delta:+.1f}, 95 %: {row.low:+.1f} to {row.high:+.1f}"
                yield f"  {row.set}, {self.sizes[row.set]} sentences: {row.metric} {row.before:.1f} -> {row.after:.1f} ({change})"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def save(self, path: Path) -> None:
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Reads what `save` wrote, of older versions too; keys that it does not know are left out.

        Raises:
            CodeUnlearnError: it holds something else, or is damaged.
        """
        content = read_state(dict[str, Any], path, _MEND)
        try:
            return cls.from_dict(content, str(path))
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{str(error).rstrip('.')}; {_MEND}.") from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "scores") -> Scores:
        """What `to_dict` gave, as it came back from a file.

        Args:
            where: the file, for the message.

        Raises:
            CodeUnlearnError: it is something else, or damaged.
        """
        from codeunlearn.evaluation.older import older_scores

        return older_scores(content, where) or validated(cls, content, where)

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str], Row]:
        return {(row.system, row.set, row.metric): row for row in self.rows}

    @cached_property
    def _comparisons(self) -> dict[tuple[str, str, str], Comparison]:
        return {(row.system, row.set, row.metric): row for row in self.comparisons}
