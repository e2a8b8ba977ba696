"""The page that binds a reproduction: what it found in a few sentences, every table and figure, how it was made."""

from __future__ import annotations

import base64
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import codeunlearn
from codeunlearn.evaluation.scores import RECALL
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.paper.knowledge_tables import knowledge_sentences
from codeunlearn.experiments.paper.recipe_tables import recipe_sentences
from codeunlearn.experiments.paper.tofu_tables import tofu_sentences
from codeunlearn.experiments.recipes import recipes_name
from codeunlearn.experiments.results import JUDGED_FROM, Results, TopicMean
from codeunlearn.experiments.stages import StageStore
from codeunlearn.experiments.tofu import search_name, searched
from codeunlearn.experiments.units import units
from codeunlearn.record import public_name
from codeunlearn.reporting import limits
from codeunlearn.reporting.artefact import Artefact
from codeunlearn.reporting.html import flat_facts, page_template
from codeunlearn.reporting.labels import count_noun, metric_label, number, signed

_SHOWN_ROWS = 40  # a longer table is folded
_CSS_PIXELS_PER_POINT = 96 / 72


def render(results: Results, artefacts: Sequence[Artefact], store: StageStore, command: str | None) -> str:
    """The whole page; everything that comes from outside is escaped."""
    config = results.config
    content: dict[str, Any] = {
        "title": config.title,
        "note": config.note.strip(),
        "sentences": sentences(results),
        "missing": results.missing,
        "artefacts": [_artefact(artefact) for artefact in artefacts],
        "command": command,
        "made": [
            {"title": "Configuration", "facts": list(flat_facts(public_config(config)))},
            {"title": "Time", "facts": _times(results, store)},
            *_machines(results, store),
        ],
        "signatures": _signatures(results),
        "limits": {
            "name": limits.NAME,
            "stops": limits.STOPS,
            "does_not_stop": (*limits.DOES_NOT_STOP, limits.MASKED),
            "not_shown": limits.NOT_SHOWN,
        },
        "version": codeunlearn.__version__,
    }
    return page_template("reproduction.html").render(content)


def sentences(results: Results) -> list[str]:
    """What was found, computed from the numbers; each sentence stands alone."""
    s_prime, words = results.config.scores.s_prime, [topic.word for topic in results.config.topics]
    recall = [cell for word in words if (cell := results.mean(word, FORGET, RECALL, s_prime)) is not None]
    said = [text] if (text := _closed(results)) else []
    said += [*recipe_sentences(results), *knowledge_sentences(results), *tofu_sentences(results)]
    if recall:
        judged = [cell for cell in recall if cell.before >= JUDGED_FROM]
        if judged:
            before, after = (statistics.fmean(getattr(c, name) for c in judged) for name in ("before", "after"))
            said.append(
                f"At {results.step(s_prime)}, {number(statistics.fmean(c.codes for c in judged), 0)} codes are deleted for a "
                f"topic on average. Over {count_noun(len(judged), 'topic')}, the recall of its words in the answers goes from "
                f"{number(before)}% to {number(after)}%."
            )
        rare = [cell.topic for cell in recall if cell.before < JUDGED_FROM]
        if rare:
            said.append(
                f"The codebook model hardly translates the words of {', '.join(rare)} to begin with (recall below "
                f"{number(JUDGED_FROM, 0)}%), so their forgetting cannot be judged."
            )
    said += [text for metric in results.metrics(quality=True) if (text := _both_sides(results, metric))]
    return said + [text for text in (_noise(results), _beyond_placebo(results)) if text]


def _closed(results: Results) -> str:
    size = results.config.scores.s_prime
    found = [
        one for topic in results.config.topics if (one := results.closed(topic.word, size)) and one.closed is not None
    ]
    if not found:
        return ""
    shares = [one.closed or 0.0 for one in found]
    return (
        f"With {results.step(size)}, {count_noun(len(found), 'topic')} {'is' if len(found) == 1 else 'are'} closed to "
        f"{number(statistics.fmean(shares), 0)}% on average ({number(min(shares), 0)}% to {number(max(shares), 0)}%): so much of "
        "the way from the probability of the topic's words before to that under a control prompt is gone."
    )


def _cells(results: Results, set_name: str, metric: str) -> list[TopicMean]:
    s_prime = results.config.scores.s_prime
    found = (results.mean(topic.word, set_name, metric, s_prime) for topic in results.config.topics)
    return [cell for cell in found if cell is not None]


def _both_sides(results: Results, metric: str) -> str:
    forget, retain = _cells(results, FORGET, metric), _cells(results, RETAIN, metric)
    if not forget or not retain:
        return ""
    lost, kept = (statistics.fmean(cell.delta for cell in cells) for cells in (forget, retain))
    places = metric_label(metric, "").decimals
    text = (
        f"{metric_label(metric, '').text} changes by {signed(lost, places)} on sentences with the topic and by "
        f"{signed(kept, places)} on unrelated ones, on average over topics"
    )
    drawn = [cell.placebo for cell in forget if cell.placebo is not None]
    return (
        f"{text}; by {signed(statistics.fmean(drawn), places)} on the former under placebo deletions."
        if drawn
        else f"{text}."
    )


