"""``codeunlearn sweep``: the curves of several topics, as one table."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, output, progress, say
from codeunlearn.errors import CodeUnlearnError

if TYPE_CHECKING:
    from codeunlearn.evaluation.curve import Curve


def run(
    *,
    model: Annotated[str, typer.Argument(help="A saved model with a bottleneck.")],
    topics: Annotated[str, typer.Option("--topics", help="Words to forget one at a time, separated by commas.")],
    text: options.Text,
    out: options.Out,
    pool: Annotated[
        Literal["test", "validation"], typer.Option(help="test for results, validation for choices.")
    ] = "test",
    preset: Annotated[str, typer.Option(help="Recipe that chooses the codes.")] = "paper",
    s_primes: Annotated[
        str | None,
        typer.Option(
            "--steps",
            "--s-primes",
            help="S' values, or numbers of codes with --preset recommended, separated by commas; the recipe's own if absent.",
        ),
    ] = None,
    mode: Annotated[
        options.Mode | None,
        typer.Option(help="What happens to a slot whose code is deleted; the model's own way if absent."),
    ] = None,
    target_words: Annotated[
        list[str] | None,
        typer.Option("--target-words", help="TOPIC=WORD,WORD on the target side; learned from the data if absent."),
    ] = None,
    search_size: options.SearchSize = 500,
    eval_size: options.EvalSize = 300,
    minimum: options.Minimum = 20,
    beams: options.Beams = 1,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Forget each topic step by step, at every S' or with ever more codes, and score each step.

    OUT/sweep.json, sweep.csv and sweep.md hold the curves.

    Topics that are finished are kept: the same command goes on after an interruption.
    """
    from codeunlearn.cli.opening import open_model
    from codeunlearn.cli.topic_options import read_pools, read_topic, topic_sets
    from codeunlearn.codebook import model_identity
    from codeunlearn.corpus.identity import pairs_digest
    from codeunlearn.evaluation.curve import curve, require_words
    from codeunlearn.evaluation.curves import STATE, TEXT, Curves, finished_curves
    from codeunlearn.evaluation.systems import BEFORE, system_of
    from codeunlearn.evaluation.test_sets import make_test_sets
    from codeunlearn.folders import locked
    from codeunlearn.record import environment, public_name
    from codeunlearn.tasks.base import TASKS
    from codeunlearn.tasks.generating import DecodingConfig
    from codeunlearn.unlearning import make_recipe, undeleted

    recipe, sizes_asked = make_recipe(preset), _whole_numbers(s_primes)
    if not options.words(topics):
        raise CodeUnlearnError("--topics names no topic; give words, separated by commas.")
    given_words = dict(_topic_words(entry) for entry in target_words or [])
    if strangers := sorted(set(given_words) - set(options.words(topics))):
        raise CodeUnlearnError(
            f"--target-words names {strangers[0]!r}, which is not among --topics; add it or leave it out."
        )
    pools = read_pools(text.config(), "train", pool)
    sizes: dict[str, Any] = {
        "search_size": search_size,
        "search_retain_size": recipe.needs().retained,
        "tune_size": eval_size if pool == "validation" else 0,
        "eval_size": eval_size if pool == "test" else 0,
        "minimum": minimum,
        "seed": seed,
    }
    opened = open_model(model, device)
    details = {
        "model": public_name(model),
        "fingerprint": model_identity(opened[0]),
        STATE: _state_of(*opened),
        "data": asdict(replace(text.config(), data=public_name(text.data))),
        TEXT: {name: pairs_digest(some["source"], some["target"]) for name, some in pools.items()},
        "target_words": given_words,
        "minimum": minimum,
        "preset": preset,
        "mode": mode,
        "pool": pool,
        "s_primes": list(sizes_asked),
        "search_size": search_size,
        "eval_size": eval_size,
        "beams": beams,
        "seed": seed,
    }

    def of_topic(name: str) -> Curve:
        sets = topic_sets(pools, read_topic(name), target=given_words.get(name), **sizes)
        tests = make_test_sets(sets, pools, pool)
        require_words(tests[0], name)
        searched = recipe.search(*opened, sets, seed=seed, steps=sizes_asked or None)
        base = system_of(BEFORE, "before", *opened, state=lambda: undeleted(opened[0], name))
        how = DecodingConfig(num_beams=beams)
        with progress(name) as show:
            return curve(
                TASKS.get("translation"),
                tests,
                base,
                searched.steps,
                seed=seed,
                step_name=searched.step_name,
                n_search=len(sets.search),
                mode=mode,
                how=how,
                progress=show,
            )

    with locked(out):
        about = {**details, "command": options.command_line(), "environment": environment()}
        result = Curves(finished_curves(out, details), about)
        for name in options.words(topics):
            if name in result.topics:
                continue
            found = of_topic(name)
            result = Curves([*result.curves, found], about)
            result.save(out)
            say(f"{name}: {len(found.points)} steps done.")
    emit_json(json, result.to_dict())
    if json != "-":
        output.print(result.to_markdown(), soft_wrap=True)


def _state_of(model: Any, tokenizer: Any) -> dict[str, Any]:
    """What the scores depend on beside the weights, which the fingerprint stands for."""
    from codeunlearn.codebook import require_bottleneck
    from codeunlearn.corpus.identity import tokenizer_digest

    codebook = require_bottleneck(model).codebook
    deleted = codebook.code_ids[codebook.deleted].tolist()
    return {"deleted": sorted(deleted), "mode": codebook.mode, "tokenizer": tokenizer_digest(tokenizer)}


def _whole_numbers(listed: str | None) -> tuple[int, ...]:
    try:
        numbers = tuple(int(number) for number in options.words(listed))
    except ValueError:
        numbers = None
    if numbers is None or len(set(numbers)) < len(numbers):
        raise CodeUnlearnError(
            f"--steps takes different whole numbers separated by commas, such as 8,24; got {listed}."
        )
    return numbers


def _topic_words(entry: str) -> tuple[str, str]:
    topic, equals, listed = entry.partition("=")
    if not equals or not options.words(listed):
        raise CodeUnlearnError(f"--target-words takes TOPIC=WORD,WORD, such as love=aimer,amour; got {entry}.")
    return topic.strip(), listed
