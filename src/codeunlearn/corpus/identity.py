"""Texts are known by their contents, whatever file they lie in and whenever it was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def pairs_digest(sources: Iterable[str], targets: Iterable[str]) -> str:
    """SHA-256 of parallel text, pair by pair in its order."""
    return texts_digest(f"{source}\t{target}" for source, target in zip(sources, targets, strict=True))


def texts_digest(texts: Iterable[str]) -> str:
    """SHA-256 of sentences in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of what turns text into tokens, whatever batches it has padded or cut before."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content = tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
    for passing in ("truncation", "padding"):
        content.pop(passing, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
