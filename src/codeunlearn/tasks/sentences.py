"""Where the sentences of a text end."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = "\"'\u201c\u2018\u00ab(["
_BOUNDARY = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*(\s+)(?=[" + re.escape(_OPENING) + r"]*[A-ZÀ-ÞĀ-ž0-9])")
_NO_END = re.compile(r"(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Rev|Hon|No|Vol|vs|e\.g|i\.e|cf|(?:[A-Z]\.)*[A-Z])\.")
"""A last word that ends no sentence: titles, initials and the like."""


def sentences_of(document: str) -> Iterator[str]:
    """Its sentences, simply: a line ends one, and so does a full stop or the like before a capital or a number."""
    for line in re.split(r"[\r\n]+", document):
        start = 0
        for found in _BOUNDARY.finditer(line):
            end = found.start(1)
            if not _NO_END.fullmatch(line[start:end].rsplit(None, 1)[-1].lstrip(_OPENING)):
                yield line[start:end]
                start = found.end()
        if line[start:].strip():
            yield line[start:]
