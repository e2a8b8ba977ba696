"""Opening what the command line names: models and forget sets."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codeunlearn.codebook import load_tokenizer
from codeunlearn.codebook.loading import load_both
from codeunlearn.codebook.writing import write_model
from codeunlearn.device import pick_device
from codeunlearn.files import write_json
from codeunlearn.reporting.model_card import write_model_card
from codeunlearn.saving import RECORD, saving
from codeunlearn.training.resuming import read_record
from codeunlearn.unlearning import ForgetSet, forget


def open_model(name: str, device: str, forget_sets: Sequence[Path] = ()) -> tuple[Any, Any]:
    """Model (with the forget sets applied) and tokenizer."""
    model, tokenizer = load_both(name)
    if forget_sets:
        forget(model, *map(ForgetSet.load, forget_sets))
    return model.to(pick_device(device)), tokenizer


@contextmanager
def save_copy(model: Any, origin: str, out: Path) -> Generator[Path]:
    """Saves a changed model with the tokenizer, training record and card of the one it came from.

    The copy appears in ``out`` when the block ends, and not at all when it fails: what else belongs to the result is
    written in the block.

    Yields:
        the folder that becomes ``out``.
    """
    source = Path(origin) / RECORD
    record = read_record(source) if source.exists() else None
    with saving(out) as folder:
        write_model(model, load_tokenizer(origin), folder)
        if record is not None:
            write_json(folder / RECORD, record)
        write_model_card(folder, record, name=out.resolve().name)
        yield folder
