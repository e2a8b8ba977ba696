"""One topic, one model: scores it before and after forgetting, beside whatever else it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codeunlearn.codebook import Frame, find_bottleneck, prompt_frame
from codeunlearn.codebook.languages import set_languages
from codeunlearn.codebook.loading import load_both
from codeunlearn.codebook.prompts import goes_on
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.device import pick_device
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import Metric
from codeunlearn.evaluation.scores import Scores
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import AFTER, BEFORE, System, system_of, unlearned
from codeunlearn.evaluation.test_sets import TestSet, topic_tests
from codeunlearn.record import environment
from codeunlearn.tasks.base import Task, task_of
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.unlearning import ForgetSet, undeleted


def evaluate(
    model: Any,
    tokenizer: Any,
    sets: TopicSets,
    *forget_sets: ForgetSet,
    task: Task | None = None,
    num_beams: int = 1,
    seed: int = 0,
    metrics: Mapping[str, Metric] | None = None,
) -> Scores:
    """Scores a model on a topic's test sentences, on unrelated ones and on its neighbours, before and after forgetting.

    Args:
        model: as `load_model` opens it; it is as it was afterwards.
        sets: of `build_topic_sets`, with an ``eval_size``.
        forget_sets: applied together. Without any, a model that has forgotten something is compared with itself before.
        task: what it is asked; what its family is opened for if absent.
        num_beams: 1 is greedy.
        seed: of the bootstrap.
        metrics: by name; the standard ones if absent.

    Raises:
        CodeUnlearnError: something is to be deleted from a model without a bottleneck, or is committed away already.
    """
    return score(
        task or task_of(model),
        topic_tests(sets),
        before_and_after(model, tokenizer, forget_sets),
        topic=sets.topic.name,
        seed=seed,
        metrics=metrics,
        how=DecodingConfig(num_beams=num_beams),
    )


def evaluate_saved(
    model_name: str,
    topic: str,
    tests: Sequence[TestSet],
    *,
    task: Task | None = None,
    forget_sets: Sequence[ForgetSet] = (),
    comparisons: Mapping[str, str] | None = None,
    prefixes: Mapping[str, str] | None = None,
    beside: Callable[[System, System], Sequence[System]] | None = None,
    num_beams: int = 1,
    seed: int = 0,
    device: str = "auto",
    metrics: Mapping[str, Metric] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores a saved model on a topic before and after forgetting.

    Args:
        model_name: folder or Hub name.
        topic: name of the topic.
        tests: what it is scored on, see `make_test_sets`.
        task: what it is asked; what its family is opened for if absent.
        forget_sets: applied together, in place of what the model has forgotten for their topics; other topics stay
            forgotten before and after. Without any set, a model that has forgotten something is compared with itself before.
        comparisons: other saved models by name, such as ``plain`` and ``zero-shot``.
        prefixes: put before every prompt of a comparison, by its name; what its configuration says where absent.
        beside: further systems from the model before and as it is in the end, such as other methods and attacks.
        num_beams: 1 is greedy.
        seed: of the bootstrap.
        device: ``auto``, ``cpu`` or ``cuda``.
        metrics: by name; the standard ones if absent.
        progress: called after each system with the number of those done and of all.

    Raises:
        CodeUnlearnError: something is to be deleted from a model without a bottleneck, or is committed away already.
    """
    model, tokenizer = load_both(model_name)
    model.to(pick_device(device))
    asked = task or task_of(model)
    bottleneck = find_bottleneck(model)
    if (forget_sets or beside) and bottleneck is None:
        raise CodeUnlearnError(
            f"{model_name} has no bottleneck, so nothing can be deleted from it or skipped; name a codebook model."
        )
    systems = before_and_after(model, tokenizer, forget_sets)
    systems += beside(systems[0], systems[-1]) if beside else []
    for name, other in (comparisons or {}).items():
        compared, own = load_both(other)
        compared.to(model.device)
        set_languages(compared, own, *asked.languages)
        prefix, suffix = _frame_of(compared, (prefixes or {}).get(name), model)
        systems.append(system_of(name, "reference", compared, own, prefix=prefix, suffix=suffix))
    details = {
        "config": {"num_beams": num_beams, "seed": seed, "device": device},
        "forget_sets": [
            {"topic": s.topic, "s_prime": s.s_prime, "preset": s.preset, "codes": len(s)} for s in forget_sets
        ],
        "num_codes": bottleneck.config.num_codes if bottleneck else None,
        "environment": environment(),
    }
    return score(
        asked,
        tests,
        systems,
        topic=topic,
        seed=seed,
        metrics=metrics,
        how=DecodingConfig(num_beams=num_beams),
        details=details,
        progress=progress,
    )


def _frame_of(compared: Any, prefix: str | None, model: Any) -> tuple[str | None, str | None]:
    """What stands around a compared model's prompts: its own, or where it goes on and has none, what the other model has."""
    if prefix is None and goes_on(compared) and prompt_frame(compared) == Frame():
        return prompt_frame(model)
    return prefix, None


def before_and_after(model: Any, tokenizer: Any, forget_sets: Sequence[ForgetSet] = ()) -> list[System]:
    """A model before and after forgetting these sets, or what it has forgotten itself; before alone if that is nothing.

    Raises:
        CodeUnlearnError: codes of a set are committed away.
    """
    bottleneck = find_bottleneck(model)
    if bottleneck is None:
        return [system_of("model", "before", model, tokenizer)]
    _require_uncommitted(bottleneck.config.ledger, forget_sets)
    as_it_is = system_of(AFTER, "after", model, tokenizer)
    before = system_of(BEFORE, "before", model, tokenizer, state=lambda: undeleted(model, *forget_sets))
    if forget_sets:
        return [before, unlearned(as_it_is, *forget_sets)]
    return [before, as_it_is] if bool(bottleneck.codebook.deleted.any()) else [before]


def _require_uncommitted(ledger: Sequence[Mapping[str, Any]], forget_sets: Sequence[ForgetSet]) -> None:
    gone = {entry["topic"] for entry in ledger if entry.get("committed")}
    if topics := [s.topic for s in forget_sets if s.topic in gone]:
        raise CodeUnlearnError(
            f"The codes of {topics[0]!r} are committed away, so that there is no before; name a model from before the commit."
        )
