"""Fills the tables in README and docs from the JSON files of the measurements: no figure in them is typed.

    python docs/fill_tables.py

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; the functions below make them.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import reproduction_tables
import selection_tables
from selection_tables import table

from codeunlearn.evaluation.protocol import TopicEvaluation
from codeunlearn.evaluation.scores import Scores
from codeunlearn.evaluation.sweep import Sweep, SweepRow
from codeunlearn.reporting.overview import write_overview

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results/en-fr-mini"
PERFORMANCE = ROOT / "docs/results/performance"
METRICS = ROOT / "docs/results/metrics"
EIGHT = ROOT / "docs/results/eight-topics"
PAGES = (
    ROOT / "README.md",
    ROOT / "docs/training.md",
    ROOT / "docs/performance.md",
    ROOT / "docs/finding-codes.md",
    ROOT / "docs/metrics.md",
    ROOT / "docs/reproduction.md",
    ROOT / "docs/results/en-fr-mini.md",
)
FIXED_S_PRIME = 24  # chosen before the first of these models was trained
JUDGED_FROM = 20.0  # a topic that the model translates more rarely than this, in per cent, cannot be judged


def eight_topics() -> list[Scores]:
    """Those of `README.md`'s picture, in its order."""
    names = ("dog", "Boston", "love", "music", "wine", "doctor", "teacher", "happy")
    return [Scores.load(EIGHT / f"{name}.json") for name in names]


def eight() -> str:
    """Per topic what the model knows of its words before and after, and what a control prompt tells it."""
    rows: list[str] = []
    for scores in eight_topics():
        before, after = scores.of_role("before")[0], scores.of_role("after")[0]
        closed, kept = scores.closed(after), scores.comparison(after, "retain", "chrf")
        assert closed is not None
        assert kept is not None
        known = [scores.value(system, "forget", "target_word_probability") for system in (before, after)]
        rows.append(
            f"| {scores.topic} | {scores.sizes['forget']} | {scores.details['forget_sets'][0]['codes']} "
            f"| {known[0]:.1f} | {known[1]:.1f} | {closed.value:.0f} ({closed.low:.0f} to {closed.high:.0f}) "
            f"| {kept.delta:+.2f} ({kept.low:+.2f} to {kept.high:+.2f}) |"
        )
    head = "| topic | test sentences | codes | probability before, % | after, % | closed, % (95 %) | chrF of the rest (95 %) |"
    return table(head, rows)


def translation() -> str:
    """Whole-pool scores of every model, greedy and with beams."""
    greedy, built, beams, longer, longer_beams = (
        TopicEvaluation.load(RESULTS / f"translation{part}.json")
        for part in ("", "-built", "-beams", "-longer", "-longer-beams")
    )
    models = [
        ("plain, where joint training starts", greedy, "plain"),
        ("plain, trained as long as joint", longer, "plain"),
        ("**joint: models/en-fr-mini**", greedy, "codebook"),
        ("built from data, no joint training", built, "codebook"),
        ("joint, bottleneck skipped", greedy, "bypass"),
        ("plain, where joint training starts, 4 beams", beams, "plain"),
        ("plain, trained as long as joint, 4 beams", longer_beams, "plain"),
        ("joint, 4 beams", beams, "codebook"),
    ]
    rows = [f"| {label} | {' | '.join(_scores(where, system))} |" for label, where, system in models]
    return table("| model | BLEU | chrF | METEOR-fr |", rows)


def quality() -> str:
    """How the joint model compares with the plain one that was trained as long."""
    lines: list[str] = []
    for label, name in (("Greedy", "translation-longer"), ("With 4 beams", "translation-longer-beams")):
        evaluation = TopicEvaluation.load(RESULTS / f"{name}.json")
        value = {(row.system, row.metric): row.value for row in evaluation.scores}
        parts = [
            f"{title} {value['codebook', metric]:.1f} with the codebook, {value['plain', metric]:.1f} without "
            f"({100 * (value['codebook', metric] / value['plain', metric] - 1):+.1f} %)"
            for title, metric in (("BLEU", "bleu"), ("chrF", "chrf"))
        ]
        lines.append(f"- {label}: {'; '.join(parts)}.")
    return "\n".join(lines) + "\n"


