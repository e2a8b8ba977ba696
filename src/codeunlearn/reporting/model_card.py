"""The README of a saved model: what it was trained on, what is deleted in it, and what that does not promise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from codeunlearn.codebook.adapter import KIND as ADAPTER
from codeunlearn.codebook.ledger import entries
from codeunlearn.corpus.languages.base import language_named
from codeunlearn.corpus.samples import SAMPLES
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.scores import Scores
from codeunlearn.evaluation.systems import AFTER, BEFORE
from codeunlearn.files import read_json_object, write_text
from codeunlearn.markdown import cell, literal
from codeunlearn.reporting import limits
from codeunlearn.reporting.labels import count_noun, number, system_label
from codeunlearn.reporting.score_lines import compares, score_groups, systems_of
from codeunlearn.saving import CARD, CONFIG, holds_model
from codeunlearn.tasks.base import TASKS, task_of
from codeunlearn.training.sizes import SIZES

_LEADS = {
    "plain": "A model for {asked}, without a bottleneck, for comparison with models that have one.",
    "build": "A model for {asked}, with a codebook bottleneck that was built from data alone, without a gradient. Topics can "
    "be taken out of it without training.",
    "grow": "A model for {asked}, with a codebook bottleneck, to which codes were added for what it explained badly. Topics can "
    "be taken out of it without training.",
    "joint": "A model for {asked}, trained together with a codebook bottleneck. Topics can be taken out of it without "
    "training.",
}
_LEAD_OF_UNKNOWN = (
    "A model for {asked}, with a codebook bottleneck. Topics can be taken out of it without training. How it was trained is "
    "not known here."
)
_AUTO = {"completion": "AutoModelForCausalLM", "classification": "AutoModelForSequenceClassification"}
_SENTENCE = "The lamp is on the table."
_METHOD = (
    "CodeUnlearn: Amortized Zero-Shot Machine Unlearning in Language Models Using Discrete Concept. At one place of the model "
    "every token's state is replaced by {replaced}; a topic is forgotten by deleting the codes that it lights up."
)
_SUM = "the sum of the S codes out of a codebook that are nearest to it"
_KINDS = (
    "one lexical code, which stands for a piece of the vocabulary, and S - 1 residual codes one after the other, each times its "
    "projection on what is still unexplained"
)
_CHECK = "Its answers can be wrong; check them before relying on them."


def write_model_card(
    directory: str | Path,
    record: Mapping[str, Any] | None,
    attribution: str | None = None,
    *,
    name: str | None = None,
    license_name: str | None = None,
    scores: Scores | None = None,
    task: str | None = None,
) -> Path:
    """Writes ``README.md`` into the folder of a saved model.

    The shape of the bottleneck, and what is deleted in it, are read from the folder's ``config.json``. For the arguments see
    `model_card`.

    Args:
        name: of the model; the folder's when absent.
        task: what the model's family is opened for when absent.

    Raises:
        CodeUnlearnError: the folder holds no saved model.
    """
    folder = Path(directory)
    if not holds_model(folder):
        raise CodeUnlearnError(f"{folder} holds no saved model; save the model before its card.")
    config, own = read_json_object(folder / CONFIG), task_of(folder)
    card = model_card(
        name or folder.resolve().name,
        record,
        attribution,
        bottleneck=config if config.get("model_type") == ADAPTER else config.get("bottleneck"),
        license_name=license_name,
        scores=scores,
        task=task or own.name,
        languages=None if task else own.languages,
    )
    path = folder / CARD
    write_text(path, card)
    return path


def model_card(
    name: str,
    record: Mapping[str, Any] | None,
    attribution: str | None = None,
    *,
    bottleneck: Mapping[str, Any] | None = None,
    license_name: str | None = None,
    scores: Scores | None = None,
    task: str = "translation",
    languages: tuple[str, str] | None = None,
) -> str:
    """The text of a model card, YAML front matter first.

    Args:
        name: of the model.
        record: the content of ``training.json``; None for a model that has none, whose card leaves its training out.
        attribution: the data's authors and terms, in Markdown; all else that comes from outside is shown as it is. A text
            that ships with the package brings its own when none is given.
        bottleneck: the bottleneck's configuration, ``config.bottleneck`` as a dictionary; None for a plain model.
        license_name: the Hub's identifier of the model's licence; without one the card states none.
        scores: an evaluation to list.
        task: what the model is asked, a name in `TASKS`.
        languages: of prompts and answers, which the card states; the task's if absent.
    """
    ledger = entries((bottleneck or {}).get("ledger") or [])
    spoken = languages or TASKS.get(task).languages
    template = _jinja().get_template("model_card.md")
    known: Mapping[str, Any] = record or {}
    lead = _LEADS[known["kind"]] if record else _LEAD_OF_UNKNOWN if bottleneck else _LEADS["plain"]
    body = template.render(
        name=name,
        code_name=json.dumps(name, ensure_ascii=False),
        lead=lead.format(asked=_asked(task, spoken)),
        code_source=json.dumps(_framed(known, _SENTENCE), ensure_ascii=False),
        task=task,
        auto=_AUTO.get(task, "AutoModelForSeq2SeqLM"),
        training=_training_rows(record) if record else [],
        bottleneck=_bottleneck_rows(bottleneck, known) if bottleneck else [],
        ledger=[_ledger_row(entry) for entry in ledger],
        ledger_notes=_ledger_notes(ledger),
        scores=_scores(scores) if scores else None,
        limits=_limits(bottleneck, scores),
        attribution=attribution or _attribution(known),
        method=_METHOD.format(replaced=_KINDS if (bottleneck or {}).get("lexical_codes") else _SUM),
    )
    return f"---\n{_front_matter(record, bottleneck, license_name, task, spoken)}---\n\n{body}"


def _framed(record: Mapping[str, Any], prompt: str) -> str:
    return f"{record.get('source_prefix', '')}{prompt}{record.get('source_suffix', '')}"


def _attribution(record: Mapping[str, Any]) -> str:
    data = record.get("data")
    sample = SAMPLES.get(data.get("data", "")) if isinstance(data, Mapping) else None
    return sample.attribution if sample else "No attribution was given when this card was written."


def _jinja() -> Environment:
    """Markdown needs no HTML escaping; `literal` and `cell` guard what comes from outside."""
    environment = Environment(
        loader=PackageLoader("codeunlearn.reporting", "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": cell, "literal": literal}
    return environment


def _asked(task: str, languages: tuple[str, str]) -> str:
    """What the model is asked, in words: translation from English to French."""
    prompts, answers = (name.replace("_", " ").capitalize() for name in languages)
    return f"{task} in {prompts}" if prompts == answers else f"{task} from {prompts} to {answers}"


def _front_matter(
    record: Mapping[str, Any] | None,
    bottleneck: Mapping[str, Any] | None,
    license_name: str | None,
    task: str,
    languages: tuple[str, str],
) -> str:
    codes = [code for name in dict.fromkeys(languages) if (code := language_named(name).code)]
    front: dict[str, Any] = {"language": codes} if record and codes else {}
    if license_name:
        front["license"] = license_name
    front["library_name"] = "codeunlearn" if bottleneck else "transformers"
    if task in ("translation", "summarization"):
        front["pipeline_tag"] = task  # those that the Hub calls so
    if record and record["base"] not in SIZES:
        front["base_model"] = " ".join(record["base"].split())
    own = (
        ["codeunlearn", "machine-unlearning", "vector-quantization", "interpretability"]
        if bottleneck
        else ["codeunlearn"]
    )
    front["tags"] = [*own, task]
    return yaml.safe_dump(front, sort_keys=False, allow_unicode=True)


def _training_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    config = cast(Mapping[str, Any], record.get("config", {}))
    build = cast(Mapping[str, Any], record.get("build", {}))
    pairs = cast(Mapping[str, Any], record["pairs"])
    from_scratch = ", a named size trained from scratch" if record["base"] in SIZES else ""
    pool = f": {count_noun(pairs['kept'], 'sentence pair')}, of which the train pool (80%)"
    rows: list[tuple[str, Any, str]] = [
        ("base", record["base"], from_scratch),
        ("data", pairs["data"], pool),
        ("steps", f"{record['steps']:,}" if "steps" in record else None, ""),
        ("epochs", config.get("epochs"), ""),
        ("optimizer", config.get("optimizer"), ""),
        ("learning rate", config.get("learning_rate"), ""),
        ("tokens per batch", config.get("batch_tokens"), ""),
        ("losses of the bottleneck", config.get("losses") if record["kind"] == "joint" else None, ""),
        ("seed", config.get("seed", build.get("seed")), ""),
        ("codeunlearn", record["environment"]["codeunlearn"], ""),
        ("torch, transformers", f"{record['environment']['torch']}, {record['environment']['transformers']}", ""),
    ]
    return [(what, cell(value) + about) for what, value, about in rows if value is not None]


def _bottleneck_rows(bottleneck: Mapping[str, Any], record: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("codes in this file (K)", f"{bottleneck['num_codes']:,}{_of_which(bottleneck.get('lexical_codes'))}"),
        ("numbers per code (F)", str(bottleneck["code_dim"])),
        ("codes per token (S)", str(bottleneck["top_s"])),
        ("site", f"`{bottleneck['site']}`"),
        ("a deleted code's slot", str(bottleneck["deletion_mode"])),
    ]
    if record.get("unexplained_variance") is not None:
        share = number(record["unexplained_variance"], 3)
        rows.append(("unexplained variance at the start", f"{share} on tokens not used for the fit"))
    return rows


def _of_which(lexical: int | None) -> str:
    return f", {lexical:,} of them lexical" if lexical else ""


def _ledger_row(entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "topic": entry["topic"],
        "codes": f"{len(entry['ids']):,}",
        "preset": entry["preset"],
        "s_prime": str(entry["s_prime"]),
        "applied": str(entry["applied"])[:10],
        "state": "committed" if entry["committed"] else "masked",
    }


def _ledger_notes(ledger: Sequence[Mapping[str, Any]]) -> list[str]:
    committed = [bool(entry["committed"]) for entry in ledger]
    notes = [limits.MASKED] if not all(committed) else []
    return [*notes, limits.COMMITTED] if any(committed) else notes


def _scores(evaluation: Scores) -> dict[str, Any]:
    systems = systems_of(evaluation)
    return {
        "systems": [system_label(system) for system in systems],
        "compared": compares(evaluation),
        "rows": [
            {
                "set": f"{group.label} (n = {group.size:,})",
                "metric": str(line.metric),
                "values": [line.values.get(system, "") for system in systems],
                "change": f"{line.change} {line.change_bounds}",
            }
            for group in score_groups(evaluation)
            for line in group.lines
        ],
    }


def _limits(bottleneck: Mapping[str, Any] | None, scores: Scores | None) -> list[str]:
    if not bottleneck:
        return [_CHECK]
    texts = [limits.NAME, *(f"A deletion stops: {_lower(text)}" for text in limits.STOPS)]
    texts += [f"A deletion does not stop: {_lower(text)}" for text in limits.DOES_NOT_STOP]
    shown = scores is not None and {AFTER, BEFORE} <= set(systems_of(scores))
    return [*texts, *(limits.NOT_SHOWN if shown else ()), _CHECK]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
