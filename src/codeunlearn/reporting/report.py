"""A report directory: JSON for programs, PNG for papers, one page for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.protocol import AFTER, BEFORE, TopicEvaluation
from codeunlearn.files import check_folder_target, read_text, write_text
from codeunlearn.folders import replacing_folder
from codeunlearn.record import environment
from codeunlearn.reporting.figures import before_after, to_png, volcano
from codeunlearn.reporting.html import ReportFigure, render_page
from codeunlearn.reporting.labels import quoted, system_label
from codeunlearn.reporting.score_lines import systems_of
from codeunlearn.reporting.summary import summary
from codeunlearn.unlearning.evidence.enrichment import EnrichmentTable
from codeunlearn.unlearning.forget_set import ForgetSet
from codeunlearn.unlearning.recipes.base import TopicSearch

PAGE = "index.html"
GENERATOR = '<meta name="generator" content="codeunlearn '
_OURS = re.compile(r"index\.html|evaluation\.json|forget_set(_\d+)?\.json|volcano\.png|before_after\.png")


def write_report(
    directory: str | Path,
    *,
    search: TopicSearch | None = None,
    forget_sets: Sequence[ForgetSet] = (),
    evaluation: TopicEvaluation | None = None,
    title: str,
    command: str | None = None,
) -> Path:
    """Writes ``index.html``, ``forget_set.json``, ``evaluation.json``, ``volcano.png`` and ``before_after.png``.

    What was not given is left out. An earlier report in the same directory is replaced as a whole; other files there stay.

    Args:
        directory: made when it does not exist.
        search: a search with its evidence; gives the volcano plot and the forget set.
        forget_sets: sets that were applied but not searched just now; several get a number in their file's name.
        evaluation: scores and examples.
        title: heading of the page.
        command: the command line to show under "How this was made".

    Returns:
        the path of ``index.html``.

    Raises:
        CodeUnlearnError: nothing was given to report on, or the directory cannot be written.
    """
    sets = ([search.forget_set] if search else []) + list(forget_sets)
    if not sets and evaluation is None:
        raise CodeUnlearnError("There is nothing to report; give a search, a forget set or an evaluation.")
    check_report_target(Path(directory))
    figures = _figures(search, evaluation)
    page = render_page(
        title=title,
        forget_sets=sets,
        evaluation=evaluation,
        figures=figures,
        command=command,
        environment=environment(),
    )
    with replacing_folder(Path(directory), _is_ours, PAGE) as folder:
        for i, forget_set in enumerate(sets):
            forget_set.save(folder / ("forget_set.json" if i == 0 else f"forget_set_{i + 1}.json"))
        if evaluation is not None:
            evaluation.save(folder / "evaluation.json")
        for figure in figures:
            (folder / f"{figure.name}.png").write_bytes(figure.png)
        write_text(folder / PAGE, page)
    return Path(directory) / PAGE


def check_report_target(folder: Path) -> None:
    """Whether a report can be written to a folder without taking a page of something else away.

    Raises:
        CodeUnlearnError: it cannot be written to, or its ``index.html`` is no report of ours.
    """
    check_folder_target(folder)
    page = folder / PAGE
    if page.exists() and GENERATOR not in read_text(page):
        raise CodeUnlearnError(f"{page} is no report of codeunlearn; choose another folder.")


def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name) is not None


def _figures(search: TopicSearch | None, evaluation: TopicEvaluation | None) -> list[ReportFigure]:
    figures = [_volcano(search.forget_set, search.table)] if search is not None and search.table else []
    return figures + ([_before_after(evaluation)] if evaluation is not None and evaluation.scores else [])


def _volcano(forget_set: ForgetSet, table: EnrichmentTable) -> ReportFigure:
    alpha = forget_set.preset_options.get("alpha") if forget_set.preset == "paper" else None
    title = f"Codes of {quoted(forget_set.topic)}, S' = {table.s_prime}"
    figure = volcano(table, forget_set.ids, alpha=alpha, title=title)
    alt = (
        f"Volcano plot of {len(table):,} codes, R against the negative logarithm of p. The {len(forget_set):,} chosen "
        f"codes are coloured" + (f"; they lie right of R = 0 and above p = {alpha:g}." if alpha else ".")
    )
    caption = (
        f"Each point is a code that fires in at least one of {table.n_topic:,} topic or {table.n_control:,} control "
        f"{table.unit}s. Right: more frequent with the topic; up: less likely by chance. Codes that are absent from "
        "one of the two groups stand in the grey bands, where their place across has no meaning. The strongest chosen "
        "codes are named with their id and the token that most often fires them."
    )
    return ReportFigure("volcano", to_png(figure), alt, caption)


def _before_after(evaluation: TopicEvaluation) -> ReportFigure:
    figure = before_after(evaluation)
    names = [system_label(system) for system in systems_of(evaluation)]
    alt = f"Scores of {', '.join(names)} on {len(evaluation.sizes)} sets of test sentences. "
    alt += " ".join(summary((), evaluation)) if {BEFORE, AFTER} <= set(systems_of(evaluation)) else ""
    caption = (
        "Scores on each set of test sentences with 95% bootstrap intervals. Forgetting shows as low word recall on "
        "the sentences with the topic; on all other sets nothing should move. Exact values, and the length ratio, are "
        "in the table below. Whether a change is real shows in its own, paired interval there."
    )
    return ReportFigure("before_after", to_png(figure), alt.strip(), caption)
