"""``codeunlearn forget``: the codes of a topic, as a forget set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, progress, say
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_target, named_after

if TYPE_CHECKING:
    from codeunlearn.codebook import DeletionMode
    from codeunlearn.corpus.pools import Pool
    from codeunlearn.corpus.topic_sets import TopicSets
    from codeunlearn.evaluation.curve import Curve
    from codeunlearn.unlearning import ForgetSet

TUNED = 300  # sentences of the validation pool on which a budget is kept


def run(
    *,
    model: Annotated[str, typer.Argument(help="A saved model with a bottleneck.")],
    topic: Annotated[str, typer.Option(help="The word to forget, or the name of a topic given otherwise.")],
    text: options.Text,
    out: Annotated[Path, typer.Option("--out", help="The forget set, a JSON file.", dir_okay=False)],
    preset: Annotated[
        str, typer.Option(help="Recipe that chooses the codes: recommended, paper or paired.")
    ] = "recommended",
    retain_budget: Annotated[
        float | None,
        typer.Option(
            help="Lose at most so much chrF on unrelated validation sentences; deletes fewer codes for it.", min=0
        ),
    ] = None,
    max_codes: Annotated[int | None, typer.Option(help="Delete at most so many codes.", min=1)] = None,
    alpha: Annotated[float | None, typer.Option(help="Significance level of a code's test.")] = None,
    fdr: Annotated[float | None, typer.Option(help="False discovery rate among the codes; not of paper.")] = None,
    mode: Annotated[
        options.Mode | None,
        typer.Option(
            help="Search for a model that treats deleted codes so (`apply --mode`); the model's own way if absent."
        ),
    ] = None,
    s_prime: Annotated[
        int | None,
        typer.Option(help="S', codes per token that are looked at; of paper and paired (72 if absent).", min=1),
    ] = None,
    about: options.TopicWords,
    in_place_of: Annotated[
        str | None,
        typer.Option(
            help="Words of which the data say more, separated by commas; the topic is put in their place too."
        ),
    ] = None,
    search_size: options.SearchSize = 500,
    minimum: options.Minimum = 20,
    draws: Annotated[int, typer.Option(help="Control sentences for each sentence.", min=1)] = 1,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    report: options.Report = None,
    json: options.Json = None,
) -> None:
    """Find the codes of a topic in the train pool and write them, with their evidence, to a forget set.

    With `--pairs` its questions are searched, at most `--search-size` and none held out; `--data` says what is to stay.

    The model is not changed: `apply` and `translate --forget` use the forget set.
    """
    from codeunlearn.cli.opening import open_model
    from codeunlearn.cli.topic_options import read_asked, read_pools, read_topic, topic_sets
    from codeunlearn.codebook import require_bottleneck
    from codeunlearn.device import processes
    from codeunlearn.evaluation.curve import require_words
    from codeunlearn.evaluation.test_sets import TestSet
    from codeunlearn.reporting.tables import forget_set_table
    from codeunlearn.tasks.base import task_of
    from codeunlearn.unlearning import make_recipe

    if about.pairs is not None:
        _refuse_with_pairs(retain_budget=retain_budget, in_place_of=in_place_of)
    curve_path = named_after(out, ".curve.json")
    if retain_budget is not None:
        check_target(curve_path)
    recipe = make_recipe(preset, alpha=alpha, fdr=fdr, mode=mode, max_codes=max_codes, s_prime=s_prime)
    task = task_of(model)
    asked = read_asked(about.pairs, text.config())
    wanted = read_topic(topic, about, task.languages[0], asked)
    needed: tuple[Pool, ...] = ("train",) if retain_budget is None else ("train", "validation")
    pools = read_pools(text.config(), *needed, task=task)
    sets = topic_sets(
        pools,
        wanted,
        target=about.target_words,
        search_size=search_size,
        search_retain_size=recipe.needs().retained,
        tune_size=TUNED if retain_budget is not None else 0,
        eval_size=0,
        draws=draws,
        minimum=minimum,
        seed=seed,
        answer_language=task.languages[1],
        in_place_of=options.words(in_place_of),
        asked=asked,
    )
    if retain_budget is not None:
        require_words(TestSet("forget", sets.tune, sets.target_words), topic)
    opened, tokenizer = open_model(model, device)
    require_bottleneck(opened)
    with progress(f"Searching the codes of {topic!r}") as show:
        found = recipe.search(opened, tokenizer, sets, seed=seed, steps=(), progress=show)
    if processes().rank:
        return
    if retain_budget is not None:
        curve, kept = _within_budget((opened, tokenizer), sets, found.forget_set, retain_budget, mode, seed)
        curve.save(curve_path)
        found = replace(found, forget_set=kept)
    found.forget_set.save(out)
    emit_json(json, found.forget_set.to_dict(), forget_set_table(found.forget_set))
    say(f"The forget set is in {out}. Use it: codeunlearn apply {model} {out} --out DIR")
    if report is not None:
        from codeunlearn.reporting.report import write_report

        page = write_report(
            report, search=found, evaluation=None, title=f"Codes of {topic}", command=options.command_line()
        )
        say(f"The report is in {page}.")


def _refuse_with_pairs(**others: Any) -> None:
    """Options that want sentences of the topic in the data."""
    for name in options.given(**others):
        option = f"--{name.replace('_', '-')}"
        raise CodeUnlearnError(
            f"{option} goes by the data's sentences on the topic, and --pairs gives it by its own; leave one out."
        )


def _within_budget(
    opened: tuple[Any, Any], sets: TopicSets, forget_set: ForgetSet, budget: float, mode: DeletionMode | None, seed: int
) -> tuple[Curve, ForgetSet]:
    """The curve over beginnings of the set on the validation pool, and the beginning that forgets most within the budget."""
    from codeunlearn.evaluation.curve import curve as curve_of
    from codeunlearn.evaluation.systems import BEFORE, system_of
    from codeunlearn.evaluation.test_sets import make_test_sets
    from codeunlearn.tasks.base import task_of
    from codeunlearn.unlearning.recipes.base import beginnings

    starts = beginnings(forget_set, None)
    tests = make_test_sets(sets, {}, "validation")
    with progress("Asking for the budget") as show:
        base, task = system_of(BEFORE, "before", *opened), task_of(opened[0])
        curve = curve_of(task, tests, base, starts, n_search=len(sets.search), mode=mode, seed=seed, progress=show)
    best = curve.within(budget)
    if best is None:
        raise CodeUnlearnError(
            f"Even one code costs more than {budget:g} chrF on unrelated text; raise --retain-budget, or leave the topic."
        )
    say(
        f"Budget: the first {best.codes} of {len(forget_set)} codes. On {curve.n_forget} validation sentences the topic's words "
        f"go from {curve.recall_before:.0f} % to {best.recall:.0f} % ({best.recall_low:.0f} to {best.recall_high:.0f}); chrF of "
        f"{curve.n_retain} unrelated ones {best.retain_chrf_delta:+.2f} ({best.retain_low:+.2f} to {best.retain_high:+.2f})."
    )
    return curve, next(one.forget_set for one in starts if one.size == best.codes)
