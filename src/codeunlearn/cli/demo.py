"""``codeunlearn demo``: the whole story on the embedded corpus, in a few minutes on a laptop."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import output, progress, quiet_libraries, say, say_if_finished
from codeunlearn.cli.targets import folder
from codeunlearn.errors import CodeUnlearnError


def run(
    out: Annotated[
        Path, typer.Option("--out", help="Where model, forget set and report go.", parser=folder, metavar="DIRECTORY")
    ] = Path("runs/demo"),
    topic: Annotated[
        str, typer.Option("--topic", help="A topic of the embedded corpus, such as love or Julien.")
    ] = "love",
    limit: options.Limit = None,
    plain_epochs: Annotated[float, typer.Option(help="Passes of the plain training.")] = 4.0,
    epochs: Annotated[float, typer.Option(help="Passes of the joint training.")] = 2.0,
    config: options.Config = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Train a small English-French model with a codebook, forget a topic, show what changed, write a report page."""
    quiet_libraries()
    from codeunlearn.cli.opening import open_model
    from codeunlearn.cli.topics import read_topic, topic_sets
    from codeunlearn.corpus.loading import STORIES, DataConfig, filled_pools, load_pairs
    from codeunlearn.evaluation.evaluate import evaluate_saved
    from codeunlearn.evaluation.test_sets import make_test_sets
    from codeunlearn.reporting.report import write_report
    from codeunlearn.reporting.tables import examples_table, scores_table
    from codeunlearn.training.config import TrainConfig
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.run import train_joint, train_plain
    from codeunlearn.training.sizes import SIZES
    from codeunlearn.unlearning import search_recommended

    if Path(topic).name != topic:
        raise CodeUnlearnError(f"The topic {topic!r} cannot be the name of a file, as the demonstration needs it.")
    began = time.perf_counter()
    data = DataConfig(STORIES, limit=limit)
    say(" is trained from scratch on the embedded corpus.", heading="1. A small translation model")
    say_if_finished(out / "plain")
    plain = TrainConfig(epochs=plain_epochs, seed=seed, device=device, save_steps=200)
    train_plain(data, "tiny", out / "plain", plain, reuse=True)
    say(" is built from data, then trained together with the model.", heading="2. The codebook")
    say_if_finished(out / "model")
    joint = TrainConfig.joint(epochs=epochs, seed=seed, device=device, save_steps=200)
    shape = SIZES["tiny"].shape
    train_joint(data, str(out / "plain"), out / "model", joint, BuildConfig(seed=seed), shape, reuse=True)
    say(" are found: forward passes only, no gradient.", heading=f"3. The codes of {topic!r}")
    pools = filled_pools(load_pairs(data).dataset, ["train", "test"], STORIES)
    sets = topic_sets(pools, read_topic(topic), tune_size=0, eval_size=200, search_retain_size=2000, seed=seed)
    model, tokenizer = open_model(str(out / "model"), device)
    start = time.perf_counter()
    with progress("   Forgetting step by step") as show:
        found = search_recommended(
            model, tokenizer, sets, seed=seed, progress=lambda left: show(round(100 - 100 * left), 100)
        )
    codes, total = len(found.forget_set), found.forget_set.num_codes
    say(f"   {codes} of {total} codes, in {time.perf_counter() - start:.1f} s.")
    path = out / f"{topic}.json"
    found.forget_set.save(path)
    say(" on sentences of the test pool, which neither training nor search saw.", heading="4. Before and after")
    with progress("   Translating") as show:
        evaluation = evaluate_saved(
            str(out / "model"),
            topic,
            make_test_sets(sets, pools, "test"),
            forget_sets=[found.forget_set],
            comparisons={"plain": str(out / "plain")},
            seed=seed,
            device=device,
            progress=show,
        )
    evaluation.details["command"] = options.command_line()
    output.print(examples_table(evaluation))
    output.print(scores_table(evaluation))
    page = write_report(
        out / "report", search=found, evaluation=evaluation, title=f"Forgetting {topic}", command=options.command_line()
    )
    say(f"The report is in {page}. The whole demonstration took {time.perf_counter() - began:.0f} s.")
    say(f"Undo or keep it: codeunlearn apply {out / 'model'} {path} --out {out / 'forgotten'} [--commit]")
