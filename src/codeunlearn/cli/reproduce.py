"""``codeunlearn reproduce``: every table and figure of the paper from one configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeunlearn.cli import options
from codeunlearn.cli.console import output, say

if TYPE_CHECKING:
    from codeunlearn.experiments.run import Reproduction


def run(
    config: Annotated[Path, typer.Argument(help="The configuration, such as configs/demo.yaml.", dir_okay=False)],
    out: options.Out,
    data: Annotated[
        str | None, typer.Option("--data", help="The text, in place of the configuration's `text: data`.")
    ] = None,
    data_config: options.DataSetConfig = None,
    limit: options.Limit = None,
    base: Annotated[
        str | None, typer.Option("--base", help="The zero-shot model, a folder or a Hub name, in place of `base`.")
    ] = None,
    base_data: Annotated[
        list[str] | None,
        typer.Option(
            "--base-data",
            help="Text on which the base is trained, in place of `base: text`, whose options hold for files of the same "
            "name; several add up.",
        ),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(help="Translation model of other text for two semantic scores, in place of `scores: scorer`."),
    ] = None,
    bertscore: Annotated[
        str | None, typer.Option(help="BERTScore precision with this encoder: folder or name.")
    ] = None,
    bartscore: Annotated[str | None, typer.Option(help="BARTScore with this BART: folder or name.")] = None,
    comet: Annotated[str | None, typer.Option(help="COMET with this model of the Hub; needs comet-score.")] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Another value of the configuration, such as joint.train.max_steps=20."
        ),
    ] = None,
    redo: Annotated[
        list[str] | None,
        typer.Option("--redo", help="Make this stage and what rests on it again; `changed`: all whose inputs changed."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Make this stage alone, such as joint-0 or love; processes can share the stages of one OUT so.",
        ),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="List the stages and what is finished; make nothing.")] = False,
    artefacts: Annotated[
        bool, typer.Option("--artefacts", help="Only write tables, figures and page from what is finished.")
    ] = False,
    device: options.Device = "auto",
) -> None:
    """Make every table and figure of the paper from one configuration, in stages that resume.

    Finished stages are used again: after an interruption the same command goes on. A stage whose inputs have changed is
    refused, unless `--redo` asks for it again. Tables and figures go to OUT/artefacts, the page to OUT/index.html.
    """
    from codeunlearn.device import processes
    from codeunlearn.experiments.config import ReproductionConfig
    from codeunlearn.experiments.paper.artefacts import write_artefacts
    from codeunlearn.experiments.run import Reproduction
    from codeunlearn.reading import merged, settings_of

    changes = _changes(data, data_config, limit, base, base_data)
    scores = options.given(scorer=scorer, bertscore=bertscore, bartscore=bartscore, comet=comet)
    given = merged(merged(settings_of(changed or []), changes), options.given(scores=scores or None))
    chosen = ReproductionConfig.load(config, **given)
    work = Reproduction(chosen, out, device=device, redo=redo or [], only=only or [], say=_say)
    if plan:
        _show_plan(work)
        return
    if not artefacts:
        work.run()
    if processes().rank or (only and not artefacts):
        return
    page = write_artefacts(chosen, work.store, out, command=options.command_line())
    say(f"Tables and figures are in {out / 'artefacts'}, the page is {page}.")


def _changes(
    data: str | None, data_config: str | None, limit: int | None, base: str | None, base_data: list[str] | None
) -> dict[str, Any]:
    text = options.given(data=data, config=data_config, limit=limit)
    about_base = options.given(model=base, text=[{"data": one} for one in base_data] if base_data else None)
    if base is not None:
        about_base |= {"size": None, "text": []}
    return options.given(text=text or None, base=about_base or None)


def _say(stage: str) -> None:
    say("", heading=stage)


def _show_plan(work: Reproduction) -> None:
    for stage in work.stages():
        output.print(f"{work.store.state(stage):<9} {stage.name}", soft_wrap=True)
