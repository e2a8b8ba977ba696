"""``codeunlearn forget``: the codes of a topic, as a forget set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, output, progress, quiet_libraries, screen


def run(
    model: Annotated[str, typer.Argument(help="A saved model with a bottleneck.")],
    topic: options.TopicName,
    data: options.Data,
    out: Annotated[Path, typer.Option("--out", help="The forget set, a JSON file.", dir_okay=False)],
    s_prime: Annotated[int, typer.Option(help="S', codes per token that are looked at.", min=1)] = 72,
    preset: Annotated[str, typer.Option(help="Recipe that chooses the codes.")] = "paper",
    forms: options.Forms = None,
    sentences: options.Sentences = None,
    target_words: options.TargetWords = None,
    search_size: Annotated[int, typer.Option(help="Sentences to search with, at most.", min=1)] = 500,
    minimum: Annotated[int, typer.Option(help="Fewer sentences than this are an error.", min=1)] = 20,
    draws: Annotated[int, typer.Option(help="Control sentences for each sentence.", min=1)] = 1,
    index: options.Index = None,
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
    """Find the codes of a topic in the train pool and write them, with their evidence, to a forget set.

    The model is not changed: `apply` and `translate --forget` use the forget set.
    """
    quiet_libraries()
    from codeunlearn.cli.opening import open_index, open_model
    from codeunlearn.cli.topics import read_pools, read_topic, topic_sets
    from codeunlearn.codebook import require_bottleneck
    from codeunlearn.device import processes
    from codeunlearn.reporting.report import write_report
    from codeunlearn.reporting.tables import forget_set_table
    from codeunlearn.unlearning import search_topic

    pools = read_pools(options.data_config(data, data_config, source_column, target_column, limit))
    sets = topic_sets(
        pools,
        read_topic(topic, forms, sentences),
        target=target_words,
        search_size=search_size,
        tune_size=0,
        eval_size=0,
        draws=draws,
        minimum=minimum,
        seed=seed,
    )
    opened, tokenizer = open_model(model, device)
    require_bottleneck(opened)
    with progress(f"Reading {len(sets.search)} sentences and their controls") as show:
        found = search_topic(
            opened,
            tokenizer,
            [pair.source for pair in sets.search],
            sets.controls,
            topic_name=sets.topic.name,
            forms=sets.topic.forms,
            target_forms=sets.target_words,
            preset=preset,
            s_prime=s_prime,
            seed=seed,
            paired=sets.paired,
            known=open_index(index, opened),
            progress=show,
        )
    if processes().rank:
        return
    found.forget_set.save(out)
    emit_json(json, found.forget_set.to_dict())
    if json != "-":
        output.print(forget_set_table(found.forget_set))
    screen.print(f"The forget set is in {out}. Use it: codeunlearn apply {model} {out} --out DIR", soft_wrap=True)
    if report is not None:
        page = write_report(
            report, search=found, evaluation=None, title=f"Codes of {topic}", command=options.command_line()
        )
        screen.print(f"The report is in {page}.")
