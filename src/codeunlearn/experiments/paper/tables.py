"""The models' table, tables 2 and 3, and the optimism of the paper's choice of pools."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict

from codeunlearn.evaluation.scores import RECALL
from codeunlearn.evaluation.systems import BEFORE, BYPASS, PLAIN, ZERO_SHOT
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.experiments.paper import numbers as paper
from codeunlearn.experiments.paper.table_figures import drop_figure, time_figure
from codeunlearn.experiments.results import Results, TopicMean
from codeunlearn.reporting.artefact import Artefact, Grid
from codeunlearn.reporting.labels import bounds, count_noun, metric_label, metric_order, number, set_label, signed
from codeunlearn.reporting.score_lines import NOISE_MARK

_MODELS = {
    ZERO_SHOT: "Zero-shot",
    PLAIN: "Plain fine-tuned",
    BEFORE: "Codebook",
    BYPASS: "Codebook, bottleneck skipped",
}


def models(results: Results) -> Artefact | None:
    """What the bottleneck costs, which the paper does not show."""
    if not results.quality:
        return None
    metrics = sorted({row.metric for s in results.quality for row in s.rows}, key=metric_order)
    records: list[dict[str, object]] = []
    rows: list[list[str]] = []
    for system, label in _MODELS.items():
        cells: list[str] = []
        for metric in metrics:
            found = results.quality_rows(system, metric)
            if found:
                value, low, high = (statistics.fmean(getattr(r, f) for r in found) for f in ("value", "low", "high"))
                places = metric_label(metric, "").decimals
                records.append({
                    "system": system, "metric": metric, "models": len(found), "value": value, "low": low, "high": high,
                    "sentences": found[0].count, "signature": found[0].signature,
                })  # fmt: skip
                cells.append(f"{number(value, places)} [{number(low, places)}, {number(high, places)}]")
            else:
                cells.append("")
        rows.append([label, *cells])
    heads = [str(metric_label(metric, "")) for metric in metrics]
    sentences = next(iter(results.quality[0].sizes.values()))
    caption = (
        f"How well each model translates as such: {count_noun(sentences, 'random sentence')} of the test pool, means over the "
        f"models of {count_noun(len(results.quality), 'seed')}, 95 % bootstrap intervals. Plain against codebook is what the "
        "bottleneck costs."
    )
    return Artefact(
        "models", "Models", caption, records, [Grid(["Model", *heads], rows, "", frozenset(range(1, len(heads) + 1)))]
    )


def closed(results: Results) -> Artefact | None:
    """The first number of all: how far each topic is closed, which the paper does not ask."""
    size = results.config.scores.s_prime
    found = [one for topic in results.config.topics if (one := results.closed(topic.word, size)) is not None]
    if not found:
        return None
    rows = [
        [
            f"{one.topic} ({one.n})",
            number(one.codes, 0),
            *(_optional(value) for value in (one.before, one.after, one.control, one.gold)),
            "not defined" if one.closed is None
            else f"{number(one.closed, 0)} {bounds(one.closed_low, one.closed_high, 0)}",
        ]
        for one in found
    ]  # fmt: skip
    heads = ["Topic (N)", "Codes", "Before", "After", "Control prompt", "Gold", "Closed [95%]"]
    caption = (
        f"How far each topic is closed at {results.step(size)}: the probability of its words in the references of D'_T under "
        "forced decoding, per cent, before and after, and before under control prompts, in which the topic's words are replaced. "
        f"Closed is the share of the way from the first to the last. Means over {count_noun(found[0].seeds, 'seed')}."
    )
    grid = Grid(heads, rows, "", frozenset(range(1, len(heads))))
    return Artefact("closed", "Closed", caption, [asdict(one) for one in found], [grid])


def table2(results: Results) -> Artefact | None:
    """All topics on both sets and the neighbours: the paper's normalised drop, and beside it what it leaves out."""
    s_prime, quality = results.config.scores.s_prime, results.metrics(quality=True)
    every = [*quality, *(metric for metric in [RECALL, *results.metrics()] if metric not in quality)]
    cells = [
        cell
        for topic in results.config.topics
        for set_name in results.sets(topic.word)
        for metric in every
        if (cell := results.mean(topic.word, set_name, metric, s_prime)) is not None
    ]
    if not cells:
        return None
    scored = [cell for cell in cells if cell.metric in quality]
    caption = (
        f"Every topic at {results.step(s_prime)}. Scores after forgetting and the normalised improvement drop (0 % is the "
        f"codebook model, {signed(-100, 0)} % {results.zero_point}); {NOISE_MARK} marks drops whose codebook model is not surely "
        f"better than {results.zero_point}, which say nothing. D'_T: sentences with the topic; D_R: as many unrelated ones. N: "
        f"sentences in each. Means over {count_noun(max(cell.seeds for cell in cells), 'seed')} of values and of 95 % bootstrap "
        "intervals."
    )
    return Artefact(
        "table2",
        "Table 2",
        caption,
        [{**asdict(cell), "paper": _papers(cell)} for cell in cells],
        [*([_like_the_paper(results, scored, quality)] if quality else []), _with_what_it_leaves_out(cells)],
        drop_figure([cell for cell in scored if cell.set in (FORGET, RETAIN)], quality, results.zero_point)
        if quality
        else None,
        "Normalised drops of every topic and metric on D'_T and D_R; the values are in the table.",
    )


