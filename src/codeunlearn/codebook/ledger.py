"""The ledger: what a model's configuration says was deleted, and whether its codebook says the same.

``config.bottleneck.ledger`` has one entry per applied forget set, oldest first. An entry that is not committed claims
that the rows of its codes are masked, a committed one that they are gone. Whatever is deleted is claimed by an entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

import codeunlearn
from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.record import now
from codeunlearn.validation import Digest, Field, Index, Shape, validated

BY_HAND = "deleted by hand"
"""Topic of the entry for codes that were masked without a forget set."""


class LedgerEntry(Shape, extra="allow"):
    """One applied forget set.

    Attributes:
        topic: what was forgotten.
        ids: codes that were deleted for it.
        committed: they are gone from the weights, not only masked.
        forms: the topic's surface forms.
        preset: the recipe that chose the codes, with ``preset_options``, ``s_prime`` and ``seed``.
        fingerprint: of the model that the set was made for.
        digest: of the forget set, see `ForgetSet.digest`; None where the set had none.
        created: time of the search, ``version`` of codeunlearn there.
        applied: time at which the set was applied.
    """

    topic: str
    ids: list[Index] = Field(min_length=1)
    committed: bool = False
    forms: list[str] = Field(default_factory=list[str])
    preset: str = ""
    preset_options: dict[str, Any] = Field(default_factory=dict[str, Any])
    s_prime: Index = 0
    seed: int = 0
    fingerprint: str = ""
    digest: Digest | None = None
    created: str = ""
    version: str = ""
    applied: str = ""


def entries(ledger: Sequence[Mapping[str, Any]], where: str = "The ledger") -> list[dict[str, Any]]:
    """The entries with all their keys; those of hand-made and older ones that lack some have the defaults.

    Raises:
        CodeUnlearnError: an entry is none.
    """
    return [entry.model_dump() for entry in validated(list[LedgerEntry], list(ledger), where)]


def claimed(ledger: Iterable[Mapping[str, Any]], *, committed: bool) -> set[int]:
    """Ids of the codes that the committed entries, or those that are not, claim."""
    return {i for entry in ledger if bool(entry.get("committed")) is committed for i in entry["ids"]}


def masked(bottleneck: ConceptBottleneck) -> set[int]:
    """Ids of the codes whose rows are masked."""
    codebook = bottleneck.codebook
    return set(codebook.code_ids[codebook.deleted].tolist())


def masked_by_hand(bottleneck: ConceptBottleneck) -> set[int]:
    """Ids of the masked codes that no entry claims."""
    return masked(bottleneck) - claimed(bottleneck.config.ledger, committed=False)


def require_agreement(bottleneck: ConceptBottleneck, where: str, mend: str | None = None) -> None:
    """That mask and ledger say the same of what is deleted.

    Args:
        where: what was opened, for the message.
        mend: what mends it; the command for a saved model if absent.

    Raises:
        CodeUnlearnError: they do not, as an interrupted write or an edited file leaves them.
    """
    mend = mend or (
        f"`codeunlearn restore {where} --out DIR` takes back all that is not committed; then apply the forget sets again"
    )
    config, present = bottleneck.config, set(bottleneck.codebook.code_ids.tolist())
    if kept := present & claimed(config.ledger, committed=True):
        raise CodeUnlearnError(
            f"{where} has not lost {_codes(kept)} that its ledger calls committed; open a copy from before the commit and "
            "commit again."
        )
    wanted, found = claimed(config.ledger, committed=False) & present, masked(bottleneck)
    if wanted != found:
        topics = ", ".join(dict.fromkeys(str(entry["topic"]) for entry in config.ledger)) or "nothing"
        says = (
            f"{_codes(wanted - found)} not deleted" if wanted - found else f"{_codes(found - wanted)} deleted besides"
        )
        raise CodeUnlearnError(
            f"{where} contradicts itself, as after an interrupted write: its ledger says that {topics} is forgotten, and its "
            f"codebook has {says}. Mend it: {mend}."
        )


def require_sound(bottleneck: ConceptBottleneck, where: str) -> None:
    """That the codebook of an opened file can be one, and is the one of its configuration.

    Raises:
        CodeUnlearnError: it cannot, or is not.
    """
    _require_buffers(bottleneck, where)
    config, ids = bottleneck.config, bottleneck.codebook.code_ids.tolist()
    found = entries(config.ledger, f"The ledger of {where}")
    config.ledger = [dict(entry) for entry in config.ledger]
    for entry in found:
        if len(set(entry["ids"])) < len(entry["ids"]):
            raise CodeUnlearnError(f"The ledger of {where} names a code of {entry['topic']!r} twice; it was changed.")
    gone = claimed(found, committed=True)
    _require_commits(config, any(entry["committed"] for entry in found), where)
    once: int | None = config.origin_record["num_codes"] if config.origin_record else None
    if once is not None and sorted({*ids, *gone}) != list(range(once)):
        raise CodeUnlearnError(
            f"{where} does not hold the {once:,} codes that it once had, less those that its ledger calls committed; its "
            "files do not belong together: save or download it again."
        )
    last = max(*ids, *gone, 0) if once is None else once - 1
    if (beyond := max([*claimed(found, committed=False)], default=0)) > last:
        raise CodeUnlearnError(
            f"The ledger of {where} names code {beyond}, and the last one is {last}; it was changed."
        )


def _require_buffers(bottleneck: ConceptBottleneck, where: str) -> None:
    codebook = bottleneck.codebook
    if codebook.deleted.dtype != torch.bool or codebook.code_ids.dtype != torch.int64:
        raise CodeUnlearnError(
            f"{where} holds a deletion mask of type {codebook.deleted.dtype} and code ids of type {codebook.code_ids.dtype}, "
            "not bool and int64; it was not saved by codeunlearn."
        )
    ids = codebook.code_ids
    if bool((ids < 0).any()) or bool((ids.diff() <= 0).any()):
        raise CodeUnlearnError(
            f"{where} holds code ids that do not ascend from 0 up; it was changed after it was saved."
        )


def _require_commits(config: BottleneckConfig, committed: bool, where: str) -> None:
    """That ``origin`` stands beside committed entries, and that nobody rewrote a part of the record."""
    record = config.origin_record
    if (
        (config.origin is not None) != committed
        or (config.committed is not None) != committed
        or (record is not None and not committed)
        or (record is None and str(config.origin).startswith("2:"))
        or (record is not None and record["digest"] != commits_digest(config))
    ):
        raise CodeUnlearnError(
            f"What {where} says of its commits does not fit together; its config.json was changed after it was saved."
        )


def commits_digest(config: BottleneckConfig) -> str:
    """SHA-256 over the commits: what the model was before and after them, and which sets they took out.

    It shows that a part was changed alone. It is no signature: who rewrites all of it can make it anew.
    """
    record = config.origin_record or {}
    content: dict[str, Any] = {
        "origin": config.origin,
        "parameters": record.get("parameters"),
        "num_codes": record.get("num_codes"),
        "committed": config.committed,
        "entries": [
            [entry["topic"], entry["ids"], entry.get("digest"), entry.get("fingerprint")]
            for entry in config.ledger
            if entry.get("committed")
        ],
    }
    return canonical_digest(content)


def canonical_digest(content: Any) -> str:
    """SHA-256 of JSON-ready content: keys sorted, no spaces, UTF-8."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def settle(bottleneck: ConceptBottleneck) -> None:
    """Makes the configuration tell what the codebook is, to be called before a model is saved.

    Codes that were masked by hand get an entry of their own.

    Raises:
        CodeUnlearnError: the ledger claims a deletion that is not there.
    """
    if by_hand := masked_by_hand(bottleneck):
        bottleneck.config.ledger.append(entry_by_hand(by_hand))
    require_agreement(bottleneck, "The model", "call restore(model), then forget again")


def entry_by_hand(ids: Iterable[int]) -> dict[str, Any]:
    """The entry for codes that were masked without a forget set."""
    version = codeunlearn.__version__
    return LedgerEntry(topic=BY_HAND, ids=sorted(ids), preset="by hand", version=version, applied=now()).model_dump()


def _codes(ids: set[int]) -> str:
    first = f"code {min(ids)}"
    return first if len(ids) == 1 else f"{first} and {len(ids) - 1:,} more"
