"""Asks every system what the test sets ask, and scores all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.comparing import closed_row, comparison_of, row_of
from codeunlearn.evaluation.metrics.base import Metric, Outputs, Score, standard_metrics
from codeunlearn.evaluation.metrics.knowledge import CONTROL_PROBABILITY, PROBABILITY, control_probability
from codeunlearn.evaluation.scores import Comparison, Row, Sample, Scores
from codeunlearn.evaluation.systems import ZERO_SHOT, System
from codeunlearn.evaluation.test_sets import RETAIN, TestSet
from codeunlearn.files import write_json
from codeunlearn.tasks.base import Task
from codeunlearn.tasks.generating import DecodingConfig

EMPTY = "empty translations (no zero-shot model was given)"
_COMPARED = ("after", "control", "attack")
_Found = dict[tuple[str, str], dict[str, Score]]


def score(
    task: Task,
    tests: Sequence[TestSet],
    systems: Sequence[System],
    *,
    topic: str = "",
    seed: int = 0,
    metrics: Mapping[str, Metric] | None = None,
    how: DecodingConfig | None = None,
    answers: Mapping[str, Sequence[str]] | None = None,
    samples: int = 8,
    details: dict[str, Any] | None = None,
    by_sentence: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores every system on every test set.

    Args:
        tests: the first one with words gives the topic's own words.
        systems: those of role ``after``, ``control`` and ``attack`` are compared with the first of role ``before``; one
            named ``zero-shot`` is the zero point of the normalised drop.
        topic: its name.
        seed: of the bootstrap.
        metrics: by name; the standard ones if absent.
        how: how answers are generated.
        answers: by system, what it said to the prompts of all tests in a row, where that is known already.
        samples: prompts of each set to keep with their answers.
        details: kept in the result, with what the answers cost.
        by_sentence: folder for the scores sentence by sentence, in the form of open-unlearning's evaluation logs.
        progress: called after each system with the number of those done and of all.

    Raises:
        CodeUnlearnError: two systems have one name.
    """
    _require_names_of_their_own(systems)
    metrics = standard_metrics() if metrics is None else metrics
    found, said, costs = _Found(), dict[str, list[str]](), dict[str, Any]()
    for place, system in enumerate(systems, start=1):
        with system.open() as view:
            if answers and system.name in answers:
                said[system.name] = list(answers[system.name])
            else:
                asked = task.answer(view, [prompt for test in tests for prompt in test.prompts], how)
                said[system.name], costs[system.name] = asked.texts, asdict(asked.cost)
            for test, texts in _by_set(said[system.name], tests):
                outputs = Outputs(test, texts, task, view)
                floor: list[Metric] = [control_probability] if system.role == "before" else []
                scores = [metric(outputs) for metric in (*metrics.values(), *floor)]
                found[system.name, test.name] = {score.name: score for score in scores if score}
        if progress is not None:
            progress(place, len(systems))
    if by_sentence is not None:
        _save_sentences(by_sentence, found, systems, tests)
    return Scores(
        topic=topic,
        words=next((test.words for test in tests if test.words), ()),
        sizes={test.name: len(test.examples) for test in tests},
        systems={system.name: system.role for system in systems},
        zero_point=ZERO_SHOT if ZERO_SHOT in said else EMPTY,
        rows=[*_rows(found, systems, tests, seed), *_closed(found, systems, tests, seed)],
        comparisons=list(_comparisons(found, systems, tests, _zero(found, tests, task, metrics), seed)),
        samples=[sample for test in tests for sample in _samples(test, said, tests, samples)],
        details={**(details or {}), "token_cost": costs},
    )


def _require_names_of_their_own(systems: Sequence[System]) -> None:
    names = [system.name for system in systems]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CodeUnlearnError(f"Two systems are called {twice[0]!r}; name each method and attack once.")


def _by_set(texts: Sequence[str], tests: Sequence[TestSet]) -> Iterator[tuple[TestSet, list[str]]]:
    start = 0
    for test in tests:
        yield test, list(texts[start : start + len(test.examples)])
        start += len(test.examples)


