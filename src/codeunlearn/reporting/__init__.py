"""Tables, figures, report pages and model cards made from forget sets and evaluations."""

from codeunlearn.reporting.figures import before_after, to_png, volcano
from codeunlearn.reporting.model_card import model_card, write_model_card
from codeunlearn.reporting.report import write_report
from codeunlearn.reporting.tables import examples_table, forget_set_table, ledger_table, scores_table

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
