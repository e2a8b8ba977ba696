"""How strong the evidence for a code is, in the measures of the recipe that chose it."""

from __future__ import annotations

from collections.abc import Callable

from codeunlearn.reporting.labels import p_value, signed
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet

EPSILON_MARK = "*"
EPSILON_NOTE = f"{EPSILON_MARK} Absent from the control: the size of R is that of epsilon, not of the effect."
EFFECT_NOTE = (
    "Takes: of the probability of the topic's words, what deleting the code takes when its turn comes. Costs: nats that an "
    "unrelated sentence loses, on average."
)
_COLUMNS: dict[str, Callable[[CodeEvidence], str]] = {
    "R": lambda e: signed(e.r) + (EPSILON_MARK if e.control == 0 else ""),
    "p": lambda e: p_value(e.p),
    "q": lambda e: "" if e.q is None else p_value(e.q),
    "Rank": lambda e: "" if e.rank is None else str(e.rank),
    "Takes": lambda e: "" if e.topic_gain is None else f"{100 * e.topic_gain:.1f} %",
    "Costs": lambda e: "" if e.retain_cost is None else f"{e.retain_cost:.4f}",
    "Stability": lambda e: "" if e.stability is None else f"{100 * e.stability:.0f} %",
}


def is_path(forget_set: ForgetSet) -> bool:
    """Whether the codes stand in the order in which they are to be deleted, for what their deletion was seen to do."""
    return any(e.topic_gain is not None for e in forget_set.evidence)


def order_of(forget_set: ForgetSet) -> str:
    """What the order of the codes is."""
    return "in the order of deletion" if is_path(forget_set) else "strongest evidence first"


def cells(evidence: CodeEvidence, columns: tuple[str, ...]) -> list[str]:
    """The measures of these names; empty where the recipe did not take one."""
    return [_COLUMNS[name](evidence) for name in columns]
