"""Every table and figure of the paper from what is finished, and the page that binds them."""

from __future__ import annotations

import re
from pathlib import Path

from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.paper.ablation_table import ablations
from codeunlearn.experiments.paper.beside_table import beside
from codeunlearn.experiments.paper.curves import curve
from codeunlearn.experiments.paper.examples import examples
from codeunlearn.experiments.paper.knowledge_tables import knowledge_artefacts
from codeunlearn.experiments.paper.page import render
from codeunlearn.experiments.paper.recipe_tables import recipe_artefacts
from codeunlearn.experiments.paper.tables import closed, models, optimism, table2, table3
from codeunlearn.experiments.paper.tofu_tables import tofu_artefacts
from codeunlearn.experiments.results import Results
from codeunlearn.experiments.stages import StageStore
from codeunlearn.files import write_text
from codeunlearn.folders import replacing_folder
from codeunlearn.reporting.artefact import Artefact

_OURS = re.compile(
    r"(table\d|figure\d|beside|closed|models|pools|ablations|loss-\d+|cost|neighbours|details|examples|seconds|null-control|kept|topics|costs|tofu|tofu-authors)"
    r"\.(csv|md|svg)"
)


def make_artefacts(results: Results) -> list[Artefact]:
    """Those for which something is finished, in the order of the paper."""
    config = results.config
    if results.tofu is not None:  # there are no topics
        return tofu_artefacts(results)
    concept, name = config.concept_topic, config.name_topic
    neighbour = config.neighbour or next((s for s in results.sets(concept) if s not in (FORGET, RETAIN)), None)
    made = [
        closed(results),
        models(results),
        examples(results, "table1", "Table 1", concept, FORGET),
        table2(results),
        curve(results, "figure3", "Figure 3", concept),
        curve(results, "figure4", "Figure 4", name),
        curve(results, "figure5", "Figure 5", concept, neighbour) if neighbour else None,
        table3(results),
        examples(results, "table4", "Table 4", name, FORGET),
        examples(results, "table5", "Table 5", name, RETAIN),
        beside(results),
        optimism(results),
        ablations(results),
        *recipe_artefacts(results),
        *knowledge_artefacts(results),
    ]
    return [artefact for artefact in made if artefact is not None]


def write_artefacts(config: ReproductionConfig, store: StageStore, out: Path, command: str | None = None) -> Path:
    """Writes ``out/artefacts`` anew, and ``out/index.html``; what is not finished is left out and said so.

    Returns:
        the path of the page.
    """
    results = Results.load(config, store)
    made = make_artefacts(results)
    text = render(results, made, store, command)
    with replacing_folder(out / "artefacts", _is_ours) as folder:
        for artefact in made:
            artefact.save(folder)
    write_text(out / "index.html", text)
    return out / "index.html"


def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name) is not None
