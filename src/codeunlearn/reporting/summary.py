"""A report's first lines: what was forgotten, at what cost, in words and in a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codeunlearn.evaluation.metrics.knowledge import CONTROL_PROBABILITY, PROBABILITY
from codeunlearn.evaluation.scores import RECALL, Comparison, Scores
from codeunlearn.evaluation.systems import AFTER, BEFORE
from codeunlearn.evaluation.test_sets import FORGET, RETAIN
from codeunlearn.reporting.labels import (
    MISSING,
    bounds,
    count_noun,
    is_defined,
    number,
    quoted,
    set_label,
    signed,
    system_label,
)
from codeunlearn.reporting.score_lines import is_clear, systems_of
from codeunlearn.unlearning.forget_set import ForgetSet, union

ARROW = "\N{RIGHTWARDS ARROW}"
_NAMED_WORDS = 4


@dataclass(frozen=True)
class KeyFigure:
    """One large number with what it is and how sure it is."""

    label: str
    value: str
    note: str


def key_figures(forget_sets: Sequence[ForgetSet], evaluation: Scores | None) -> list[KeyFigure]:
    """The numbers to see first; those that were not measured are left out."""
    figures = [_codes_figure(forget_sets)] if forget_sets else []
    if evaluation is None:
        return figures
    figures += _closed_figure(evaluation)
    for set_name, metric in _watched(evaluation):
        delta = _find(evaluation, set_name, metric)
        if delta is not None:
            figures.append(_delta_figure(evaluation, delta))
    return figures


def summary(forget_sets: Sequence[ForgetSet], evaluation: Scores | None) -> list[str]:
    """Plain sentences, computed from the numbers; each stands alone."""
    sentences = [_deleted(forget_sets), *map(_searched, forget_sets)] if forget_sets else []
    if evaluation is None:
        return [sentence for sentence in sentences if sentence]
    if not evaluation.comparisons:
        names = ", ".join(system_label(system).lower() for system in systems_of(evaluation))
        sentences.append(f"Scored on the sets of {quoted(evaluation.topic)}: {names}. Nothing was compared.")
    sentences += _closed(evaluation)
    recall = _find(evaluation, FORGET, RECALL)
    sentences += [_recall(evaluation, recall)] if recall else []
    sentences += [_quality(evaluation, name) for name in evaluation.sizes if name != FORGET]
    sentences += [_broken(evaluation, name) for name in evaluation.sizes]
    return [sentence for sentence in sentences if sentence]


def _closed_figure(evaluation: Scores) -> list[KeyFigure]:
    row, change = evaluation.closed(AFTER), _find(evaluation, FORGET, PROBABILITY)
    if row is None or change is None:
        return []
    value = f"{number(row.value, 0)}%" if is_defined(row.value) else "not defined"
    interval = f"[{number(row.low, 0)}, {number(row.high, 0)}]; " if is_defined(row.value) else ""
    note = f"{interval}probability {number(change.before)} {ARROW} {number(change.after)}, control {_floor(evaluation)}"
    return [KeyFigure("Closed", value, note)]


def _floor(evaluation: Scores) -> str:
    return number(evaluation.value(BEFORE, FORGET, CONTROL_PROBABILITY))


def _closed(evaluation: Scores) -> list[str]:
    """How far the topic is closed, how far other methods close it, and how far each attack opens it again."""
    row, change = evaluation.closed(AFTER), _find(evaluation, FORGET, PROBABILITY)
    if row is None or change is None:
        return []
    known = f"the topic's words in the references have a probability of {number(change.before)}%"
    if not is_defined(row.value):
        return [
            f"How far the topic is closed is not defined: before forgetting, {known}, which is not clearly above the "
            f"{_floor(evaluation)}% with control prompts."
        ]
    sentences = [
        f"The topic is closed to {number(row.value, 0)}% (95% interval {number(row.low, 0)} to {number(row.high, 0)}): under "
        f"forced decoding, {known} before and {number(change.after)}% after; {_floor(evaluation)}% is what a model says that was "
        "never told the topic, its words being replaced in the prompt."
    ]
    for method in evaluation.of_role("after", "control"):
        other, left = evaluation.closed(method), evaluation.value(method, FORGET, PROBABILITY)
        if method != AFTER and other is not None and is_defined(left):
            sentences.append(
                f"With another method ({system_label(method).lower()}), the probability of the topic's words is {number(left)}%, "
                f"so that the topic is closed to {number(other.value, 0)}%."
            )
    for attack in evaluation.of_role("attack"):
        opened = evaluation.closed(attack)
        back = evaluation.value(attack, FORGET, PROBABILITY)
        if opened is not None and is_defined(back):
            sentences.append(
                f"Attacked ({system_label(attack).lower()}), the probability of the topic's words is {number(back)}%, so that "
                f"the topic is closed to {number(opened.value, 0)}%."
            )
    return sentences


def _watched(evaluation: Scores) -> list[tuple[str, str]]:
    """Sets and metrics worth a large number: the topic's recall, retained quality, two neighbours."""
    neighbours = [name for name in evaluation.sizes if name not in (FORGET, RETAIN)]
    return [(FORGET, RECALL), (RETAIN, "chrf"), *((name, "chrf") for name in neighbours[:2])]


