"""``codeunlearn train``: plain training, or model and bottleneck together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import emit_json, quiet_libraries, say, say_if_finished
from codeunlearn.errors import CodeUnlearnError


def run(
    data: options.Data,
    base: Annotated[
        str,
        typer.Option(
            "--base", help="tiny, tiny-6k, mini, small (T5-small's shape), or a saved T5: folder or Hub name."
        ),
    ],
    out: options.Out,
    plain: Annotated[bool, typer.Option("--plain", help="Without a bottleneck: the model to compare with.")] = False,
    config: options.Config = None,
    data_config: options.DataSetConfig = None,
    source_column: options.SourceColumn = None,
    target_column: options.TargetColumn = None,
    limit: options.Limit = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the train pool.", min=0.0)] = None,
    plain_epochs: Annotated[
        float | None, typer.Option(help="From scratch: passes of the plain training before the joint one.", min=0.0)
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Stop after so many optimizer steps.", min=1)] = None,
    batch_tokens: Annotated[int | None, typer.Option(help="Padded tokens of a batch, both sides.", min=1)] = None,
    max_tokens: Annotated[int | None, typer.Option(help="A longer side is cut.", min=2)] = None,
    gradient_accumulation_steps: Annotated[
        int | None, typer.Option(help="Batches whose gradients make one step.", min=1)
    ] = None,
    optimizer: Annotated[Literal["muon", "adamw"] | None, typer.Option(help="muon or adamw.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.", min=0.0)] = None,
    bottleneck_learning_rate: Annotated[float | None, typer.Option(help="Peak for the bottleneck.", min=0.0)] = None,
    warmup_share: Annotated[
        float | None, typer.Option(help="Part of the steps spent rising.", min=0.0, max=1.0)
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="For weight matrices outside the bottleneck.", min=0.0)
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Dropout drawn per sentence; absent: the model's own.", min=0.0, max=0.9)
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of each target spread over the vocabulary.", min=0.0, max=0.9)
    ] = None,
    losses: Annotated[str | None, typer.Option(help="recommended, paper or cross-entropy.")] = None,
    frozen: Annotated[
        Literal["nothing", "base", "bottleneck"] | None, typer.Option(help="What joint training leaves as it is.")
    ] = None,
    revive_steps: Annotated[int | None, typer.Option(help="Codes unused so long start again; 0: never.", min=0)] = None,
    source_prefix: options.SourcePrefix = None,
    save_steps: Annotated[int | None, typer.Option(help="A checkpoint every so many steps.", min=1)] = None,
    log_steps: Annotated[int | None, typer.Option(help="Losses and health every so many steps.", min=1)] = None,
    num_codes: Annotated[int | None, typer.Option(help="K, codes in the codebook.", min=1)] = None,
    code_dim: Annotated[int | None, typer.Option(help="F, numbers per code.", min=1)] = None,
    top_s: Annotated[int | None, typer.Option(help="S, codes per token.", min=1)] = None,
    layer: Annotated[
        int | None, typer.Option(help="Encoder layer of the bottleneck, from 0; the paper's is 2.", min=0)
    ] = None,
    new_basis: Annotated[bool, typer.Option(help="Layers behind the bottleneck work in a basis of their own.")] = True,
    saved_dtype: Annotated[
        Literal["float32", "bfloat16"] | None, typer.Option(help="Type of the weights in the finished file.")
    ] = None,
    attribution: Annotated[
        str | None,
        typer.Option(help="Source and terms of the data, for the model card; texts of the package bring theirs."),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = None,
) -> None:
    """Train a translation model, with a bottleneck (default) or without one (`--plain`).

    From a trained base the bottleneck starts from data, then model and bottleneck train together. From a small size
    (`tiny`, `tiny-6k`, `mini`, `small`) a plain training comes first, whose model stays in OUT/plain; it has its own
    optimizer and learning rate, which only a separate `--plain` training can change. A killed run goes on from its last
    checkpoint when the same command is given again.
    """
    quiet_libraries()
    from codeunlearn.training.config import TrainConfig
    from codeunlearn.training.initialise import BuildConfig
    from codeunlearn.training.resuming import check_out
    from codeunlearn.training.run import train_joint, train_plain
    from codeunlearn.training.sizes import SIZES

    pairs = options.data_config(data, data_config, source_column, target_column, limit)
    common = options.given(
        batch_tokens=batch_tokens,
        gradient_accumulation_steps=gradient_accumulation_steps,
        max_tokens=max_tokens,
        source_prefix=source_prefix,
        save_steps=save_steps,
        log_steps=log_steps,
        saved_dtype=saved_dtype,
        seed=seed,
        device=device,
        weight_decay=weight_decay,
        dropout=dropout,
        label_smoothing=label_smoothing,
    )
    chosen = options.given(
        epochs=epochs,
        max_steps=max_steps,
        optimizer=optimizer,
        learning_rate=learning_rate,
        bottleneck_learning_rate=bottleneck_learning_rate,
        warmup_share=warmup_share,
        losses=losses,
        frozen=frozen,
        revive_steps=revive_steps,
    )
    if plain:
        _refuse_of_bottleneck(
            num_codes=num_codes,
            code_dim=code_dim,
            top_s=top_s,
            layer=layer,
            losses=losses,
            frozen=frozen,
            revive_steps=revive_steps,
            bottleneck_learning_rate=bottleneck_learning_rate,
        )
        make = TrainConfig if base in SIZES else TrainConfig.finetune
        train_plain(pairs, base, out, make(**chosen, **common), complete=completing(out, attribution, json))
        say(f"The model is in {out}.")
        return
    size = SIZES.get(base)
    shape: dict[str, Any] = options.given(num_codes=num_codes, code_dim=code_dim, top_s=top_s, layer=layer)
    if size is not None:
        check_out(out)
        say("First the plain model, then the bottleneck.")
        say_if_finished(out / "plain")
        stage = TrainConfig(**options.given(epochs=plain_epochs, max_steps=max_steps), **common)
        complete = completing(out / "plain", attribution)
        train_plain(pairs, base, out / "plain", stage, reuse=True, complete=complete)
        say(f"The plain model is in {out / 'plain'}.")
        base = str(out / "plain")
        shape = {**size.shape, **shape}
    config_joint = TrainConfig.joint(**chosen, **common)
    start = BuildConfig(seed=seed, new_basis=new_basis)
    complete = completing(out, attribution, json)
    train_joint(pairs, base, out, config_joint, start, shape, complete=complete)
    say(f"The model is in {out}.")


def _refuse_of_bottleneck(**about_it: Any) -> None:
    for name, value in about_it.items():
        if value is not None:
            raise CodeUnlearnError(
                f"--{name.replace('_', '-')} is about the bottleneck, and --plain trains without; leave one out."
            )


def completing(out: Path, attribution: str | None, json: str | None = None) -> Callable[[Path, dict[str, Any]], None]:
    """What is written before a new model appears: its card beside it, and the machine-readable record."""

    def complete(folder: Path, record: dict[str, Any]) -> None:
        from codeunlearn.reporting.model_card import write_model_card

        write_model_card(folder, record, [], attribution=attribution, name=out.resolve().name)
        emit_json(json, record)

    return complete
