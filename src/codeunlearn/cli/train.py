"""``codeunlearn train``: plain training, or model and bottleneck together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, say, say_if_finished
from codeunlearn.errors import CodeUnlearnError

_OF_BOTTLENECK = (
    *("num_codes", "code_dim", "top_s", "layer"),
    *("losses", "frozen", "revive_steps", "bottleneck_learning_rate"),
)


@dataclass(frozen=True)
class Chosen:
    """What holds for the last training only, where a plain one comes before."""

    epochs: Annotated[float | None, typer.Option(help="Passes over the train pool.", min=0.0)] = None
    max_steps: Annotated[int | None, typer.Option(help="Stop after so many optimizer steps.", min=1)] = None
    optimizer: Annotated[Literal["muon", "adamw"] | None, typer.Option(help="muon or adamw.")] = None
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.", min=0.0)] = None
    bottleneck_learning_rate: Annotated[float | None, typer.Option(help="Peak for the bottleneck.", min=0.0)] = None
    warmup_share: Annotated[float | None, typer.Option(help="Part of the steps spent rising.", min=0.0, max=1.0)] = None
    losses: Annotated[str | None, typer.Option(help="recommended, paper or cross-entropy.")] = None
    frozen: Annotated[
        Literal["nothing", "base", "bottleneck"] | None, typer.Option(help="What joint training leaves as it is.")
    ] = None
    revive_steps: Annotated[int | None, typer.Option(help="Codes unused so long start again; 0: never.", min=0)] = None


@dataclass(frozen=True)
class Common:
    """What holds for every training."""

    batch_tokens: Annotated[int | None, typer.Option(help="Padded tokens of a batch, both sides.", min=1)] = None
    max_tokens: Annotated[int | None, typer.Option(help="A longer side is cut.", min=2)] = None
    gradient_accumulation_steps: Annotated[
        int | None, typer.Option(help="Batches whose gradients make one step.", min=1)
    ] = None
    weight_decay: Annotated[float | None, typer.Option(help="For weight matrices outside the bottleneck.", min=0.0)] = (
        None
    )
    dropout: Annotated[
        float | None, typer.Option(help="Dropout drawn per sentence; absent: the model's own.", min=0.0, max=0.9)
    ] = None
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of each target spread over the vocabulary.", min=0.0, max=0.9)
    ] = None
    source_prefix: options.SourcePrefix = None
    source_suffix: options.SourceSuffix = None
    chat: options.Chat = False
    whole: Annotated[bool, typer.Option("--whole", help="Learn all of the data, not its train pool alone.")] = False
    save_steps: Annotated[int | None, typer.Option(help="A checkpoint every so many steps.", min=1)] = None
    log_steps: Annotated[int | None, typer.Option(help="Losses and health every so many steps.", min=1)] = None
    saved_dtype: Annotated[
        Literal["float32", "bfloat16"] | None, typer.Option(help="Type of the weights in the finished file.")
    ] = None


def run(
    *,
    text: options.Text,
    base: Annotated[
        str,
        typer.Option(
            "--base",
            help="tiny, tiny-6k, mini, small (T5-small's shape), marian-tiny, bert-tiny, or a saved model: folder or Hub name.",
        ),
    ],
    out: options.Out,
    plain: Annotated[bool, typer.Option("--plain", help="Without a bottleneck: the model to compare with.")] = False,
    chosen: Chosen,
    plain_epochs: Annotated[
        float | None, typer.Option(help="From scratch: passes of the plain training before the joint one.", min=0.0)
    ] = None,
    common: Common,
    purpose: options.Purpose,
    shape: options.Shape,
    new_basis: Annotated[
        bool | None,
        typer.Option(
            help="Layers behind the bottleneck work in a basis of their own; where the model allows it if absent."
        ),
    ] = None,
    attribution: Annotated[
        str | None,
        typer.Option(help="Source and terms of the data, for the model card; texts of the package bring theirs."),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Train a model, with a bottleneck (default) or without one (`--plain`), on what its kind is asked.

    From a trained base the bottleneck starts from data, then model and bottleneck train together. From a named size
    (`tiny`, `tiny-6k`, `mini`, `small`, `marian-tiny`, `bert-tiny`) a plain training comes first, whose model stays in
    OUT/plain; it has its own optimizer and learning rate, which only a separate `--plain` training can change. A killed
    run goes on from its last checkpoint when the same command is given again.
    """
    from codeunlearn.training.config import TrainConfig
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.resuming import check_out
    from codeunlearn.training.run import train_joint, train_plain
    from codeunlearn.training.sizes import SIZES

    pairs, wanted = text.config(), options.given(shape)
    of_every: dict[str, Any] = options.given(common, **asdict(purpose), seed=seed, device=device)
    settings = {**options.given(chosen), **of_every}
    if plain:
        _refuse_of_bottleneck(settings | wanted)
        make = TrainConfig if base in SIZES else TrainConfig.finetune
        train_plain(pairs, base, out, make(**settings), complete=completing(out, attribution, json))
        say(f"The model is in {out}.")
        return
    if base in SIZES:
        check_out(out)
        say("First the plain model, then the bottleneck.")
        say_if_finished(out / "plain")
        stage = TrainConfig(**options.given(epochs=plain_epochs, max_steps=chosen.max_steps), **of_every)
        complete = completing(out / "plain", attribution)
        train_plain(pairs, base, out / "plain", stage, reuse=True, complete=complete)
        say(f"The plain model is in {out / 'plain'}.")
        wanted = {**SIZES[base].shape, **wanted}
        base = str(out / "plain")
    start = BuildConfig(seed=seed, new_basis=new_basis)
    complete = completing(out, attribution, json)
    train_joint(pairs, base, out, TrainConfig.joint(**settings), start, wanted, complete=complete)
    say(f"The model is in {out}.")


def _refuse_of_bottleneck(settings: dict[str, Any]) -> None:
    for name in _OF_BOTTLENECK:
        if name in settings:
            raise CodeUnlearnError(
                f"--{name.replace('_', '-')} is about the bottleneck, and --plain trains without; leave one out."
            )


def completing(out: Path, attribution: str | None, json: str | None = None) -> Callable[[Path, dict[str, Any]], None]:
    """What is written before a new model appears: its card beside it, and the machine-readable record."""

    def complete(folder: Path, record: dict[str, Any]) -> None:
        from codeunlearn.reporting.model_card import write_model_card

        write_model_card(folder, record, attribution=attribution, name=out.resolve().name)
        emit_json(json, record)

    return complete
