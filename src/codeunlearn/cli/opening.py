"""Opening what the command line names: models and forget sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codeunlearn.codebook import load_model, load_tokenizer
from codeunlearn.codebook.encoding import check_fits
from codeunlearn.device import pick_device
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import write_json
from codeunlearn.reporting.model_card import write_model_card
from codeunlearn.training.resuming import RECORD
from codeunlearn.unlearning import CorpusIndex, ForgetSet, forget


def open_model(name: str, device: str, forget_sets: Sequence[Path] = ()) -> tuple[Any, Any]:
    """Model (with the forget sets applied) and tokenizer."""
    model, tokenizer = load_model(name), load_tokenizer(name)
    check_fits(tokenizer, model, name)
    if forget_sets:
        forget(model, *map(ForgetSet.load, forget_sets))
    return model.to(pick_device(device)), tokenizer


def open_index(folder: Path | None, model: Any) -> CorpusIndex | None:
    """The corpus index, if one is named."""
    return None if folder is None else CorpusIndex.open(folder, model)


def save_copy(model: Any, origin: str, out: Path) -> None:
    """Saves a changed model with the tokenizer, training record and card of the one it came from.

    Raises:
        CodeUnlearnError: ``out`` is the folder the model came from; the original is never overwritten.
    """
    if Path(origin).exists() and Path(origin).resolve() == out.resolve():
        raise CodeUnlearnError(f"{out} is the model itself; choose another --out, so that the original stays.")
    model.save_pretrained(out)
    load_tokenizer(origin).save_pretrained(out)
    record = Path(origin) / RECORD
    content = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    if content:
        write_json(out / RECORD, content)
    write_model_card(out, content, model.config.bottleneck.ledger)
