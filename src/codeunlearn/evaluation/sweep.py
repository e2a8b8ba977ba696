"""Topics over the seven S' values: the paper's figure 3 and table 2 in one pass of counting per topic."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeunlearn.codebook import DeletionMode
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.protocol import (
    AFTER,
    BEFORE,
    FORGET,
    RECALL,
    RETAIN,
    TestSet,
    TopicEvaluation,
    evaluate_sets,
)
from codeunlearn.evaluation.retranslate import Retranslator
from codeunlearn.evaluation.rows import write_csv
from codeunlearn.evaluation.topic import EvaluationConfig, ModelTranslator
from codeunlearn.files import write_json, write_text
from codeunlearn.markdown import cell
from codeunlearn.unlearning import make_recipe, undeleted
from codeunlearn.validation import NumberOrNan, read_state

FILE = "sweep.json"
TEXT, STATE = "text", "state"  # of the details: digests of the parallel text, and what the model has forgotten
_NAMES = {TEXT: "data", STATE: "model"}  # what older versions noted in their place


@dataclass(frozen=True)
class SweepRow:
    """One topic at one S', with 95 % intervals of the paired differences.

    Attributes:
        recall_before: topic-word recall in the output on D'_T, per cent, before forgetting.
        recall_after: the same afterwards.
        retain_chrf_delta: change of chrF on D_R.
        forget_chrf_delta: change of chrF on D'_T.
        neighbour_chrf_delta: mean change of chrF over the neighbours' sets; None without neighbours.
    """

    topic: str
    s_prime: int
    codes: int
    n_search: int
    n_forget: int
    recall_before: NumberOrNan
    recall_after: NumberOrNan
    recall_low: NumberOrNan
    recall_high: NumberOrNan
    forget_chrf_delta: NumberOrNan
    retain_chrf_delta: NumberOrNan
    retain_low: NumberOrNan
    retain_high: NumberOrNan
    retain_bleu_delta: NumberOrNan
    neighbour_chrf_delta: float | None


@dataclass(frozen=True)
class Sweep:
    """All rows, and how they were made."""

    rows: list[SweepRow]
    details: dict[str, Any]

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.topic for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, directory: Path) -> Sweep:
        """Reads ``sweep.json``.

        Raises:
            CodeUnlearnError: there is none, or it is damaged.
        """
        return read_state(cls, directory / FILE, "remove it and give the command again")

    def save(self, directory: Path) -> None:
        """``sweep.csv``, ``sweep.md`` and, last, ``sweep.json``, from which an interrupted sweep goes on."""
        write_csv(directory / "sweep.csv", SweepRow, self.rows)
        write_text(directory / "sweep.md", self.to_markdown())
        write_json(directory / FILE, self.to_dict())

    def to_markdown(self) -> str:
        head = (
            "| topic | S' | codes | N search | N test | recall before | recall after (95 %) | chrF D'_T | chrF D_R (95 %) "
            "| BLEU D_R | chrF neighbours |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        )
        return head + "".join(_markdown_row(row) for row in self.rows)


def _markdown_row(row: SweepRow) -> str:
    near = "" if row.neighbour_chrf_delta is None else f"{row.neighbour_chrf_delta:+.1f}"
    return (
        f"| {cell(row.topic)} | {row.s_prime} | {row.codes} | {row.n_search} | {row.n_forget} | {row.recall_before:.1f} "
        f"| {row.recall_after:.1f} ({row.recall_low:.1f} to {row.recall_high:.1f}) | {row.forget_chrf_delta:+.1f} "
        f"| {row.retain_chrf_delta:+.2f} ({row.retain_low:+.2f} to {row.retain_high:+.2f}) "
        f"| {row.retain_bleu_delta:+.2f} | {near} |\n"
    )


def finished_rows(directory: Path, details: dict[str, Any]) -> list[SweepRow]:
    """Rows of the topics that an earlier run into ``directory`` has finished, if it was made with the same settings.

    The text is the same where its digests are, whatever its file is called, and so is the model. An older version noted their
    names, which are compared in its files, with a warning.

    Raises:
        CodeUnlearnError: it was made with other settings, and would be overwritten; or its file is damaged.
    """
    path = directory / FILE
    if not path.exists():
        return []
    earlier = Sweep.load(directory)
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
    whole = {topic: {row.s_prime for row in earlier.rows if row.topic == topic} for topic in earlier.topics}
    return [row for row in earlier.rows if whole[row.topic] == set(details["s_primes"])]


def sweep_row(evaluation: TopicEvaluation, s_prime: int, codes: int, n_search: int) -> SweepRow:
    """The row of one evaluation of ``codebook`` against ``unlearned``."""
    deltas = {(delta.set, delta.metric): delta for delta in evaluation.deltas}
    if (FORGET, RECALL) not in deltas:
        raise CodeUnlearnError(
            f"No words for {evaluation.topic!r} were found on the target side; give them: --target-words "
            f"{evaluation.topic}=WORD,WORD."
        )
    after = next(r for r in evaluation.scores if (r.system, r.set, r.metric) == (AFTER, FORGET, RECALL))
    retain = deltas[RETAIN, "chrf"]
    near = [d.delta for (name, metric), d in deltas.items() if metric == "chrf" and name not in (FORGET, RETAIN)]
    return SweepRow(
        topic=evaluation.topic,
        s_prime=s_prime,
        codes=codes,
        n_search=n_search,
        n_forget=evaluation.sizes[FORGET],
        recall_before=deltas[FORGET, RECALL].before,
        recall_after=after.value,
        recall_low=after.low,
        recall_high=after.high,
        forget_chrf_delta=deltas[FORGET, "chrf"].delta,
        retain_chrf_delta=retain.delta,
        retain_low=retain.low,
        retain_high=retain.high,
        retain_bleu_delta=deltas[RETAIN, "bleu"].delta,
        neighbour_chrf_delta=sum(near) / len(near) if near else None,
    )


def sweep_topic(
    model: Any,
    tokenizer: Any,
    sets: TopicSets,
    tests: Sequence[TestSet],
    config: EvaluationConfig,
    *,
    preset: str,
    s_primes: Sequence[int],
    mode: DeletionMode | None = None,
) -> Iterator[SweepRow]:
    """Searches a topic at every S' in one pass of counting, and scores each deletion on ``tests``.

    What the model has forgotten for the topic already is back before and after; other topics stay forgotten.

    Args:
        mode: deletion mode; the model's own when absent.
    """
    found = make_recipe(preset).search(model, tokenizer, sets, seed=config.seed, steps=tuple(s_primes))
    sources = [source for test in tests for source in test.sources]
    with undeleted(model, sets.topic.name):
        translations = Retranslator(model, tokenizer, ModelTranslator(model, tokenizer, config), sources)
        for step in found.steps:
            after = translations.after(step.forget_set, mode)
            systems = {BEFORE: lambda _: translations.before, AFTER: lambda _, after=after: after}
            evaluation = evaluate_sets(sets.topic.name, tests, systems, examples=0, seed=config.seed)
            yield sweep_row(evaluation, step.size, len(step.forget_set), len(sets.search))