def _rows(found: _Found, systems: Sequence[System], tests: Sequence[TestSet], seed: int) -> list[Row]:
    return [
        row_of(system.name, test.name, score, seed)
        for system in systems
        for test in tests
        for score in found[system.name, test.name].values()
    ]


def _before(systems: Sequence[System]) -> System | None:
    return next((system for system in systems if system.role == "before"), None)


def _closed(found: _Found, systems: Sequence[System], tests: Sequence[TestSet], seed: int) -> Iterator[Row]:
    before = _before(systems)
    for test in tests:
        known = found[before.name, test.name] if before else {}
        if CONTROL_PROBABILITY not in known or PROBABILITY not in known:
            continue
        for system in systems:
            own = found[system.name, test.name].get(PROBABILITY)
            if system.role != "before" and own:
                floor = known[CONTROL_PROBABILITY]
                yield closed_row(system.name, test.name, known[PROBABILITY], own, floor, seed)


def _comparisons(
    found: _Found,
    systems: Sequence[System],
    tests: Sequence[TestSet],
    zero: Mapping[str, Mapping[str, Score]],
    seed: int,
) -> Iterator[Comparison]:
    before = _before(systems)
    for system in systems if before else ():
        if system.role not in _COMPARED:
            continue
        for test in tests:
            own = found[system.name, test.name]
            for metric, old in found[before.name, test.name].items():  # pyright: ignore[reportOptionalMemberAccess]
                if metric in own:
                    yield comparison_of(
                        system.name,
                        test.name,
                        old,
                        own[metric],
                        zero=zero[test.name].get(metric),
                        retained=_on_retain(found, before, system, test, metric),
                        seed=seed,
                    )


def _on_retain(
    found: _Found, before: System | None, system: System, test: TestSet, metric: str
) -> tuple[Score, Score] | None:
    if before is None or test.name == RETAIN:
        return None
    old, new = (found.get((name, RETAIN), {}).get(metric) for name in (before.name, system.name))
    return (old, new) if old and new else None


def _zero(
    found: _Found, tests: Sequence[TestSet], task: Task, metrics: Mapping[str, Metric]
) -> dict[str, dict[str, Score]]:
    """Quality scores of the zero-shot model on each set, or those of empty answers where these say something."""
    zero: dict[str, dict[str, Score]] = {}
    for test in tests:
        if (ZERO_SHOT, test.name) in found:
            known = found[ZERO_SHOT, test.name]
            zero[test.name] = {name: score for name, score in known.items() if score.is_quality}
            continue
        measured = next((scores for (_, name), scores in found.items() if name == test.name), {})
        # Only metrics of answers say so of themselves, and these ask no model.
        nothing = Outputs(test, [""] * len(test.examples), task, view=None)  # pyright: ignore[reportArgumentType]
        worst = [metrics[name](nothing) for name, score in measured.items() if score.empty_is_worst]
        zero[test.name] = {score.name: score for score in worst if score}
    return zero


def _samples(
    test: TestSet, said: Mapping[str, Sequence[str]], tests: Sequence[TestSet], count: int
) -> Iterator[Sample]:
    start = sum(len(t.examples) for t in tests[: tests.index(test)])
    for i, example in enumerate(test.examples[:count]):
        answers = {name: texts[start + i] for name, texts in said.items()}
        yield Sample(test.name, example.prompt, example.answer, answers)


def _save_sentences(folder: Path, found: _Found, systems: Sequence[System], tests: Sequence[TestSet]) -> None:
    """One ``SYSTEM.json`` for each system, and the ``agg_value`` of all in ``SUMMARY.json``."""
    summary: dict[str, dict[str, float]] = {}
    for system in systems:
        logs: dict[str, Any] = {}
        for test in tests:
            for metric, score in found[system.name, test.name].items():
                by_index = {str(i): {metric: value} for i, value in enumerate(score.per_sentence or [])}
                logs[f"{test.name}_{metric}"] = {"agg_value": score.value, "value_by_index": by_index}
        write_json(folder / f"{system.name.replace(chr(39), '').replace('=', '-')}.json", logs)
        summary[system.name] = {name: log["agg_value"] for name, log in logs.items()}
    write_json(folder / "SUMMARY.json", summary)
