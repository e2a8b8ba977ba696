"""The curves of several topics in one folder, from which an interrupted sweep goes on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.curve import Curve, Point
from codeunlearn.evaluation.older import older_curves
from codeunlearn.evaluation.rows import write_csv
from codeunlearn.files import write_json, write_text
from codeunlearn.markdown import cell
from codeunlearn.validation import read_state, validated

FILE = "sweep.json"
TEXT, STATE = "text", "state"  # of the details: digests of the parallel text, and what the model has forgotten
_NAMES = {TEXT: "data", STATE: "model"}  # what older versions noted in their place
_MEND = "remove it and give the command again"


@dataclass(frozen=True)
class TopicPoint(Point):
    """A point with its topic, as a line of ``sweep.csv``."""

    topic: str = ""


@dataclass(frozen=True)
class Curves:
    """All curves, and how they were made."""

    curves: list[Curve]
    details: dict[str, Any]

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(curve.topic for curve in self.curves)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, directory: Path) -> Curves:
        """Reads ``sweep.json``, of older versions too.

        Raises:
            CodeUnlearnError: there is none, or it is damaged.
        """
        path = directory / FILE
        content = read_state(dict[str, Any], path, _MEND)
        try:
            return cls.from_dict(content, str(path))
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{str(error).rstrip('.')}; {_MEND}.") from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "The sweep") -> Curves:
        """The curves in the content of a file.

        Raises:
            CodeUnlearnError: it holds something else.
        """
        older = older_curves(content, where)
        return cls(older, dict(content["details"])) if older is not None else validated(cls, content, where)

    def save(self, directory: Path) -> None:
        """``sweep.csv``, ``sweep.md`` and, last, ``sweep.json``, from which an interrupted sweep goes on."""
        points = [TopicPoint(**vars(point), topic=curve.topic) for curve in self.curves for point in curve.points]
        table, text = directory / "sweep.csv", directory / "sweep.md"
        new = [path for path in (table, text) if not path.exists()]
        try:
            write_csv(table, TopicPoint, points)
            write_text(text, self.to_markdown())
            write_json(directory / FILE, self.to_dict())
        except BaseException:
            for path in new:
                path.unlink(missing_ok=True)
            raise

    def to_markdown(self) -> str:
        step = self.curves[0].step_name if self.curves else "step"
        head = (
            f"| topic | {step} | codes | closed (95 %) | N search | N test | recall before | recall after (95 %) "
            "| chrF D'_T | chrF D_R (95 %) | BLEU D_R | chrF neighbours |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        )
        return head + "".join(_markdown_row(curve, point) for curve in self.curves for point in curve.points)


def _markdown_row(curve: Curve, point: Point) -> str:
    def change(value: float | None, decimals: int) -> str:
        return "" if value is None else f"{value:+.{decimals}f}"

    closed = "not defined"
    if point.closed is not None:
        closed = f"{point.closed:.0f} % ({point.closed_low:.0f} to {point.closed_high:.0f})"
    searched = "" if curve.n_search is None else curve.n_search
    return (
        f"| {cell(curve.topic)} | {point.size} | {point.codes} | {closed} | {searched} | {curve.n_forget} "
        f"| {curve.recall_before:.1f} | {point.recall:.1f} ({point.recall_low:.1f} to {point.recall_high:.1f}) "
        f"| {change(point.forget_chrf_delta, 1)} "
        f"| {point.retain_chrf_delta:+.2f} ({point.retain_low:+.2f} to {point.retain_high:+.2f}) "
        f"| {change(point.retain_bleu_delta, 2)} | {change(point.neighbour_chrf_delta, 1)} |\n"
    )


def finished_curves(directory: Path, details: dict[str, Any]) -> list[Curve]:
    """Curves that an earlier run into ``directory`` has finished, if it was made with the same settings.

    The text is the same where its digests are, whatever its file is called, and so is the model. An older version noted their
    names, which are compared in its files, with a warning.

    Raises:
        CodeUnlearnError: it was made with other settings, and would be overwritten; or its file is damaged.
    """
    path = directory / FILE
    if not path.exists():
        return []
    earlier = Curves.load(directory)
    older = [content for content in _NAMES if content not in earlier.details]
    if older:
        warnings.warn(
            f"{path} was made by an older version, which noted text and model by name: make sure that they are the same.",
            stacklevel=2,
        )
    left_out = {content if content in older else name for content, name in _NAMES.items()}
    for name in sorted(details.keys() - left_out):
        if earlier.details.get(name) != details[name]:
            what = _NAMES.get(name, name)
            raise CodeUnlearnError(f"{path} was made with another {what}; choose another --out or remove it.")
    wanted = set(details["s_primes"])
    return [curve for curve in earlier.curves if not wanted or _is_whole(curve, wanted)]


def _is_whole(curve: Curve, wanted: set[int]) -> bool:
    """Whether it has every size; a recipe that cuts one list of codes has those up to its whole."""
    sizes = {point.size for point in curve.points}
    return sizes == wanted or (curve.step_name == "codes" and 0 < max(sizes, default=0) <= max(wanted))