def _noise(results: Results) -> str:
    cells = [c for m in results.metrics(quality=True) for name in (FORGET, RETAIN) for c in _cells(results, name, m)]
    noisy = sum(cell.denominator_within_noise for cell in cells)
    if not noisy:
        return ""
    return (
        f"In {noisy} of {len(cells)} cells of table 2 the codebook model is not surely better than {results.zero_point}, so that "
        "the paper's normalised drop says nothing there."
    )


def _beyond_placebo(results: Results) -> str:
    """On how many topics the deletion does more than any of the placebos."""
    cells = [cell for cell in _cells(results, FORGET, RECALL) if cell.placebo_low is not None]
    if not cells:
        return ""
    beyond = [cell for cell in cells if cell.placebo_low is not None and cell.delta < cell.placebo_low]
    return (
        f"For {len(beyond)} of {count_noun(len(cells), 'topic')} the loss of topic-word recall is greater than that of 97.5% of "
        "the placebo deletions, which delete as many random codes of the same use."
    )


def _artefact(artefact: Artefact) -> dict[str, Any]:
    svg = artefact.svg
    return {
        "name": artefact.name,
        "title": artefact.title,
        "caption": artefact.caption,
        "alt": artefact.alt,
        "grids": [{**asdict(grid), "folded": len(grid.rows) > _SHOWN_ROWS} for grid in artefact.grids],
        "figure": None if svg is None else _picture(svg),
    }


def _picture(svg: bytes) -> dict[str, Any]:
    tag = re.search(rb"<svg[^>]*>", svg)
    sides = dict(re.findall(rb'\b(width|height)="([\d.]+)pt"', tag.group() if tag else b""))
    width, height = (round(float(sides.get(side, 0)) * _CSS_PIXELS_PER_POINT) for side in (b"width", b"height"))
    return {"base64": base64.b64encode(svg).decode("ascii"), "width": width, "height": height}


_NAMES = ("data", "model", "plain", "forget", "retain", "scorer", "bertscore", "bartscore", "comet")


def public_config(config: ReproductionConfig) -> dict[str, Any]:
    """The configuration without folders of the machine and without what is not set."""

    def public(content: Any) -> Any:
        if isinstance(content, dict):
            if "forget" in content and isinstance(content.get("gold"), dict):  # models by split
                content = {**content, "gold": {split: public_name(model) for split, model in content["gold"].items()}}
            kept = {key: public(value) for key, value in content.items() if value not in (None, (), {}, "")}
            return {key: public_name(v) if key in _NAMES and isinstance(v, str) else v for key, v in kept.items()}
        if isinstance(content, (list, tuple)):
            return [public(item) for item in content]
        return content

    return public({key: value for key, value in asdict(config).items() if key not in ("title", "note")})


def _times(results: Results, store: StageStore) -> list[tuple[str, str]]:
    """Hours of every kind of stage, of those that are finished; a stage that was interrupted counts from its last start."""
    spent: dict[str, float] = {}
    for path in sorted((store.out / "stages").rglob("*.json")):
        name = str(path.relative_to(store.out / "stages"))[: -len(".json")]
        last = name.rpartition("/")[2] if "/" in name else name.rstrip("0123456789-").partition("-")[0]
        kind = "ablations" if name.startswith("ablations/") else last
        spent[kind] = spent.get(kind, 0.0) + store.seconds(name)
    return [(kind, f"{number(seconds / 60, 1)} minutes") for kind, seconds in spent.items()]


def _machines(results: Results, store: StageStore) -> list[dict[str, Any]]:
    """Where the models were trained and where the searches were timed."""
    config, tofu = results.config, results.tofu
    authors = searched(config.tofu, tofu.questions) if tofu else []
    stages = {
        "Versions and machine of the training": [f"joint-{seed}" for seed in config.model_seeds],
        "Versions and machine of the searches": [
            *(name for unit in units(config) for name in (f"{unit.name}/search", recipes_name(unit))),
            *(search_name(author, seed) for author in authors for seed in config.seeds),
        ],
    }
    found = {title: next(filter(store.is_finished, names), None) for title, names in stages.items()}
    return [
        {"title": title, "facts": list(flat_facts(store.environment(name)))} for title, name in found.items() if name
    ]


def _signatures(results: Results) -> list[tuple[str, str]]:
    rows = (row for s in results.scores.values() for row in s.rows if row.metric != RECALL)
    return list(dict.fromkeys((metric_label(row.metric, "").text, row.signature) for row in rows))
