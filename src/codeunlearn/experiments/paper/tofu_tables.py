"""A TOFU study in two tables: splits of authors, beside the gold models and placebos, and authors who are forgotten alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from codeunlearn.experiments.results import Results
from codeunlearn.experiments.tofu import FORGOTTEN, PLACEBO, Change, State, TofuFound
from codeunlearn.experiments.tofu_authors import Author
from codeunlearn.experiments.tofu_measures import Measures
from codeunlearn.experiments.tofu_questions import RETAIN
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.labels import count_noun, number

_RETAINED_BY_TOFU = 180
_STATES = ("Plain", "Before", "After", "Placebo", "Gold")
_ABSENT = "–"


def tofu_artefacts(results: Results) -> list[Artefact]:
    """Both tables, where something is finished."""
    found = results.tofu
    if found is None or found.codebook is None:
        return []
    study = TofuStudy(results, found, found.codebook)
    singles = [study.single(author) for author in found.questions.forget if study.changes_of(author)]
    made = [_splits(study)]
    return [*made, _authors(study, singles)] if singles else made


def tofu_sentences(results: Results) -> list[str]:
    """What each split loses, and what that costs."""
    found = results.tofu
    if found is None or found.codebook is None:
        return []
    study = TofuStudy(results, found, found.codebook)
    records = [{row["state"]: row for row in study.split(split)} for split in results.config.tofu.splits]
    return [_sentence(rows["Before"], rows["After"]) for rows in records if "After" in rows]


@dataclass(frozen=True)
class TofuStudy:
    """What was found, as rows of the tables; means over seeds."""

    results: Results
    found: TofuFound
    before: State

    @property
    def measures(self) -> Measures:
        return Measures(self.found.questions, self.results.config.tofu, self.results.config.seeds[0])

    @property
    def scope(self) -> str:
        """What of TOFU the numbers are made with; stands in every caption."""
        return f"TOFU, {len(self.found.questions.retain)} of {_RETAINED_BY_TOFU} retain authors, own wrong answers."

    def split(self, split: str) -> list[dict[str, Any]]:
        """One row for each state that is finished."""
        return [
            self._row(split, name, states, changes)
            for name, (states, changes) in zip(_STATES, self._states(split), strict=True)
            if states
        ]

    def changes_of(self, author: Author) -> list[Change]:
        """By seed, what forgetting the author alone changes."""
        return [change for (key, _), change in self.found.singles.items() if key == author.key]

    def single(self, author: Author) -> dict[str, Any]:
        """What one author's answers, other authors' and those of retained ones go from and to."""
        questions, changes = self.found.questions, self.changes_of(author)
        sets = {
            "own": questions.places([author]),
            "others": questions.places([other for other in questions.forget if other.key != author.key]),
            RETAIN: questions.places(questions.retain),
        }
        row: dict[str, Any] = {"author": author.name, "seeds": len(changes)}
        for name, places in sets.items():
            known = bool(places)
            row[f"{name}_before"] = self.measures.probability(self.before, places) if known else None
            after = [change.after(self.before) for change in changes]
            row[f"{name}_after"] = (
                fmean(self.measures.probability(one, places) for one in after) if known else None
            )  # fmt: skip
        return row | _costs(changes)

    def _states(self, split: str) -> Iterator[tuple[list[State], list[Change]]]:
        """In the order of `_STATES`."""
        yield [self.found.plain] if self.found.plain else [], []
        yield [self.before], []
        for kind in (FORGOTTEN, PLACEBO):
            made = [one for (name, _, which), one in self.found.splits.items() if (name, which) == (split, kind)]
            drawn = [one for one in made if one.codes or kind == FORGOTTEN]
            yield [change.after(self.before) for change in drawn], drawn
        yield [self.found.gold[split]] if split in self.found.gold else [], []

    def _row(self, split: str, name: str, states: list[State], changes: list[Change]) -> dict[str, Any]:
        measures, gold = self.measures, self.found.gold.get(split)
        places, retained = measures.split(split), self.found.questions.kept()[RETAIN]
        others = [place for place in self.found.questions.places(self.found.questions.forget) if place not in places]
        quality = None
        if gold is not None and name != "Gold":
            quality = fmean(measures.forget_quality(state, gold, places) for state in states)
        return {
            "split": split,
            "authors": self.results.config.tofu.splits[split],
            "state": name,
            "seeds": len(states),
            "forget_quality": quality,
            "truth_ratio": fmean(measures.truth_ratio(state, places) for state in states),
            "probability": fmean(measures.probability(state, places) for state in states),
            "rougeL_recall": fmean(measures.rouge(state, split) for state in states),
            "retain_probability": fmean(measures.probability(state, retained) for state in states),
            "others_probability": fmean(measures.probability(one, others) for one in states) if others else None,
            "utility": fmean(measures.utility(state) for state in states),
            **_costs(changes),
        }


def _costs(changes: Sequence[Change]) -> dict[str, float | None]:
    """Codes and seconds of the search; none of a model as it is."""
    return {name: fmean(getattr(one, name) for one in changes) if changes else None for name in ("codes", "seconds")}


def _splits(study: TofuStudy) -> Artefact:
    records = [row for split in study.results.config.tofu.splits for row in study.split(split)]
    rows = [
        [
            f"{one['split']} ({count_noun(one['authors'], 'author')})", one["state"],
            _ABSENT if one["forget_quality"] is None else f"{one['forget_quality']:.2g}",
            *(number(one[name], 3) for name in ("truth_ratio", "probability", "rougeL_recall", "retain_probability", "utility")),
            *_shown_costs(one),
        ]
        for one in records
    ]  # fmt: skip
    heads = [
        "Split",
        "Model",
        "Forget quality",
        "Truth ratio",
        "Probability",
        "ROUGE-L",
        "Retain: probability",
        "Utility",
        "Codes",
        "Seconds",
    ]
    spared = ", ".join([RETAIN, *study.results.config.tofu.spared])
    caption = (
        f"{study.scope} Authors of each split in the fine-tuned model without a codebook (plain), with one before and after "
        "deleting the codes of all of them, with as many random codes of the same use deleted (placebo), and in the model "
        "that never learned them (gold). Forget quality is the p-value with which truth ratios are those of the gold model; "
        "truth ratio min(r, 1/r), probability and ROUGE-L recall of the split's answers; utility is TOFU's harmonic mean of "
        f"nine numbers on what is to stay, of which the search read the questions of {spared}. Seconds are those of the "
        "searches. Means over seeds."
    )
    return Artefact("tofu", "TOFU", caption, records, [Grid(heads, rows, "", frozenset(range(2, len(heads))))])


def _authors(study: TofuStudy, records: Sequence[dict[str, Any]]) -> Artefact:
    rows = [
        [one["author"], *(_change(one, name) for name in ("own", "others", RETAIN)), *_shown_costs(one)]
        for one in records
    ]
    heads = ["Author", "Own answers", "Other authors to forget", "Retained authors", "Codes", "Seconds"]
    caption = (
        f"{study.scope} Single authors: the probability of the answers on the author, on all other authors of the file, and on "
        "retained ones, before and after deleting the author's codes alone. Means over seeds."
    )
    grid = Grid(heads, rows, "", frozenset(range(1, len(heads))))
    return Artefact("tofu-authors", "TOFU, single authors", caption, records, [grid])


def _change(row: dict[str, Any], name: str) -> str:
    before, after = row[f"{name}_before"], row[f"{name}_after"]
    return _ABSENT if before is None else f"{number(before, 3)} → {number(after, 3)}"


def _shown_costs(row: dict[str, Any]) -> list[str]:
    return [
        _ABSENT if row[name] is None else number(row[name], places) for name, places in (("codes", 0), ("seconds", 1))
    ]


def _sentence(before: dict[str, Any], after: dict[str, Any]) -> str:
    quality = after["forget_quality"]
    judged = "" if quality is None else f"; forget quality is {quality:.2g}"
    return (
        f"{after['split']}: with {number(after['codes'], 0)} codes deleted, the probability of the answers on "
        f"{count_noun(after['authors'], 'author')} goes from {number(before['probability'], 3)} to "
        f"{number(after['probability'], 3)}, and model utility from {number(before['utility'], 3)} to "
        f"{number(after['utility'], 3)}{judged}."
    )