def _like_the_paper(results: Results, cells: Sequence[TopicMean], metrics: Sequence[str]) -> Grid:
    found = {(cell.topic, cell.set, cell.metric): cell for cell in cells}
    rows: list[list[str]] = []
    for topic, set_name in dict.fromkeys((cell.topic, cell.set) for cell in cells):
        line = [found.get((topic, set_name, metric)) for metric in metrics]
        n = next(cell.n for cell in line if cell)
        rows.append([f"{topic} ({n})", _symbol(set_name), *("" if cell is None else _drop(cell) for cell in line)])
    heads = [metric_label(metric, "").text for metric in metrics]
    shown = [metric for metric in metrics if metric in paper.OURS]
    note = f" In braces the paper's drop ({', '.join(metric_label(m, '').text for m in shown)})." if shown else ""
    head = f"Score after forgetting (normalised improvement drop, with its interval).{note}"
    return Grid(["Topic (N)", "Sentences", *heads], rows, head, frozenset(range(2, 2 + len(heads))))


def _drop(cell: TopicMean) -> str:
    text = f"{number(cell.after, _decimals(cell))} ({signed(cell.normalised, 0)}%"
    if cell.denominator_within_noise:
        text += f" {NOISE_MARK}"
    elif cell.normalised_low is not None:
        text += f" {bounds(cell.normalised_low, cell.normalised_high, 0)}"
    printed = _papers(cell)
    return text + ")" + ("" if printed is None else f" {{{signed(printed, 0)}%}}")


def _papers(cell: TopicMean) -> float | None:
    """The paper's normalised drop, where it has one."""
    return paper.drop(cell.topic, cell.set, cell.metric)


def _with_what_it_leaves_out(cells: Sequence[TopicMean]) -> Grid:
    heads = ["Zero-shot", "Plain", "Codebook", "Unlearned", "Gold", "Change [95%]", "Beyond D_R [95%]", "Placebo [95%]"]
    rows = [
        [
            f"{cell.topic} ({cell.n})",
            _symbol(cell.set),
            str(metric_label(cell.metric, cell.set)),
            *(
                _optional(value, _decimals(cell))
                for value in (cell.zero_shot, cell.plain, cell.before, cell.after, cell.gold)
            ),
            _with_bounds(cell.delta, cell.low, cell.high, _decimals(cell)),
            _with_bounds(cell.beyond_retain, cell.beyond_retain_low, cell.beyond_retain_high, _decimals(cell)),
            _with_bounds(cell.placebo, cell.placebo_low, cell.placebo_high, _decimals(cell)),
        ]
        for cell in cells
    ]
    caption = (
        "All rows, and raw differences. Change: unlearned minus codebook model, paired. Beyond D_R: the change minus the change "
        "on D_R. Placebo: the change when as many random codes of the same use are deleted. Gold: trained without the topic."
    )
    return Grid(["Topic (N)", "Sentences", "Metric", *heads], rows, caption, frozenset(range(3, 3 + len(heads))))


def _decimals(cell: TopicMean) -> int:
    return metric_label(cell.metric, cell.set).decimals


def _optional(value: float | None, decimals: int = 1) -> str:
    return "" if value is None else number(value, decimals)


