"""Every table and figure of the paper from what is finished, and the page that binds them."""

from __future__ import annotations

import shutil
from pathlib import Path

from codeunlearn.evaluation.protocol import FORGET, RETAIN
from codeunlearn.reproduction.ablation_table import ablations
from codeunlearn.reproduction.artefact import Artefact
from codeunlearn.reproduction.config import ReproductionConfig
from codeunlearn.reproduction.curves import curve
from codeunlearn.reproduction.examples import examples
from codeunlearn.reproduction.page import render
from codeunlearn.reproduction.results import Results
from codeunlearn.reproduction.stages import StageStore
from codeunlearn.reproduction.tables import models, optimism, table2, table3


def make_artefacts(results: Results) -> list[Artefact]:
    """Those for which something is finished, in the order of the paper."""
    config = results.config
    concept, name = config.concept_topic, config.name_topic
    neighbour = config.neighbour or next((s for s in results.sets(concept) if s not in (FORGET, RETAIN)), None)
    made = [
        models(results),
        examples(results, "table1", "Table 1", concept, FORGET),
        table2(results),
        curve(results, "figure3", "Figure 3", concept),
        curve(results, "figure4", "Figure 4", name),
        curve(results, "figure5", "Figure 5", concept, neighbour) if neighbour else None,
        table3(results),
        examples(results, "table4", "Table 4", name, FORGET),
        examples(results, "table5", "Table 5", name, RETAIN),
        optimism(results),
        ablations(results),
    ]
    return [artefact for artefact in made if artefact is not None]


def write_artefacts(config: ReproductionConfig, store: StageStore, out: Path, command: str | None = None) -> Path:
    """Writes ``out/artefacts`` anew, and ``out/index.html``; what is not finished is left out and said so.

    Returns:
        the path of the page.
    """
    results = Results.load(config, store)
    made = make_artefacts(results)
    folder = out / "artefacts"
    if folder.exists():
        shutil.rmtree(folder)
    for artefact in made:
        artefact.save(folder)
    page = out / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render(results, made, store, command), encoding="utf-8")
    return page
