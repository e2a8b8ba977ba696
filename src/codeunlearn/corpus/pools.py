"""Three disjoint pools, decided by a hash of the source sentence alone.

Search happens on train, choices on validation, reporting on test. Because the pool is a function of the normalised
sentence, equal sentences never sit in two pools, whatever file, order or limit they come with. All pairs of a document are in
its pool; a prompt that documents of several pools hold stays in the first of them alone.
"""

from __future__ import annotations

import hashlib
import unicodedata
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, get_args

from codeunlearn.corpus.matching import normal_form

if TYPE_CHECKING:
    from datasets import Dataset

Pool = Literal["train", "validation", "test"]
POOLS: tuple[Pool, ...] = get_args(Pool)


def normalise(sentence: str) -> str:
    """Lower-cased letters and digits with single spaces: what sentences have in common that read the same."""
    folded = unicodedata.normalize("NFKC", normal_form(sentence)).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def pool_of(sentence: str) -> Pool:
    """The pool of a source sentence: 80 % train, 10 % validation, 10 % test."""
    digest = hashlib.blake2b(normalise(sentence).encode(), digest_size=8).digest()
    tenth = int.from_bytes(digest, "big") % 10
    return "test" if tenth == 0 else "validation" if tenth == 1 else "train"


def split_pools(dataset: Dataset) -> dict[Pool, Dataset]:
    """Splits a data set with a ``source`` column, and perhaps a ``document`` column, into its three pools, order kept."""
    sources: list[str] = dataset["source"][:]
    documents: list[str | None] = dataset["document"][:] if "document" in dataset.column_names else []
    pools: list[Pool] = [pool_of(of or source) for source, of in zip_longest(sources, documents)]
    first: dict[str, Pool] = {}
    if documents:
        by_pool = sorted(range(len(sources)), key=lambda row: POOLS.index(pools[row]))
        for row in by_pool:
            first.setdefault(normalise(sources[row]), pools[row])
    members: dict[Pool, list[int]] = {pool: [] for pool in POOLS}
    for row, pool in enumerate(pools):
        if not documents or first[normalise(sources[row])] == pool:
            members[pool].append(row)
    return {pool: dataset.select(rows) for pool, rows in members.items()}
