"""Tables for the terminal, 80 columns wide or more; what the user wrote is shown as it is, never as markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from codeunlearn.codebook.ledger import claimed, entries
from codeunlearn.corpus.pools import POOLS
from codeunlearn.corpus.topic_choice import ProposedTopic
from codeunlearn.evaluation.scores import Sample, Scores
from codeunlearn.evaluation.systems import AFTER, BEFORE, PLAIN
from codeunlearn.reporting.evidence import EFFECT_NOTE, EPSILON_NOTE, cells, is_path
from codeunlearn.reporting.labels import (
    count_noun,
    number,
    quoted,
    set_label,
    signed,
    system_label,
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
from codeunlearn.reporting.word_diff import Piece, word_diff
from codeunlearn.unlearning.forget_set import ForgetSet

STABLE = 0.8  # share of bootstrap samples from which on a code counts as found again
_LOST, _NEW = "bold red underline", "bold cyan underline"


def forget_set_table(forget_set: ForgetSet, limit: int = 15) -> Table:
    """The chosen codes in the order of their set, with the evidence for each in the measures of the recipe."""
    evidence = forget_set.evidence[:limit]
    table = _table(f"{quoted(forget_set.topic)}: {_codes(len(forget_set), forget_set.num_codes)}")
    columns = ("q", "Takes", "Costs") if is_path(forget_set) else ("R", "p")
    for name in ("Code", "Topic", "Control", *columns):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Fires most often on", ratio=1, overflow="fold")
    for e in evidence:
        tokens = ", ".join(f"{token_text(token)} {count}" for token, count in e.top_tokens)
        table.add_row(str(e.id), f"{e.topic:,}", f"{e.control:,}", *cells(e, columns), Text(tokens))
    table.caption = _notes(_forget_set_notes(forget_set, limit))
    return table


def scores_table(evaluation: Scores) -> Table:
    """Before, after, their paired difference and what stands beside it, per set and metric; or each system's score alone."""
    table = _table(f"Scores: forgetting {quoted(evaluation.topic)}" if compares(evaluation) else "Scores")
    groups = score_groups(evaluation)
    table.add_column("Metric", max_width=21)
    systems = [system for system in systems_of(evaluation) if not compares(evaluation) or system in (BEFORE, AFTER)]
    others = [PLAIN, *evaluation.of_role("after", "control", "attack")] if compares(evaluation) else []
    others = [system for system in systems_of(evaluation) if system in others and system != AFTER]
    for system in systems:
        table.add_column(system_label(system), justify="right", no_wrap=compares(evaluation))
    if compares(evaluation):
        table.add_column("Change [95%]", justify="right", no_wrap=True)
        table.add_column("Norm.", justify="right", no_wrap=True)
    for system in others:
        table.add_column(system_label(system).split()[0], justify="right", no_wrap=True)
    for group in groups:
        table.add_row(Text(f"{group.label} ({group.size:,})", style="bold"))
        for line in group.lines:
            cells = _score_cells(line, systems, others, compares(evaluation))
            table.add_row(*cells, end_section=line is group.lines[-1])
    table.caption = _notes(_score_notes(evaluation, has_noise(groups)))
    return table


def examples_table(evaluation: Scores, limit: int = 3) -> Table:
    """The first sentences of each set before and after, with the words that changed set off."""
    table = _table(f"Translations before and after forgetting {quoted(evaluation.topic)}")
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for name in evaluation.sizes:
        examples = [e for e in evaluation.samples if e.set == name and {BEFORE, AFTER} <= e.answers.keys()]
        if examples:
            table.add_row("", Text(set_label(name, evaluation.topic), style="bold"), end_section=True)
        for example in examples[:limit]:
            _add_example(table, example)
    table.caption = _notes(["Words that changed are underlined. The first sentences of each set, not picked by hand."])
    return table


def ledger_table(ledger: Sequence[Mapping[str, Any]], num_codes: int) -> Table:
    """What is deleted in a model: one row per ledger entry, oldest first.

    Args:
        ledger: ``model.config.bottleneck.ledger``.
        num_codes: K, rows that the codebook has now.
    """
    ledger = entries(ledger)
    masked, gone = claimed(ledger, committed=False), claimed(ledger, committed=True)
    if not ledger:
        empty = Table(box=None, show_header=False)
        empty.add_row(f"Nothing is forgotten; the codebook has {num_codes:,} codes.")
        return empty
    table = _table("Forgotten topics")
    table.add_column("Topic", overflow="fold", ratio=1)
    for name in ("Codes", "Preset", "S'", "Applied", "State"):
        table.add_column(name, justify="right" if name in ("Codes", "S'") else "left", no_wrap=True)
    for entry in ledger:
        state = Text("committed", style="bold") if entry["committed"] else Text("masked")
        applied = str(entry["applied"])[:16].replace("T", " ")
        row = (f"{len(entry['ids']):,}", Text(str(entry["preset"])), str(entry["s_prime"]), applied, state)
        table.add_row(Text(str(entry["topic"])), *row)
    notes = [f"{len(masked - gone):,} of {num_codes:,} rows are masked; {len(gone):,} more are gone for good."]
    if masked:
        notes.append("A mask can be taken back with `codeunlearn restore`, by anyone who holds the file.")
    table.caption = _notes(notes)
    return table


