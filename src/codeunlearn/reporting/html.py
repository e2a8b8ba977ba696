"""The report page: one HTML file that needs nothing beside it, no script, no font, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

import codeunlearn
from codeunlearn.evaluation.scores import RECALL, Sample, Scores
from codeunlearn.evaluation.systems import AFTER, BEFORE
from codeunlearn.reporting import limits
from codeunlearn.reporting.evidence import EFFECT_NOTE, EPSILON_NOTE, cells, is_path, order_of
from codeunlearn.reporting.figures import DPI
from codeunlearn.reporting.labels import (
    metric_label,
    metric_order,
    number,
    quoted,
    set_label,
    signed,
    system_label,
    system_order,
    token_text,
    zero_point_text,
)
from codeunlearn.reporting.score_lines import (
    NOISE_MARK,
    ScoreLine,
    closed_notes,
    compares,
    has_noise,
    score_groups,
    systems_of,
)
from codeunlearn.reporting.summary import key_figures, summary
from codeunlearn.reporting.word_diff import Piece, word_diff
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet

CODES_SHOWN = 25
_LIST_SHOWN = 12


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page.

    Attributes:
        name: of its file, without the ending.
        png: the picture.
        alt: what it shows, for those who do not see it.
        caption: how to read it.
    """

    name: str
    png: bytes
    alt: str
    caption: str

    @property
    def base64(self) -> str:
        return base64.b64encode(self.png).decode("ascii")

    @property
    def width(self) -> int:
        """In CSS pixels, of which an inch has 96."""
        return round(int.from_bytes(self.png[16:20]) * 96 / DPI)

    @property
    def height(self) -> int:
        return round(int.from_bytes(self.png[20:24]) * 96 / DPI)


def render_page(
    *,
    title: str,
    forget_sets: Sequence[ForgetSet],
    evaluation: Scores | None,
    figures: Sequence[ReportFigure],
    command: str | None,
    environment: Mapping[str, Any],
) -> str:
    """The whole page; everything that comes from outside is escaped."""
    template = page_template("report.html")
    examples = _examples(evaluation) if evaluation else []
    content: dict[str, Any] = {
        "title": title,
        "key_figures": key_figures(forget_sets, evaluation),
        "sentences": summary(forget_sets, evaluation),
        "figures": figures,
        "scores": _scores(evaluation) if evaluation and evaluation.rows else None,
        "examples": examples,
        "any_changed": any(row["kind"] for group in examples for e in group["examples"] for row in e["rows"]),
        "code_tables": [_code_table(s) for s in forget_sets if s.evidence],
        "command": command,
        "made": _made(forget_sets, evaluation, environment),
        "signatures": _signatures(evaluation) if evaluation else [],
        "limits": _limits(evaluation),
        "version": codeunlearn.__version__,
        "footer": f"Written by codeunlearn {codeunlearn.__version__}. All numbers are in the JSON files beside it.",
    }
    return template.render(content, sections=_sections(content))


