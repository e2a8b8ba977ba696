"""From sentences to a forget set: counting, enrichment and selection for one topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import model_identity
from codeunlearn.unlearning.code_batches import KnownCodes
from codeunlearn.unlearning.counting import S_PRIMES, Progress, count_codes
from codeunlearn.unlearning.counts import CodeCounts
from codeunlearn.unlearning.enrichment import EnrichmentTable
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet
from codeunlearn.unlearning.selection import Preset, chosen_rows, find_preset, preset_options

DEFAULT_S_PRIME = 72


@dataclass(frozen=True, eq=False)
class TopicSearch:
    """What a search found, and all it decided on.

    Attributes:
        forget_set: the chosen codes.
        table: the evidence for every code that fired, chosen or not.
        counts: the counts behind it, for every S' that was counted.
    """

    forget_set: ForgetSet
    table: EnrichmentTable
    counts: CodeCounts


def search_topic(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    topic_sentences: Sequence[str],
    controls: Sequence[str] | Sequence[Sequence[str]],
    *,
    topic_name: str,
    forms: Sequence[str] = (),
    target_forms: Sequence[str] = (),
    preset: str | Preset = "paper",
    s_prime: int = DEFAULT_S_PRIME,
    seed: int = 0,
    paired: bool = True,
    batch_tokens: int = 4096,
    known: KnownCodes | None = None,
    created: str | None = None,
    progress: Progress | None = None,
) -> TopicSearch:
    """Finds the codes of a topic; the model is read and not changed. `search_s_primes` for one S'."""
    found = search_s_primes(
        model,
        tokenizer,
        topic_sentences,
        controls,
        topic_name=topic_name,
        forms=forms,
        target_forms=target_forms,
        preset=preset,
        s_primes=(s_prime,),
        seed=seed,
        paired=paired,
        batch_tokens=batch_tokens,
        known=known,
        created=created,
        progress=progress,
    )
    return found[s_prime]


def search_s_primes(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    topic_sentences: Sequence[str],
    controls: Sequence[str] | Sequence[Sequence[str]],
    *,
    topic_name: str,
    forms: Sequence[str] = (),
    target_forms: Sequence[str] = (),
    preset: str | Preset = "paper",
    s_primes: Sequence[int] = S_PRIMES,
    seed: int = 0,
    paired: bool = True,
    batch_tokens: int = 4096,
    known: KnownCodes | None = None,
    created: str | None = None,
    progress: Progress | None = None,
) -> dict[int, TopicSearch]:
    """One search per S' from a single counting pass, by S'.

    The search itself draws nothing at random. Codes that are already deleted are found again, so a topic's
    set does not depend on what was forgotten before it.

    Args:
        topic_sentences: D_T.
        controls: D_~T, one list of sentences or several draws, see `count_codes`.
        topic_name: name of the topic, for the record and for `restore`.
        forms: surface forms of the topic, for the record.
        target_forms: the topic's words on the target side, for the record.
        preset: name of a recipe, or a recipe with options of its own.
        seed: of the sentences and controls, for the record.
        known: an index of the corpus, see `count_codes`.
        created: ISO time for the record; now when absent.

    Raises:
        CodeUnlearnError: as `count_codes` and `find_preset`.
    """
    recipe = find_preset(preset)
    counts = count_codes(
        model,
        tokenizer,
        topic_sentences,
        controls,
        s_primes=s_primes,
        batch_tokens=batch_tokens,
        paired=paired,
        known=known,
        progress=progress,
    )
    record: dict[str, Any] = {
        "topic": topic_name,
        "forms": tuple(forms),
        "target_forms": tuple(target_forms),
        "fingerprint": model_identity(model),
        "seed": seed,
        "created": created or datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {s_prime: _search(counts, recipe, s_prime, record) for s_prime in counts.s_primes}


def _search(counts: CodeCounts, preset: Preset, s_prime: int, record: dict[str, Any]) -> TopicSearch:
    table = preset.table(counts, s_prime)
    evidence = tuple(_evidence(table, row) for row in chosen_rows(table, preset.select(table)).tolist())
    forget_set = ForgetSet(
        **record,
        ids=tuple(e.id for e in evidence),
        evidence=evidence,
        preset=preset.name,
        preset_options=preset_options(preset),
        s_prime=s_prime,
        num_codes=len(counts.code_ids),
        n_topic=counts.n_topic,
        n_control=counts.n_control,
        codes_tested=len(table),
        expected_false_positives=preset.expected_false_positives(table),
    )
    return TopicSearch(forget_set, table, counts)


def _evidence(table: EnrichmentTable, row: int) -> CodeEvidence:
    return CodeEvidence(
        id=int(table.ids[row]),
        topic=int(table.topic[row]),
        control=int(table.control[row]),
        f_topic=float(table.f_topic[row]),
        f_control=float(table.f_control[row]),
        r=float(table.r[row]),
        p=float(table.p[row]),
        top_tokens=table.top_tokens[row],
    )
