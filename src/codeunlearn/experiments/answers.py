"""What every system of one unit said, kept so that scores can be made again without asking once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.validation import validated


def placebo_name(draw: int) -> str:
    """The system of a random deletion, by its number from 1."""
    return f"placebo {draw}"


def is_placebo(system: str) -> bool:
    """Whether a system is one of these draws."""
    return system.startswith("placebo ")


@dataclass(frozen=True)
class UnitAnswers:
    """All answers of one topic and seed, in the order of the sets.

    Attributes:
        tests: the sets.
        before: of the codebook model.
        systems: of other models, by name.
        deleted: of the codebook model with codes deleted, by name of the system.
        codes: how many codes these are.
        placebos: with random codes deleted, one list for each draw.
        placebo_use: tokens that select the topic's codes (``topic``) and the random ones on average (``placebo``).
        placebo_ids: the random codes, one list for each draw; older versions did not keep them.
    """

    tests: list[TestSet]
    before: list[str]
    systems: dict[str, list[str]]
    deleted: dict[str, list[str]]
    codes: dict[str, int]
    placebos: list[list[str]]
    placebo_use: dict[str, float]
    placebo_ids: list[list[int]] = field(default_factory=list[list[int]])

    def by_system(self, before: str) -> dict[str, list[str]]:
        """All of them by the names of their systems, the codebook model as ``before``."""
        drawn = {placebo_name(draw): texts for draw, texts in enumerate(self.placebos, start=1)}
        return {before: self.before, **self.systems, **self.deleted, **drawn}

    def of(self, texts: Sequence[str], test: TestSet) -> list[str]:
        """The part of ``texts`` that belongs to a set."""
        start = sum(len(t.examples) for t in self.tests[: self.tests.index(test)])
        return list(texts[start : start + len(test.examples)])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; of a deletion only the answers that it changed."""
        return {
            **{name: getattr(self, name) for name in ("before", "systems", "codes", "placebo_use", "placebo_ids")},
            "tests": [asdict(test) for test in self.tests],
            "deleted": {name: self._changed(texts) for name, texts in self.deleted.items()},
            "placebos": [self._changed(texts) for texts in self.placebos],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "answers") -> UnitAnswers:
        """What `to_dict` gave, as it came back from a file.

        Args:
            where: the file, for the message.

        Raises:
            CodeUnlearnError: it is something else, or damaged.
        """
        saved = validated(_SavedAnswers, content, where)
        before = saved.before
        if len(before) != sum(len(test.examples) for test in saved.tests):
            raise CodeUnlearnError(f"{where} is damaged: it holds another number of answers than of prompts.")

        def whole(changed: Mapping[int, str]) -> list[str]:
            return [changed.get(place, text) for place, text in enumerate(before)]

        return cls(
            tests=saved.tests,
            before=before,
            systems=saved.systems,
            deleted={name: whole(changed) for name, changed in saved.deleted.items()},
            codes=saved.codes,
            placebos=[whole(changed) for changed in saved.placebos],
            placebo_use=saved.placebo_use,
            placebo_ids=saved.placebo_ids,
        )

    def _changed(self, texts: Sequence[str]) -> dict[str, str]:
        return {str(i): new for i, (new, old) in enumerate(zip(texts, self.before, strict=True)) if new != old}


@dataclass(frozen=True)
class _SavedAnswers:
    """The file of `UnitAnswers`: of a deletion only what it changed, by the prompt's place."""

    tests: list[TestSet]
    before: list[str]
    systems: dict[str, list[str]]
    deleted: dict[str, dict[int, str]]
    codes: dict[str, int]
    placebos: list[dict[int, str]]
    placebo_use: dict[str, float]
    placebo_ids: list[list[int]] = field(default_factory=list[list[int]])