def page_template(name: str) -> Template:
    """A template of a page; what is put into it is escaped, and what is missing is an error."""
    templates = Environment(
        loader=PackageLoader("codeunlearn.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template(name)


def _sections(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    optional = (
        ("figures", "figures", "Figures"),
        ("scores", "scores", "Scores"),
        ("examples", "examples", "Examples"),
        ("code_tables", "codes", "Deleted codes"),
    )
    present = [(anchor, text) for key, anchor, text in optional if content[key]]
    return [*present, ("made", "How this was made"), ("limits", "What this does and does not show")]


def _scores(evaluation: Scores) -> dict[str, Any]:
    groups = score_groups(evaluation)
    compared = compares(evaluation)
    systems = systems_of(evaluation)
    others = [system for system in systems if system not in (BEFORE, AFTER)]
    columns = [system_label(s) for s in systems]
    if compared:
        columns = ["Before", "After", "Change [95% interval]", "Normalised drop", *map(system_label, others)]
    return {
        "caption": "All scores, per set of test sentences. Arrows show where a metric is better.",
        "columns": columns,
        "groups": [
            {
                "label": group.label,
                "size": f"{group.size:,}",
                "rows": [
                    {
                        "metric": str(line.metric),
                        "is_clear": line.is_clear,
                        "cells": _compared_cells(line, others) if compared else _plain_cells(line, systems),
                    }
                    for line in group.lines
                ],
            }
            for group in groups
        ],
        "notes": _score_notes(evaluation, has_noise(groups)),
        "meanings": _meanings(evaluation),
    }


def _cell(value: str, interval: str = "", is_change: bool = False) -> dict[str, Any]:
    return {"value": value, "interval": interval, "is_change": is_change}


def _plain_cells(line: ScoreLine, systems: Sequence[str]) -> list[dict[str, Any]]:
    return [_cell(line.values.get(s, ""), line.intervals.get(s, "")) for s in systems]


def _compared_cells(line: ScoreLine, others: Sequence[str]) -> list[dict[str, Any]]:
    return [
        _cell(line.values.get(BEFORE, "")),
        _cell(line.values.get(AFTER, "")),
        _cell(line.change, line.change_bounds, True),
        _cell(line.normalised, line.normalised_bounds),
        *(_cell(line.values.get(s, "")) for s in others),
    ]


def _score_notes(evaluation: Scores, noise: bool) -> list[str]:
    if not compares(evaluation):
        return ["In brackets: 95% bootstrap intervals over the test sentences."]
    notes = [
        "Change is after minus before on the same sentences, with a paired 95% bootstrap interval; bold where the "
        "interval excludes 0. On the sentences with the topic a lower score is what forgetting looks like.",
        f"Normalised drop (paper, section 3.7): 0% is the model before, {signed(-100, 0)}% is "
        f"{zero_point_text(evaluation.zero_point)}.",
    ]
    notes += closed_notes(evaluation)
    if noise:
        notes.append(
            f"{NOISE_MARK} The model before and the zero point cannot be told apart here, so the normalised drop says "
            "nothing; read the change."
        )
    return notes


def _meanings(evaluation: Scores) -> list[tuple[str, str]]:
    labels = [metric_label(row.metric, row.set) for row in evaluation.rows]
    return list(dict.fromkeys((str(label), label.meaning) for label in labels if label.meaning))


def _examples(evaluation: Scores) -> list[dict[str, Any]]:
    groups = [
        {
            "label": set_label(name, evaluation.topic),
            "examples": [_example(e) for e in evaluation.samples if e.set == name],
        }
        for name in evaluation.sizes
    ]
    return [group for group in groups if group["examples"]]


def _example(example: Sample) -> dict[str, Any]:
    return {
        "source": example.prompt,
        "reference": example.reference,
        "rows": _example_rows(example.answers),
    }


def _example_rows(translations: Mapping[str, str]) -> list[dict[str, Any]]:
    if not {BEFORE, AFTER} <= translations.keys():
        return [
            _row(system_label(system), [Piece(text, False)] if text else [])
            for system, text in sorted(translations.items(), key=lambda item: system_order(item[0]))
        ]
    before, after = translations[BEFORE], translations[AFTER]
    if before == after:
        return [_row("Before and after", [Piece(before, False)] if before else [])]
    old, new = word_diff(before, after)
    return [_row("Before", old, "lost"), _row("After", new, "new")]


def _row(label: str, pieces: list[Piece], kind: str = "") -> dict[str, Any]:
    return {"label": label, "pieces": pieces, "kind": kind}


def _code_table(forget_set: ForgetSet) -> dict[str, Any]:
    columns = ("Rank", "q", "Takes", "Costs", "Stability") if is_path(forget_set) else ("R", "p")
    rows = [_code_row(evidence, columns) for evidence in forget_set.evidence]
    more = rows[CODES_SHOWN:]
    return {
        "columns": columns,
        "caption": f"Codes deleted for {quoted(forget_set.topic)}, {order_of(forget_set)}. Topic and Control: of "
        f"{forget_set.n_topic:,} topic and {forget_set.n_control:,} control sentences, those in which the code fires.",
        "rows": rows[:CODES_SHOWN],
        "more": more,
        "more_label": f"{len(more):,} more",
        "notes": _code_notes(forget_set),
    }


def _code_notes(forget_set: ForgetSet) -> list[str]:
    if is_path(forget_set):
        return [
            f"{EFFECT_NOTE} Stability: share of bootstrap samples of the sentences in which the code passes its test again; "
            "q: the false discovery rate at which it does."
        ]
    return [EPSILON_NOTE] if any(e.control == 0 for e in forget_set.evidence) else []


def _code_row(evidence: CodeEvidence, columns: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": str(evidence.id),
        "topic": f"{evidence.topic:,}",
        "control": f"{evidence.control:,}",
        "strength": cells(evidence, columns),
        "tokens": ", ".join(f"{token_text(token)} {count}" for token, count in evidence.top_tokens),
    }


def _made(
    forget_sets: Sequence[ForgetSet], evaluation: Scores | None, environment: Mapping[str, Any]
) -> list[dict[str, Any]]:
    groups = [{"title": f"Forget set {quoted(s.topic)}", "facts": _forget_set_facts(s)} for s in forget_sets]
    details = dict(evaluation.details) if evaluation else {}
    machine = cast(Mapping[str, Any], details.pop("environment", None) or environment)
    if details:
        groups.append({"title": "Evaluation", "facts": list(flat_facts(details))})
    return [*groups, {"title": "Versions and machine", "facts": list(flat_facts(machine))}]


def _forget_set_facts(forget_set: ForgetSet) -> list[tuple[str, str]]:
    facts: dict[str, Any] = {
        "forms": forget_set.forms,
        "target forms": forget_set.target_forms,
        "preset": forget_set.preset,
        "preset options": dict(forget_set.preset_options),
        "S'": forget_set.s_prime,
        "seed": forget_set.seed,
        "model fingerprint": forget_set.fingerprint,
        "created": forget_set.created,
        "codeunlearn": forget_set.version,
    }
    return list(flat_facts({name: value for name, value in facts.items() if value not in ("", (), {})}))


def flat_facts(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings as (path, value) pairs for a page; long lists by their length only."""
    for key, value in content.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from flat_facts(cast(Mapping[str, Any], value), f"{name}: ")
        elif isinstance(value, list | tuple):
            items = cast(Sequence[Any], value)
            if any(isinstance(item, Mapping) for item in items):
                yield from flat_facts({str(i): item for i, item in enumerate(items, 1)}, f"{name} ")
            else:
                yield (
                    name,
                    ", ".join(map(_plain, items)) if len(items) <= _LIST_SHOWN else f"{len(items):,} values",
                )
        else:
            yield name, _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and abs(value) >= 0.001:
        return number(value, 3).rstrip("0").rstrip(".")
    return str(value)


def _signatures(evaluation: Scores) -> list[tuple[str, str]]:
    """Recall has a signature of its own on every set, for its words differ."""
    rows = sorted(evaluation.rows, key=lambda row: metric_order(row.metric))
    names = [metric_label(row.metric, row.set).text + (f" ({row.set})" if row.metric == RECALL else "") for row in rows]
    return list(dict.fromkeys((name, row.signature) for name, row in zip(names, rows, strict=True)))


def _limits(evaluation: Scores | None) -> dict[str, Any]:
    return {
        "name": limits.NAME,
        "stops": limits.STOPS,
        "does_not_stop": (*limits.DOES_NOT_STOP, limits.MASKED),
        "not_shown": limits.NOT_SHOWN if evaluation else (),
    }
