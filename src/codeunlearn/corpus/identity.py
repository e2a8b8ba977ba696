"""Texts are known by their contents, whatever file they lie in and whenever it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def pairs_digest(sources: Iterable[str], targets: Iterable[str]) -> str:
    """SHA-256 of parallel text, pair by pair in its order."""
    return texts_digest(f"{source}\t{target}" for source, target in zip(sources, targets, strict=True))


def texts_digest(texts: Iterable[str]) -> str:
    """SHA-256 of sentences in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