def _find(evaluation: Scores, set_name: str, metric: str) -> Comparison | None:
    return evaluation.comparison(AFTER, set_name, metric)


def _codes_figure(forget_sets: Sequence[ForgetSet]) -> KeyFigure:
    count, total = len(union(*forget_sets)), forget_sets[0].num_codes
    note = f"of {total:,} ({count / total:.2%})" if total else "in the codebook"
    return KeyFigure("Codes deleted", f"{count:,}", note)


def _delta_figure(evaluation: Scores, delta: Comparison) -> KeyFigure:
    what = "Topic-word recall" if delta.metric == RECALL else f"chrF, {_in_words(evaluation, delta.set)}"
    interval = bounds(delta.low, delta.high).replace(" ", "\N{NO-BREAK SPACE}")
    note = f"change {signed(delta.delta)} {interval}"
    return KeyFigure(what, f"{number(delta.before)} {ARROW} {number(delta.after)}", note)


def _in_words(evaluation: Scores, set_name: str) -> str:
    text = set_label(set_name, evaluation.topic)
    return text[:1].lower() + text[1:]


def _deleted(forget_sets: Sequence[ForgetSet]) -> str:
    topics = " and ".join(dict.fromkeys(quoted(s.topic) for s in forget_sets))
    count, total = len(union(*forget_sets)), forget_sets[0].num_codes
    share = f" of the model's {total:,} codes ({count / total:.2%})" if total else " codes of the model"
    return f"To forget {topics}, {count:,}{share} {'was' if count == 1 else 'were'} deleted. No weight was trained."


def _searched(forget_set: ForgetSet) -> str:
    if not forget_set.n_topic:
        return ""
    topic, control = (
        count_noun(forget_set.n_topic, "sentence"),
        count_noun(forget_set.n_control, "control sentence"),
    )
    tested = count_noun(forget_set.codes_tested, "code")
    text = f"The search compared {topic} with {quoted(forget_set.topic)} to {control} and tested {tested}"
    expected = forget_set.expected_false_positives
    if expected is None:
        return f"{text}."
    about = number(expected, 0 if expected >= 10 else 1)
    return f"{text}; had the topic no effect, the recipe's nominal level would let up to about {about} through."


def _recall(evaluation: Scores, delta: Comparison) -> str:
    count = next(r.count for r in evaluation.rows if (r.set, r.metric, r.system) == (FORGET, RECALL, BEFORE))
    words = ", ".join(evaluation.words[:_NAMED_WORDS])
    more = ", …" if len(evaluation.words) > _NAMED_WORDS else ""
    verdict = _verdict(delta, "The topic's words became rarer", "The topic's words became more frequent")
    return (
        f"Of {count_noun(count, 'test sentence')} whose reference holds a word of the topic ({words}{more}), the "
        f"translation held one in {number(delta.before)}% before and {number(delta.after)}% after "
        f"({_change(delta)}). {verdict}"
    )


def _quality(evaluation: Scores, set_name: str) -> str:
    """Translation quality of a set that should stay as it is, and its own words where it has some."""
    delta = _find(evaluation, set_name, "chrf")
    if delta is None:
        return ""
    size = evaluation.sizes[set_name]
    sentences = (
        count_noun(size, "unrelated sentence")
        if set_name == RETAIN
        else f"{count_noun(size, 'sentence')} of the neighbour {quoted(set_name)}"
    )
    text = (
        f"On {sentences}, translation quality (chrF) went from {number(delta.before)} to {number(delta.after)} "
        f"({_change(delta)}). {_verdict(delta, 'They are translated worse', 'They are translated better')}"
    )
    own = _find(evaluation, set_name, RECALL)
    if own is None:
        return text
    return f"{text} Recall of its own words went from {number(own.before)} to {number(own.after)} ({_change(own)})."


def _broken(evaluation: Scores, set_name: str) -> str:
    delta = _find(evaluation, set_name, "degenerate_rate")
    if delta is None or not (is_clear(delta) and delta.delta > 0):
        return ""
    return (
        f"{set_label(set_name, evaluation.topic)}: after forgetting, {number(delta.after)}% of the translations loop "
        f"or are empty ({number(delta.before)}% before)."
    )


def _change(delta: Comparison) -> str:
    low, high = signed(delta.low), signed(delta.high)
    interval = MISSING if MISSING in (low, high) else f"{low} to {high}"
    return f"change {signed(delta.delta)}, 95% interval {interval}"


def _verdict(delta: Comparison, fell: str, rose: str) -> str:
    if not is_clear(delta):
        return "This change cannot be told from chance."
    return f"{fell if delta.high < 0 else rose}, beyond what chance explains."
