"""What a topic loses against what the rest loses, from one step of a recipe to the next: few deleted codes to many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.rows import write_csv
from codeunlearn.files import named_after, write_json
from codeunlearn.validation import NumberOrNan, read_state, validated

_MEND = "make the curve again"


@dataclass(frozen=True)
class Point:
    """One step; differences are to the model with nothing deleted, with paired 95 % intervals.

    Attributes:
        size: of the step: S' or a number of codes.
        label: the step in words.
        codes: deleted codes.
        s_prime: S' of the search.
        closed: share of the way from the probability of the topic's words before to that under the control prompt, per
            cent; None where it was not measured or is not defined.
        probability: of the topic's words in the answers, per cent.
        recall: topic-word recall in the output on the topic's sentences, per cent.
        topic_loss: what of the recall is gone, per cent of what it was.
        forget_chrf_delta: change of chrF on the topic's sentences.
        retain_chrf_delta: change of chrF on unrelated sentences; BLEU likewise.
        neighbour_chrf_delta: mean change of chrF over the neighbours' sets; None without neighbours.
        retain_changed: unrelated sentences whose answer changed, per cent.
        degenerate: outputs on the topic's sentences that loop or break off, per cent.
    """

    size: int
    label: str
    codes: int
    s_prime: int
    recall: NumberOrNan
    recall_low: NumberOrNan
    recall_high: NumberOrNan
    topic_loss: NumberOrNan
    forget_chrf_delta: NumberOrNan
    retain_chrf_delta: NumberOrNan
    retain_low: NumberOrNan
    retain_high: NumberOrNan
    topic_loss_low: float | None = None
    topic_loss_high: float | None = None
    closed: float | None = None
    closed_low: float | None = None
    closed_high: float | None = None
    probability: float | None = None
    retain_bleu_delta: float | None = None
    neighbour_chrf_delta: float | None = None
    retain_changed: float | None = None
    degenerate: float | None = None


@dataclass(frozen=True)
class Curve:
    """The curve of one topic, in the order of its recipe's steps.

    Attributes:
        recipe: name of the recipe.
        step_name: what the steps are: ``S'`` or ``codes``.
        recall_before: topic-word recall with nothing deleted, per cent.
        n_forget: sentences with the topic on which it was measured; ``n_retain`` without it, ``n_search`` for the search.
        probability_before: of the topic's words with nothing deleted, per cent; None where it was not measured.
        probability_control: the same under the control prompts.
    """

    topic: str
    recipe: str
    step_name: str
    recall_before: NumberOrNan
    n_forget: int
    n_retain: int
    points: list[Point]
    n_search: int | None = None
    probability_before: float | None = None
    probability_control: float | None = None
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def at_loss(self, topic_loss: float) -> Point | None:
        """The point with the fewest codes at which the topic has lost so many per cent; None where none has.

        A choice: what it costs is to be measured on other sentences than those of this curve.
        """
        reached = [point for point in self.points if point.topic_loss >= topic_loss]
        return min(reached, key=lambda point: point.codes, default=None)

    def within(self, budget: float) -> Point | None:
        """The point at which the topic has lost most while unrelated text loses at most ``budget`` chrF; None for none."""
        allowed = [point for point in self.points if point.retain_chrf_delta >= -budget]
        return min(allowed, key=lambda point: (point.recall, point.codes), default=None)

    def save(self, path: Path) -> None:
        """JSON at ``path``, and CSV beside it."""
        write_csv(named_after(path, ".csv"), Point, self.points)
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Curve:
        """Reads what `save` wrote, of older versions too.

        Raises:
            CodeUnlearnError: it holds something else, or is damaged.
        """
        content = read_state(dict[str, Any], path, _MEND)
        try:
            return cls.from_dict(content, str(path))
        except CodeUnlearnError as error:
            raise CodeUnlearnError(f"{str(error).rstrip('.')}; {_MEND}.") from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "The curve") -> Curve:
        """The curve in the content of a file.

        Raises:
            CodeUnlearnError: it holds something else.
        """
        from codeunlearn.evaluation.older import older_curve

        return older_curve(content, where) or validated(cls, content, where)
