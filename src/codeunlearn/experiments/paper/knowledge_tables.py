"""What a language model knows with a codebook, and of each topic before and after forgetting it, with what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeunlearn.evaluation.bootstrap import (
    Interval,
    Resampled,
    SentenceSums,
    interval,
    quotient,
    ratio,
    resample,
    sentence_mean,
)
from codeunlearn.experiments.config import TopicConfig
from codeunlearn.experiments.models import make_topic
from codeunlearn.experiments.questions import DESCRIBED, NAMED, Answered, Question, chosen_right, probabilities
from codeunlearn.experiments.results import Results
from codeunlearn.extras import needs
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.figures import BLUE, GREY, STYLE, VERMILION
from codeunlearn.reporting.labels import bounds, count_noun, number, signed

with needs("reports"):
    from matplotlib import rc_context
    from matplotlib.figure import Figure

CLOSED_ENOUGH = 95.0


def knowledge_artefacts(results: Results) -> list[Artefact]:
    """All tables for which something is finished."""
    found = [Study(results, topic) for topic in results.config.topics]
    studies = [study for study in found if study.seeds]
    if results.knowledge is None or results.knowledge.before is None:
        return []
    made = [_kept(results)]
    return [*made, _topics(studies), _costs(studies)] if studies else made


def knowledge_sentences(results: Results) -> list[str]:
    """How many topics are closed, and what the others lose at most."""
    studies = [study for topic in results.config.topics if (study := Study(results, topic)).seeds]
    if not studies:
        return []
    closed = [study.closed().value for study in studies]
    enough = sum(value >= CLOSED_ENOUGH for value in closed)
    return [
        f"{enough} of {count_noun(len(studies), 'topic')} are closed to at least {CLOSED_ENOUGH:g} % on questions that no search "
        f"saw; {number(fmean(closed), 0)} % on average ({number(min(closed), 0)} % to {number(max(closed), 0)} %).",
        f"The probability of the answers to questions on other topics changes by {signed(fmean(s.others() for s in studies), 2)} "
        "points on average.",
    ]


@dataclass(frozen=True)
class Study:
    """One topic of the results.

    Intervals cover the choice of questions: means of the seeds' bootstrap intervals.
    """

    results: Results
    topic: TopicConfig

    @property
    def _known(self) -> Any:
        return self.results.knowledge

    @property
    def seeds(self) -> dict[int, Any]:
        """What is finished, by seed."""
        forgotten = self._known.forgotten if self._known is not None else {}
        return {u.seed: found for u, found in forgotten.items() if u.topic.word == self.topic.word}

    def probes(self, kind: str, *, own: bool = True, subject: str | None = None) -> list[int]:
        """Places of the probes on this topic, on all others, or on one subject."""
        wanted = self.topic.word if subject is None else subject
        return [
            i for i, one in enumerate(self._known.questions.probes)
            if one.kind == kind and (one.subject == wanted) == own
        ]  # fmt: skip

    def closed(self) -> Interval:
        """Share of the way from the probability of the answers before to that under the control prompts, per cent."""
        places = self.probes(NAMED)
        before, floor = (self._sums(self._known.before, places, which) for which in (0, -1))
        shares = [ratio(before - self._sums(after, places), before - floor).interval for after in self._after()]
        return _mean([Interval(100 * s.value, 100 * s.low, 100 * s.high, s.level, s.draws) for s in shares])

    def probability(self, kind: str) -> tuple[float, float]:
        """Of the answers on this topic, before and after, per cent."""
        places = self.probes(kind)
        return self._percent(self._known.before, places), fmean(self._percent(one, places) for one in self._after())

    def control(self) -> float:
        return self._percent(self._known.before, self.probes(NAMED), -1)

    def others(self, subject: str | None = None) -> float:
        """Mean change of the probability of the answers on other topics, or on one, in points."""
        places = self.probes(NAMED, own=False) if subject is None else self.probes(NAMED, subject=subject)
        before = self._percent(self._known.before, places)
        return fmean(self._percent(one, places) for one in self._after()) - before

    def facts(self, name: str) -> Interval:
        """Change of the accuracy on a set of facts without those that name the topic, in points."""
        words = make_topic(self.topic)
        asked = self._known.questions.facts[name]
        kept = [i for i, q in enumerate(asked) if not (words.matches(q.prompt) or words.matches(q.answer))]

        def right(answered: Sequence[Answered]) -> Resampled:
            own = self._known.questions.by_set(answered)[name]
            return resample(sentence_mean((100 * chosen_right([own[i] for i in kept])).tolist()))

        before = right(self._known.before)
        return _mean([interval(right(after) - before) for after in self._after()])

    def text(self, name: str) -> Interval:
        """Change of the cross-entropy of a text, nats per token."""
        before = _cross_entropy(self._known.questions.by_set(self._known.before)[name])
        after = (self._known.questions.by_set(one)[name] for one in self._after())
        return _mean([interval(_cross_entropy(one) - before) for one in after])

    def codes(self) -> list[int]:
        return [len(found.forget_set["ids"]) for found in self.seeds.values()]

    def _after(self) -> list[list[Answered]]:
        return [found.after(self._known.before) for found in self.seeds.values()]

    def _sums(self, answered: Sequence[Answered], places: Sequence[int], which: int = 0) -> Resampled:
        return resample(sentence_mean(_probable(answered, places, which).tolist()))

    def _percent(self, answered: Sequence[Answered], places: Sequence[int], which: int = 0) -> float:
        return 100 * float(_probable(answered, places, which).mean()) if places else float("nan")


def _probable(answered: Sequence[Answered], places: Sequence[int], which: int) -> NDArray[np.float64]:
    return probabilities([answered[i] for i in places], which)


def _mean(found: Sequence[Interval]) -> Interval:
    value, low, high = (fmean(getattr(one, part) for one in found) for part in ("value", "low", "high"))
    return Interval(value, low, high, found[0].level, found[0].draws)


def _cross_entropy(answered: Sequence[Answered]) -> Resampled:
    rows = np.array([(-one[0][0], one[0][1]) for one in answered])
    return resample(SentenceSums(rows, quotient))


def _kept(results: Results) -> Artefact:
    """The model with a codebook and nothing deleted beside that without one."""
    known: Any = results.knowledge
    models = {"Plain": known.plain, "With the codebook": known.before}
    measures: dict[str, tuple[Callable[[Sequence[Answered]], Resampled], int]] = {
        **{f"{name}: cross-entropy": (_of_set(known, name, _cross_entropy), 3) for name in known.questions.texts},
        **{f"{name}: right, %": (_of_set(known, name, _right), 1) for name in known.questions.facts},
        "probes: probability, %": (lambda answered: _probes(known.questions.probes, answered), 1),
    }
    records: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    for label, (measure, places) in measures.items():
        cells: list[str] = []
        for model, answered in models.items():
            if answered is None:
                cells.append("")
                continue
            found = interval(measure(answered))
            records.append({"measure": label, "model": model, **found.to_dict()})
            cells.append(f"{number(found.value, places)} {bounds(found.low, found.high, places)}")
        rows.append([label, *cells])
    caption = (
        "What the codebook costs with nothing deleted: cross-entropy in nats per token, questions whose right answer has the "
        "highest mean log probability, and the mean probability of the answers to the probes; 95 % bootstrap intervals."
    )
    return Artefact("kept", "Kept", caption, records, [Grid(["", *models], rows, "", frozenset((1, 2)))])


def _of_set(known: Any, name: str, measure: Callable[[Sequence[Answered]], Resampled]) -> Any:
    return lambda answered: measure(known.questions.by_set(answered)[name])


def _right(answered: Sequence[Answered]) -> Resampled:
    return resample(sentence_mean((100 * chosen_right(answered)).tolist()))


def _probes(probes: Sequence[Question], answered: Sequence[Answered]) -> Resampled:
    return resample(sentence_mean((100 * probabilities(answered[: len(probes)])).tolist()))


def _topics(studies: Sequence[Study]) -> Artefact:
    records: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    for study in studies:
        closed, (before, after) = study.closed(), study.probability(NAMED)
        described, seconds = study.probability(DESCRIBED), [one.seconds for one in study.seeds.values()]
        records.append({
            "topic": study.topic.word, "n": len(study.probes(NAMED)), "seeds": len(study.seeds), "codes": fmean(study.codes()),
            "seconds": fmean(seconds), "before": before, "after": after, "control": study.control(),
            "closed": closed.value, "closed_low": closed.low, "closed_high": closed.high,
            "described_before": described[0], "described_after": described[1],
        })  # fmt: skip
        rows.append([
            f"{study.topic.word} ({len(study.probes(NAMED))})", ", ".join(map(str, study.codes())), number(fmean(seconds), 0),
            number(before), number(after), number(study.control()),
            f"{number(closed.value, 0)} {bounds(closed.low, closed.high, 0)}",
            f"{number(described[0])} to {number(described[1])}",
        ])  # fmt: skip
    heads = ["Topic (N)", "Codes", "Seconds", "Before", "After", "Control", "Closed, % [95%]", "Described"]
    caption = (
        "Mean probability of the answers to N questions on each topic, per cent, before and after forgetting it, and before with "
        "another subject in its place (control); closed is the share of the way to that. Codes by seed of the search, and its "
        "seconds on average. Described: questions that do not name the topic, before to after. No search saw these questions."
    )
    grid = Grid(heads, rows, "", frozenset(range(1, len(heads))))
    alt = "Bars of the probability of the answers on each topic before, after and under the control; the values are in the table."
    return Artefact("topics", "Topics", caption, records, [grid], _bars(records), alt)


def _bars(records: Sequence[dict[str, Any]]) -> Figure:
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.42 * len(records) + 1.1), layout="constrained")
        axes = figure.add_subplot()
        places = np.arange(len(records))
        for shift, name, colour in ((-0.27, "before", GREY), (0.0, "after", VERMILION), (0.27, "control", BLUE)):
            axes.barh(places + shift, [one[name] for one in records], height=0.25, color=colour, label=name)
        axes.set_yticks(places, [one["topic"] for one in records])
        axes.invert_yaxis()
        axes.set_xlabel("probability of the answers, %")
        axes.legend(frameon=False, loc="lower right")
    return figure


def _costs(studies: Sequence[Study]) -> Artefact:
    known: Any = studies[0].results.knowledge
    facts, texts = list(known.questions.facts), list(known.questions.texts)
    records: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    for study in studies:
        near = {name: study.others(name) for name in study.topic.neighbours or () if study.probes(NAMED, subject=name)}
        changes = {name: study.facts(name) for name in facts} | {name: study.text(name) for name in texts}
        records.append({
            "topic": study.topic.word, "others": study.others(), **{f"neighbour {name}": value for name, value in near.items()},
            **{f"{name}{end}": getattr(one, part) for name, one in changes.items()
               for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))},
        })  # fmt: skip
        rows.append([
            study.topic.word, signed(study.others(), 2), ", ".join(f"{name} {signed(value, 1)}" for name, value in near.items()),
            *(f"{signed(changes[name].value, 1)} {bounds(changes[name].low, changes[name].high, 1)}" for name in facts),
            *(f"{signed(changes[name].value, 4)} {bounds(changes[name].low, changes[name].high, 4)}" for name in texts),
        ])  # fmt: skip
    columns = list(dict.fromkeys(key for record in records for key in record))
    heads = [
        "Topic",
        "Other topics",
        "Neighbours",
        *(f"{n}: right" for n in facts),
        *(f"{n}: cross-entropy" for n in texts),
    ]
    caption = (
        "Changes after forgetting each topic: of the probability of the answers on all other topics and on neighbours, in "
        "points; of the share of right answers to facts that do not name the topic, in points; and of the cross-entropy of "
        "text, in nats per token. Means over seeds; 95 % intervals of a paired bootstrap."
    )
    full = [{column: record.get(column) for column in columns} for record in records]
    return Artefact("costs", "Costs", caption, full, [Grid(heads, rows, "", frozenset((1,)))])