def topics_table(topics: Sequence[ProposedTopic]) -> Table:
    """Words that can serve as topics, with how often they occur and in how many sentences of each pool."""
    table = _table(count_noun(len(topics), "word") + " that can serve as topics")
    for name in ("Word", "Part of speech"):
        table.add_column(name)
    for name in ("Count", "Train", "Validation", "Test"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Forms", ratio=1, overflow="fold")
    for topic in topics:
        pools = (f"{topic.sentences[pool]:,}" for pool in POOLS)
        table.add_row(Text(topic.word), topic.pos, f"{topic.count:,}", *pools, Text(", ".join(topic.forms)))
    table.caption = _notes(
        ["Count: the word itself. Train, Validation, Test: sentences of each pool with any of the forms."]
    )
    return table


def _table(title: str) -> Table:
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        header_style="bold",
    )


def _notes(lines: list[str]) -> Text:
    return Text("\n" + "\n".join(lines), style="dim")


def _codes(count: int, total: int) -> str:
    return f"{count:,} of {total:,} codes ({count / total:.2%})" if total else f"{count:,} codes"


def _forget_set_notes(forget_set: ForgetSet, limit: int) -> list[str]:
    notes: list[str] = []
    if len(forget_set.evidence) > limit:
        notes.append(f"and {count_noun(len(forget_set.evidence) - limit, 'more code')}.")
    if not forget_set.evidence:
        notes.append("The file holds no evidence for these codes.")
    if forget_set.n_topic:
        notes.append(
            f"Topic, Control: of {forget_set.n_topic:,} topic and {forget_set.n_control:,} control sentences, those in "
            f"which the code fires. Preset {forget_set.preset}, S' = {forget_set.s_prime}."
        )
    if forget_set.topic_left is not None:
        notes.append(
            f"{EFFECT_NOTE} With all found codes deleted {forget_set.topic_left:.1%} of that probability is left "
            "on the sentences that were tried; `evaluate` says what is left on others."
        )
    stabilities = [e.stability for e in forget_set.evidence if e.stability is not None]
    if stabilities:
        stable = sum(stability >= STABLE for stability in stabilities)
        notes.append(
            f"How sure: q is the false discovery rate; {stable:,} of {len(stabilities):,} codes pass their test again in at "
            f"least {STABLE:.0%} of bootstrap samples of the sentences."
        )
    if forget_set.expected_false_positives is not None:
        notes.append(
            f"{forget_set.codes_tested:,} codes were tested; had the topic no effect, the preset's nominal level would "
            f"let up to about {number(forget_set.expected_false_positives)} through."
        )
    if not is_path(forget_set) and any(e.control == 0 for e in forget_set.evidence[:limit]):
        notes.append(EPSILON_NOTE)
    return notes


def _score_cells(line: ScoreLine, systems: list[str], others: list[str], compared: bool) -> list[Text]:
    def value(system: str) -> str:
        return line.values.get(system, "")

    if not compared:
        return [Text(str(line.metric)), *(Text(f"{value(s)} {line.intervals.get(s, '')}") for s in systems)]
    change = Text(f"{line.change} {line.change_bounds}", style="bold" if line.is_clear else "")
    cells = [
        Text(str(line.metric)),
        *(Text(value(system)) for system in systems),
        change,
        Text(line.normalised),
    ]
    return cells + [Text(value(system)) for system in others]


def _score_notes(evaluation: Scores, noise: bool) -> list[str]:
    notes = closed_notes(evaluation)
    notes.append("Arrows show where a metric is better; in parentheses: sentences of the set.")
    if compares(evaluation):
        notes.append("Change: after minus before, paired, 95% bootstrap interval; bold where it excludes 0.")
        zero_point = f"{signed(-100, 0)}% {zero_point_text(evaluation.zero_point)}"
        notes.append(f"Norm.: the paper's normalised drop; 0% is the model before, {zero_point}.")
    if noise:
        notes.append(f"{NOISE_MARK} Before and zero point cannot be told apart, so the normalised drop says nothing.")
    return notes


def _add_example(table: Table, example: Sample) -> None:
    before, after = example.answers[BEFORE], example.answers[AFTER]
    table.add_row("Source", Text(example.prompt))
    if before == after:
        table.add_row("Same", Text(before or "(empty)"), end_section=True)
        return
    old, new = word_diff(before, after)
    table.add_row("Before", _marked(old, _LOST))
    table.add_row("After", _marked(new, _NEW), end_section=True)


def _marked(pieces: list[Piece], style: str) -> Text:
    text = Text("" if pieces else "(empty)")
    for piece in pieces:
        text.append(piece.text, style=style if piece.changed else "")
    return text