def _scores(evaluation: TopicEvaluation, system: str) -> list[str]:
    found = {row.metric: row for row in evaluation.scores if row.system == system}
    metrics = (found[name] for name in ("bleu", "chrf", "meteor_fr"))
    return [f"{row.value:.1f} ({row.low:.1f} to {row.high:.1f})" for row in metrics]


def meets_aim(row: SweepRow) -> bool:
    """Recall at a tenth of what it was or less, and chrF on D_R down by less than 1."""
    return row.recall_after <= row.recall_before / 10 and row.retain_chrf_delta > -1


def chosen_on_validation() -> dict[str, int]:
    """Per topic the smallest S' that meets the aim on validation; else the one that forgets most at its cost or less."""
    chosen: dict[str, int] = {}
    for topic, group in groupby(Sweep.load(RESULTS / "validation").rows, key=lambda row: row.topic):
        rows = list(group)
        best = [row for row in rows if meets_aim(row)] or sorted(
            [row for row in rows if row.retain_chrf_delta > -1] or rows, key=lambda row: row.recall_after
        )
        chosen[topic] = best[0].s_prime
    return chosen


def forgetting(levels: Callable[[str], int]) -> str:
    rows = [row for row in Sweep.load(RESULTS).rows if row.s_prime == levels(row.topic)]
    head = (
        "| topic | S' | codes | N search | N test | recall before | after (95 %) | chrF D'_T | chrF D_R (95 %) | aim |"
    )
    return table(head, [_forgetting_row(row) for row in rows])


def _forgetting_row(row: SweepRow) -> str:
    verdict = "met" if meets_aim(row) else "missed"
    return (
        f"| {row.topic} | {row.s_prime} | {row.codes} | {row.n_search} | {row.n_forget} | {row.recall_before:.1f} "
        f"| {row.recall_after:.1f} ({row.recall_low:.1f} to {row.recall_high:.1f}) | {row.forget_chrf_delta:+.1f} "
        f"| {row.retain_chrf_delta:+.1f} ({row.retain_low:+.1f} to {row.retain_high:+.1f}) "
        f"| {verdict if row.recall_before >= JUDGED_FROM else 'cannot be judged'} |"
    )


def overview() -> str:
    """What the README shows: the topics that can be judged, at the S' chosen on validation."""
    chosen = chosen_on_validation()
    rows = [r for r in Sweep.load(RESULTS).rows if r.s_prime == chosen[r.topic] and r.recall_before >= JUDGED_FROM]
    lines = [
        f"| {row.topic} | {row.n_forget} | {row.codes} | {row.recall_before:.0f} % -> {row.recall_after:.0f} % "
        f"| {row.retain_chrf_delta:+.1f} ({row.retain_low:+.1f} to {row.retain_high:+.1f}) |"
        for row in rows
    ]
    return table(
        "| topic | test sentences | codes deleted | topic words in the output | chrF on unrelated text (95 %) |", lines
    )


def joint_training() -> str:
    return (RESULTS.parent / "joint-training/results.md").read_text(encoding="utf-8")


def _measured(name: str) -> Any:
    return json.loads((PERFORMANCE / f"{name}.json").read_text(encoding="utf-8"))


