"""Tables, figures, report pages and model cards made from forget sets and evaluations.

Figures and reports are loaded when they are first used, for they need the extra ``reports``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from codeunlearn.reporting.model_card import model_card, write_model_card
from codeunlearn.reporting.tables import examples_table, forget_set_table, ledger_table, scores_table

if TYPE_CHECKING:
    from codeunlearn.reporting.figures import before_after, to_png, volcano
    from codeunlearn.reporting.report import write_report

__all__ = [
    "before_after",
    "examples_table",
    "forget_set_table",
    "ledger_table",
    "model_card",
    "scores_table",
    "to_png",
    "volcano",
    "write_model_card",
    "write_report",
]

_HOMES = {"before_after": "figures", "to_png": "figures", "volcano": "figures", "write_report": "report"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
