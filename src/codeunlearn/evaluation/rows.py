"""Rows of results as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from codeunlearn.files import replacing


def write_csv(path: Path, kind: type[Any], rows: Sequence[Any]) -> None:
    """Dataclasses of one kind as CSV, whole or not at all."""
    with replacing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(kind)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