def _with_bounds(value: float | None, low: float | None, high: float | None, decimals: int = 1) -> str:
    return "" if value is None else f"{signed(value, decimals)} {bounds(low, high, decimals)}"


def _symbol(set_name: str) -> str:
    return {FORGET: "D'_T", RETAIN: "D_R"}.get(set_name, set_name)


def table3(results: Results) -> Artefact | None:
    """How long a search takes, size by size."""
    step_name = results.step_name
    by_size = {
        size: [one for found in results.searches.values() for one in found if one.size == size]
        for size in results.config.search.s_primes
    }
    by_size = {size: searches for size, searches in by_size.items() if searches}
    if not by_size:
        return None
    printed = paper.SEARCH_SECONDS if step_name == "S'" else {}
    records = [
        {
            "size": size,
            "searches": len(found),
            "sentences": statistics.fmean(one.sentences for one in found),
            "codes": statistics.fmean(len(one.forget_set) for one in found),
            "seconds_mean": statistics.fmean(one.seconds for one in found),
            "seconds_sd": statistics.stdev([one.seconds for one in found]) if len(found) > 1 else None,
            "paper_seconds_mean": printed.get(size, (None, None))[0],
            "paper_seconds_sd": printed.get(size, (None, None))[1],
        }
        for size, found in by_size.items()
    ]
    rows = [
        [
            str(r["size"]), number(r["codes"], 0), number(r["seconds_mean"], 2), _sd(r["seconds_sd"]),
            _optional(r["paper_seconds_mean"]), _optional(r["paper_seconds_sd"]),
        ]
        for r in records
    ]  # fmt: skip
    heads = [step_name, "Codes found", "Seconds, mean", "Seconds, sd", "Paper, mean", "Paper, sd"]
    shared = "" if step_name == "S'" else " One search serves all sizes, which are beginnings of one list of codes."
    caption = (
        f"Time of one search, forward passes over the topic's sentences ({number(records[0]['sentences'], 0)} on average) and "
        f"their controls included; {records[0]['searches']} searches for each line, one for each topic and seed.{shared} The "
        "machine is named below; the paper does not name its own."
    )
    return Artefact(
        "table3",
        "Table 3",
        caption,
        records,
        [Grid(heads, rows, "", frozenset(range(len(heads))))],
        time_figure(records, step_name),
        "Mean search time and its standard deviation, size by size; the values are in the table.",
    )


def _sd(value: float | None) -> str:
    return "" if value is None else number(value, 2)


def optimism(results: Results) -> Artefact | None:
    """How much better forgetting looks where search and scores share their sentences, as in the paper (table A1)."""
    if len(results.config.search.pools) < 2:
        return None
    s_prime = results.config.scores.s_prime
    records: list[dict[str, object]] = []
    rows: list[list[str]] = []
    for topic in results.config.topics:
        for set_name in (FORGET, RETAIN):
            for metric in [RECALL, *results.metrics(quality=True)]:
                own, shared = (results.mean(topic.word, set_name, metric, s_prime, p) for p in ("disjoint", "paper"))
                if own is None or shared is None:
                    continue
                records.append({
                    "topic": topic.word, "set": set_name, "metric": metric, "n_disjoint": own.n, "n_paper": shared.n,
                    "delta_disjoint": own.delta, "low_disjoint": own.low, "high_disjoint": own.high,
                    "delta_paper": shared.delta, "low_paper": shared.low, "high_paper": shared.high,
                    "optimism": shared.delta - own.delta,
                })  # fmt: skip
                rows.append([
                    topic.word, set_label(set_name, topic.word), metric_label(metric, set_name).text,
                    _with_bounds(own.delta, own.low, own.high, _decimals(own)),
                    _with_bounds(shared.delta, shared.low, shared.high, _decimals(own)),
                    signed(shared.delta - own.delta, _decimals(own)),
                ])  # fmt: skip
    if not records:
        return None
    caption = (
        f"The change at {results.step(s_prime)} when search reads the train pool and scores the test pool (disjoint), and when "
        "both draw from validation and test as in the paper. The difference is the optimism of the paper's choice, different "
        "test sentences included."
    )
    heads = ["Topic", "Sentences", "Metric", "Disjoint [95%]", "Paper's pools [95%]", "Difference"]
    return Artefact("pools", "Pools", caption, records, [Grid(heads, rows, "", frozenset((3, 4, 5)))])
