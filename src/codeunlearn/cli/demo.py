"""``codeunlearn demo``: a topic of real text forgotten, scored and shown within a minute on a laptop."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import output, progress, say, say_if_finished
from codeunlearn.cli.targets import folder
from codeunlearn.errors import CodeUnlearnError

if TYPE_CHECKING:
    from codeunlearn.corpus.pools import Pool

MODEL = Path("models/en-fr-mini")
TEXT = "tatoeba"
INVENTED = "stories"
SIZES: dict[str, Any] = {"search_size": 100, "tune_size": 0, "eval_size": 50, "search_retain_size": 300}


def run(
    out: Annotated[
        Path, typer.Option("--out", help="Where forget set and report go.", parser=folder, metavar="DIRECTORY")
    ] = Path("runs/demo"),
    topic: Annotated[
        str, typer.Option("--topic", help="An English word or name, such as love, dog or Boston.")
    ] = "love",
    model: Annotated[
        str | None, typer.Option("--model", help="A saved model with a codebook; models/en-fr-mini if absent.")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="First train a small model from scratch on the stories: some minutes.")
    ] = False,
    limit: options.Limit = None,
    plain_epochs: Annotated[float, typer.Option(help="With --train: passes of the plain training.")] = 4.0,
    epochs: Annotated[float, typer.Option(help="With --train: passes of the joint training.")] = 2.0,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Forget a topic in a small English-French model, show what changed on unseen sentences, write a report page."""
    from codeunlearn.cli.opening import open_model
    from codeunlearn.cli.topic_options import read_topic, topic_sets
    from codeunlearn.corpus.loading import DataConfig, filled_pools, load_pairs
    from codeunlearn.evaluation.evaluate import evaluate_saved
    from codeunlearn.evaluation.test_sets import make_test_sets
    from codeunlearn.reporting.report import write_report
    from codeunlearn.reporting.tables import examples_table, scores_table
    from codeunlearn.unlearning import Recommended

    if Path(topic).name != topic:
        raise CodeUnlearnError(f"The topic {topic!r} cannot be the name of a file, as the demonstration needs it.")
    began = time.perf_counter()
    data = DataConfig(INVENTED if train else TEXT, limit=limit)
    wanted = read_topic(topic)
    name = _trained(data, out, plain_epochs, epochs, seed, device) if train else _ready(model)
    pools: dict[Pool, Any] = filled_pools(load_pairs(data).dataset, ["train", "test"], data.data)
    sets = topic_sets(pools, wanted, minimum=10, seed=seed, **SIZES)
    say(f" of {name} are found: forward passes only, no gradient.", heading=f"1. The codes of {topic!r}")
    opened, tokenizer = open_model(name, device)
    with progress("   Forgetting step by step") as show:
        found = Recommended().search(opened, tokenizer, sets, seed=seed, steps=(), progress=show)
    path = out / f"{topic}.json"
    found.forget_set.save(path)
    codes, total = len(found.forget_set), found.forget_set.num_codes
    say(f"   {codes} of {total:,} codes, after {time.perf_counter() - began:.0f} s.")
    say(" on sentences that neither training nor search saw.", heading="2. Before and after")
    with progress("   Translating") as show:
        evaluation = evaluate_saved(
            name,
            topic,
            make_test_sets(sets, pools, "test")[:2],
            forget_sets=[found.forget_set],
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
    say(f"The report is in {page}. All this took {time.perf_counter() - began:.0f} s.")
    _say_what_next(name, path, out, topic, sets.forget[0].prompt)


def _ready(model: str | None) -> str:
    if model is None and not MODEL.exists():
        raise CodeUnlearnError(
            f"There is no model in {MODEL}, where the repository has one; name a model with a codebook with --model, or "
            "train a small one with `codeunlearn demo --train` (some minutes)."
        )
    return str(MODEL) if model is None else model


def _trained(text: Any, out: Path, plain_epochs: float, epochs: float, seed: int, device: str) -> str:
    """The folder of a small model that is trained on the text, plain and then with a codebook."""
    from codeunlearn.training.config import TrainConfig
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.run import train_joint, train_plain
    from codeunlearn.training.sizes import SIZES as MODELS

    say(" is trained from scratch on the stories.", heading="A small translation model")
    say_if_finished(out / "plain")
    plain = TrainConfig(epochs=plain_epochs, seed=seed, device=device, save_steps=200)
    train_plain(text, "tiny", out / "plain", plain, reuse=True)
    say(" is built from data, then trained together with the model.", heading="The codebook")
    say_if_finished(out / "model")
    joint = TrainConfig.joint(epochs=epochs, seed=seed, device=device, save_steps=200)
    shape = MODELS["tiny"].shape
    train_joint(text, str(out / "plain"), out / "model", joint, BuildConfig(seed=seed), shape, reuse=True)
    return str(out / "model")


def _say_what_next(model: str, forget_set: Path, out: Path, topic: str, sentence: str) -> None:
    """Three questions of a newcomer, with commands that can be typed as they stand."""
    name, found, word = (shlex.quote(str(part)) for part in (model, forget_set, topic))
    changed, restored = (shlex.quote(str(out / part)) for part in ("forgotten", "restored"))
    say("", heading="\nWhat can I type next?")
    say("   Translate a sentence of your own without the topic, or forget another one:")
    say(f"   echo {shlex.quote(sentence)} | codeunlearn translate {name} --forget {found}")
    another = "music" if topic == "dog" else "dog"
    say(f"   codeunlearn demo --topic {another}" + ("" if model == str(MODEL) else f" --model {name}"))
    say("", heading="\nHow do I undo it?")
    say(f"   {model} was not changed. A copy without the topic can be taken back, until you give --commit:")
    say(f"   codeunlearn apply {name} {found} --out {changed}")
    say(f"   codeunlearn restore {changed} --topic {word} --out {restored}")
    say("", heading="\nWhat does it not do?")
    say("   It is no certificate that the topic has left the model: who holds the weights can fit a way around the")
    say("   codebook, and training on the topic teaches it again. Related words may suffer. See it for yourself:")
    say(f"   codeunlearn evaluate {name} --topic {word} --data {TEXT} --forget {found} --bypass --eval-size 50")
