"""``codeunlearn evaluate``: what a model does with a topic, before and after forgetting it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, progress, say
from codeunlearn.errors import CodeUnlearnError

SEARCHED = 500  # sentences of the topic that methods and attacks may read


def run(
    *,
    model: Annotated[str, typer.Argument(help="A saved model.")],
    text: options.Text,
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
    bypass: Annotated[
        bool,
        typer.Option("--bypass", help="Also attack the model: its bottleneck skipped, or a fitted map in its place."),
    ] = False,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="Another way to forget the topic, or a control such as placebo, scored beside."),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", help="Another attack; --bypass is skip and, with a topic, fitted-map."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(help="Model whose likelihood and encoder judge the outputs; --plain, else --zero-shot if absent."),
    ] = None,
    bertscore: Annotated[
        str | None, typer.Option(help="BERTScore precision with this encoder: folder or name.")
    ] = None,
    bertscore_layer: Annotated[
        int | None, typer.Option(help="Its layer; 9 for bert-base-multilingual-cased, else the last, if absent.", min=0)
    ] = None,
    bertscore_baseline: Annotated[
        float | None, typer.Option(help="Precision of unrelated sentences, which becomes 0; raw values if absent.")
    ] = None,
    bartscore: Annotated[str | None, typer.Option(help="BARTScore with this model: folder or name.")] = None,
    bartscore_direction: Annotated[
        Literal["src-hyp", "ref-hyp", "hyp-ref", "f"], typer.Option(help="What is scored given what: given-scored.")
    ] = "ref-hyp",
    comet: Annotated[str | None, typer.Option(help="COMET with this model of the Hub; needs comet-score.")] = None,
    about: options.TopicWords,
    neighbours: Annotated[
        str | None, typer.Option(help="Related words to report on, separated by commas; proposed if absent.")
    ] = None,
    eval_size: options.EvalSize = 500,
    minimum: options.Minimum = 20,
    beams: options.Beams = 1,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    report: options.Report = None,
    json: options.Json = None,
) -> None:
    """Score a model on the test pool's sentences with the topic, without it, and with its neighbours.

    Without `--topic`, a random part of the test pool tells how well the model does its task.

    With `--forget` the sets are scored before and after; a model that has already forgotten is compared with itself
    before. Deletions that were committed cannot be lifted.

    The first number is `closed`: how far the topic is gone from what the model knows.

    With `--pairs` the questions in that file are scored, at most `--eval-size`: give some that no search has read, such as
    paraphrases.

    docs/metrics.md says what each metric is and what it needs.
    """
    from codeunlearn.audit.beside import beside, check_beside
    from codeunlearn.audit.bypass import RETAINED
    from codeunlearn.cli.topic_options import read_asked, read_pools, read_topic, refuse_without_topic, topic_sets
    from codeunlearn.corpus.answer_words import ParallelText
    from codeunlearn.evaluation.evaluate import evaluate_saved
    from codeunlearn.evaluation.metrics.bartscore import BartScoreConfig
    from codeunlearn.evaluation.metrics.base import of_other_languages, standard_metrics
    from codeunlearn.evaluation.metrics.bertscore import bertscore_config
    from codeunlearn.evaluation.metrics.fluency import fit_fluency
    from codeunlearn.evaluation.metrics.opening import ExtraMetricsConfig, opened_metrics
    from codeunlearn.evaluation.test_sets import make_test_sets, whole_pool
    from codeunlearn.reporting.tables import scores_table
    from codeunlearn.tasks.base import task_of
    from codeunlearn.unlearning import ForgetSet

    for option, value, other, needed in (
        ("--zero-shot-prefix", zero_shot_prefix, "--zero-shot", zero_shot),
        ("--bertscore-layer", bertscore_layer, "--bertscore", bertscore),
        ("--bertscore-baseline", bertscore_baseline, "--bertscore", bertscore),
    ):
        if value is not None and needed is None:
            raise CodeUnlearnError(
                f"{option} says how {other} is done, which is not asked for; give both, or leave {option} out."
            )
    check_beside(method or [], attack or [])
    if topic is None:
        refuse_without_topic(about, neighbours)
    task = task_of(model)
    asked = read_asked(about.pairs, text.config())
    wanted = None if topic is None else read_topic(topic, about, task.languages[0], asked)
    pools = read_pools(text.config(), "train", "test", task=task)
    train = ParallelText.of(pools["train"])
    sets = None
    if wanted is None:
        tests = whole_pool(pools["test"], eval_size, seed)
    else:
        sizes: dict[str, Any] = {
            "search_size": 0,
            "tune_size": 0,
            "eval_size": eval_size,
            "minimum": minimum,
            "seed": seed,
        }
        sizes["answer_language"] = task.languages[1]
        sizes["search_size"] = SEARCHED if method or attack else 0
        sizes["search_retain_size"] = RETAINED if method or attack or bypass else 0
        sets = topic_sets(pools, wanted, target=about.target_words, neighbours=neighbours, asked=asked, **sizes)
        tests = make_test_sets(sets, pools, "test")
    forget_sets = [ForgetSet.load(path) for path in forget or []]
    judge = scorer or plain or zero_shot
    chosen = ExtraMetricsConfig(
        embedding_precision=judge,
        seq2seq_score=judge,
        seq2seq_prefix=zero_shot_prefix if judge == zero_shot else None,
        bertscore=bertscore_config(bertscore, bertscore_layer, bertscore_baseline) if bertscore else None,
        bartscore=BartScoreConfig(bartscore, bartscore_direction) if bartscore else None,
        comet=comet,
    )
    with progress("Fitting the character model") as show:
        fluency = fit_fluency(train, wanted, tests[0].words, seed=seed, language=task.languages[1])
        show(1, 1)
    metrics = standard_metrics() | opened_metrics(chosen, fluency=fluency, device=device)
    if others := of_other_languages(metrics, task.languages[1]):
        say(
            f"Not measured, since answers are in {task.languages[1]}: {', '.join(f'{n} ({of})' for n, of in others.items())}."
        )
    own = ["skip", *(["fitted-map"] if sets else [])] if bypass else []
    attacks = own + [name for name in attack or [] if name not in own]
    with progress("Asking") as show:
        evaluation = evaluate_saved(
            model,
            topic or "no topic",
            tests,
            task=task,
            forget_sets=forget_sets,
            comparisons=options.given(**{"plain": plain, "zero-shot": zero_shot}),
            prefixes=options.given(**{"zero-shot": zero_shot_prefix}),
            beside=beside(method or [], attacks, sets, task, seed=seed) if method or attacks else None,
            num_beams=beams,
            seed=seed,
            device=device,
            metrics=metrics,
            progress=show,
        )
    evaluation.details["metrics"] = chosen.names()
    evaluation.details["command"] = options.command_line()
    emit_json(json, evaluation.to_dict(), scores_table(evaluation))
    if report is not None:
        from codeunlearn.reporting.report import write_report

        page = write_report(
            report,
            forget_sets=forget_sets,
            evaluation=evaluation,
            title=f"Scores of {topic or model}",
            command=options.command_line(),
        )
        say(f"The report is in {page}.")