def _ratio(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def search_times(name: str) -> str:
    """Every contender that was there; others' times over ours."""
    found = _measured(name)
    wanted = ("naive", "faiss", "codebook-features", "vector-quantize-pytorch", "product")
    there = [one for one in wanted if any(label.endswith(f": {one} over ours") for label in found["ratios"])]
    rows: list[str] = []
    for size in found["sizes"]:
        label = f"N={size['n']} K={size['k']} S={size['s']}"
        ratios = (found["ratios"].get(f"{label}: {one} over ours") for one in there)
        cells = " | ".join(_ratio(ratio) if ratio else "" for ratio in ratios)
        rows.append(f"| {size['n']:,} | {size['k']:,} | {size['s']} | {cells} |")
    return table(f"| N | K | S | {' | '.join(there)} |", rows)


def search_ids(name: str) -> str:
    """On what share of the checked rows each search found the reference's codes in order: lowest over all sizes."""
    sizes = _measured(name)["sizes"]
    names = dict.fromkeys(one for size in sizes for one, share in size["ids_as_reference"].items() if share is not None)
    shares = {one: [size["ids_as_reference"].get(one) for size in sizes] for one in names}
    rows = [f"| {one} | {100 * min(s for s in of if s is not None):.0f} % |" for one, of in shares.items()]
    return table("| search | rows with the reference's codes, lowest over all sizes |", rows)


def translation_speed(name: str) -> str:
    ratios = _measured(name)["ratios"]
    return table("| | ratio |", [f"| {label} | {_ratio(found)} |" for label, found in ratios.items()])


def scaling(name: str) -> str:
    rows = [
        f"| {p['num_codes']:,} | {p['sentences']:,} | {p['processes']} x {p['threads']} | {p['tokens']:,} | {p['seconds']:.1f} s "
        f"| {p['megabytes']['peak'] - p['megabytes']['before']:,.0f} MB |"
        for p in _measured(name)["points"]
    ]
    return table("| K | sentences | processes x threads | tokens | seconds | memory on top |", rows)


def training_step(name: str) -> str:
    found = _measured(name)
    peak, ratios = found["peak_megabytes"], found["ratios"]
    lines = [
        f"A joint step takes {_ratio(ratios['time of a joint step over a plain one'])} times a plain one; peak memory "
        f"{peak['joint'] / 1000:.1f} GB against {peak['plain'] / 1000:.1f} GB."
    ]
    fresh = ratios.get("time of a joint step on fresh pages over kept ones")
    if fresh:
        compiled = ratios["time of a compiled joint step over a joint one"]
        lines.append(
            f"On fresh pages it takes {_ratio(fresh)} times as long as on kept ones, with a peak of "
            f"{peak['fresh pages'] / 1000:.1f} GB; with a compiled decoder {_ratio(compiled)} times as long, after "
            f"{found['first_step_seconds']['compiled']:.0f} s for the first step."
        )
    return "\n".join(lines) + "\n"


def denormals() -> str:
    ratio = _measured("denormals")["ratios"]["time of a step with denormals over one without"]
    return f"It takes {_ratio(ratio)} times as long with denormal numbers as without.\n"


def gpu_search() -> str:
    """The fused search on a GPU: its time and memory beside other ways and the product alone."""
    found = _measured("gpu")
    rows: list[str] = []
    for size in found["search"]:
        label = f"N={size['n']} K={size['k']} S={size['s']}"
        names = ("library over fused", "naive over fused", "naive bf16 over fused", "fused over the product")
        ratios = " | ".join(_ratio(found["ratios"][f"{label}: {name}"]) for name in names)
        milliseconds = 1000 * statistics.median(size["seconds"]["fused"])
        memory = (f"{size['peak_megabytes'][name]:,.0f}" for name in ("fused", "library", "naive"))
        rows.append(
            f"| {size['n']:,} | {size['k']:,} | {size['s']} | {milliseconds:.2f} ms | {ratios} | {' / '.join(memory)} |"
        )
    same = math.floor(100 * min(size["ids_as_reference"]["fused"] for size in found["search"]))
    ratios = "library / ours | naive / ours | naive bf16 / ours | ours / product"
    where = f"{found['environment']['gpu']}, torch {found['environment']['torch']}"
    about = f"{where}; of 64 rows checked in each line, at least {same} % have the reference's codes.\n"
    return table(f"| N | K | S | ours | {ratios} | MB: ours / library / naive |", rows) + "\n" + about


def gpu_rest() -> str:
    ratios = {label: ratio for label, ratio in _measured("gpu")["ratios"].items() if "N=" not in label}
    return table("| | ratio |", [f"| {label} | {_ratio(found)} |" for label, found in ratios.items()])


def topic_times() -> str:
    found = _measured("topics")
    index, applied = found["index"], found["forget_set"]
    rows = [
        f"| {row['topic']} | {row['sentences']} | {row['seconds']:.2f} s | {row['with_index']:.2f} s |"
        for row in found["topics"]
    ]
    about = (
        f"The index holds {index['tokens']:,} tokens in {index['bytes'] / 1e6:.0f} MB; it was built in {index['seconds']:.0f} s. "
        f"A forget set of {applied['codes']} codes ({applied['bytes'] / 1000:.0f} kB) is applied in {applied['apply']:.2f} s, "
        f"undone in {applied['undo']:.2f} s and committed in {applied['commit']:.2f} s.\n"
    )
    return table("| topic | sentences | without index | with index |", rows) + "\n" + about


def meteor_jar() -> str:
    """Our METEOR against the jar, step by step; and why sentences differ where words and lists are the same."""
    found = json.loads((METRICS / "meteor_jar.json").read_text(encoding="utf-8"))
    rows = [
        f"| {name}, {content['pairs']} | {step} | {at['ours']:.2f} | {at['jar']:.2f} | {at['mean_difference']:.2f} "
        f"| {at['largest_difference']:.1f} | {100 * at['agree']:.0f} % | {at['pearson']:.3f} | {at['kendall']:.3f} |"
        for name, content in found["data"].items()
        for step, at in content["steps"].items()
    ]
    head = "| data, pairs | the jar has | ours | jar | mean difference | largest | within 0.1 | Pearson | Kendall |"
    names = found["data"]
    reasons = dict.fromkeys(reason for content in names.values() for reason in content["reasons"])
    counts = [
        f"| {reason} | {' | '.join(str(content['reasons'].get(reason, 0)) for content in names.values())} |"
        for reason in reasons
    ]
    return table(head, rows) + "\n" + table(f"| why, in the first row of | {' | '.join(names)} |", counts)


TABLES: dict[str, Callable[[], str]] = {
    "translation": translation,
    "quality": quality,
    "forgetting, S' chosen on validation": lambda: forgetting(lambda topic: chosen_on_validation()[topic]),
    "forgetting, fixed S'": lambda: forgetting(lambda _: FIXED_S_PRIME),
    "overview": overview,
    "joint training": joint_training,
    "search": lambda: search_times("search"),
    "search, bf16": lambda: search_times("search-bf16"),
    "search ids": lambda: search_ids("search"),
    "translation speed": lambda: translation_speed("translation"),
    "translation speed, bf16": lambda: translation_speed("translation-bf16"),
    "scaling": lambda: scaling("scaling"),
    "scaling, bf16": lambda: scaling("scaling-bf16"),
    "training step": lambda: training_step("training"),
    "training step, bf16": lambda: training_step("training-bf16"),
    "eight topics": eight,
    "denormals": denormals,
    "topics": topic_times,
    "gpu search": gpu_search,
    "gpu": gpu_rest,
    "meteor jar": meteor_jar,
    **selection_tables.TABLES,
    **reproduction_tables.TABLES,
}


def made(table: Callable[[], str]) -> str:
    """The table, or that there is none where its measurement is not committed."""
    try:
        return table()
    except FileNotFoundError as error:
        return f"Not measured yet ({Path(error.filename).relative_to(ROOT)} is not there).\n"


def main() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name, make in TABLES.items():
            marked = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
            text = marked.sub(lambda match, make=make: f"{match[1]}\n{made(make)}\n{match[2]}", text)
        page.write_text(text, encoding="utf-8")
    write_overview(eight_topics(), EIGHT / "overview.svg")


if __name__ == "__main__":
    main()
