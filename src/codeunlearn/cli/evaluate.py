"""``codeunlearn evaluate``: what a model does with a topic, before and after forgetting it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, output, progress, quiet_libraries, screen


def run(
    model: Annotated[str, typer.Argument(help="A saved model.")],
    data: options.Data,
    topic: Annotated[
        str | None, typer.Option("--topic", help="The topic to score; the whole test pool, sampled, if absent.")
    ] = None,
    forget: Annotated[list[Path] | None, typer.Option("--forget", help="Forget set whose effect is measured.")] = None,
    plain: Annotated[str | None, typer.Option("--plain", help="The plain fine-tuned model, for comparison.")] = None,
    zero_shot: Annotated[
        str | None, typer.Option("--zero-shot", help="The model before fine-tuning: zero of the normalised drop.")
    ] = None,
    zero_shot_prefix: Annotated[
        str | None, typer.Option(help="Put before its sources, as pretrained T5 expects; its own if absent.")
    ] = None,
    bypass: Annotated[bool, typer.Option("--bypass", help="Also score the model with its bottleneck skipped.")] = False,
    forms: options.Forms = None,
    sentences: options.Sentences = None,
    target_words: options.TargetWords = None,
    neighbours: options.Neighbours = None,
    eval_size: Annotated[int, typer.Option(help="Sentences of each set, at most.", min=1)] = 500,
    minimum: Annotated[int, typer.Option(help="Fewer sentences than this are an error.", min=1)] = 20,
    beams: Annotated[int, typer.Option(help="Beams of the search; 1 is greedy.", min=1)] = 1,
    config: options.Config = None,
    data_config: options.DataSetConfig = None,
    source_column: options.SourceColumn = None,
    target_column: options.TargetColumn = None,
    limit: options.Limit = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    report: options.Report = None,
    json: options.Json = None,
) -> None:
    """Score a model on the test pool's sentences with the topic, without it, and with its neighbours.

    Without `--topic`, a random part of the test pool tells how well the model translates.

    With `--forget` the sets are scored before and after; a model that has already forgotten is compared with itself
    before. Deletions that were committed cannot be lifted.
    """
    quiet_libraries()
    from codeunlearn.cli.topics import read_pools, read_topic, topic_sets
    from codeunlearn.evaluation.topic import EvaluationConfig, evaluate_topic, make_test_sets, whole_pool
    from codeunlearn.reporting.report import write_report
    from codeunlearn.reporting.tables import scores_table
    from codeunlearn.unlearning import ForgetSet

    pools = read_pools(options.data_config(data, data_config, source_column, target_column, limit))
    if topic is None:
        tests = whole_pool(pools["test"], eval_size, seed)
    else:
        wanted = read_topic(topic, forms, sentences)
        sizes = {"search_size": 0, "tune_size": 0, "eval_size": eval_size, "minimum": minimum, "seed": seed}
        sets = topic_sets(pools, wanted, target=target_words, neighbours=neighbours, **sizes)
        tests = make_test_sets(sets, pools, "test")
    forget_sets = [ForgetSet.load(path) for path in forget or []]
    settings = EvaluationConfig(num_beams=beams, seed=seed, device=device)
    with progress("Translating") as show:
        evaluation = evaluate_topic(
            model,
            topic or "no topic",
            tests,
            forget_sets=forget_sets,
            comparisons=options.given(**{"plain": plain, "zero-shot": zero_shot}),
            prefixes=options.given(**{"zero-shot": zero_shot_prefix}),
            bypass=bypass,
            config=settings,
            progress=show,
        )
    evaluation.details["command"] = options.command_line()
    emit_json(json, evaluation.to_dict())
    if json != "-":
        output.print(scores_table(evaluation))
    if report is not None:
        page = write_report(
            report,
            forget_sets=forget_sets,
            evaluation=evaluation,
            title=f"Scores of {topic or model}",
            command=options.command_line(),
        )
        screen.print(f"The report is in {page}.")
