"""From sentences to a forget set: counting, enrichment and selection for one topic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import model_identity, require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example
from codeunlearn.unlearning.evidence.alignment import near_words
from codeunlearn.unlearning.evidence.code_lists import CodeLists
from codeunlearn.unlearning.evidence.counting import S_PRIMES, Progress, count_codes
from codeunlearn.unlearning.evidence.counts import CodeCounts
from codeunlearn.unlearning.evidence.effects import DeletionEffects
from codeunlearn.unlearning.evidence.enrichment import EPSILON, EnrichmentTable, enrichment
from codeunlearn.unlearning.evidence.reading import CodeReader, KnownCodes
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet
from codeunlearn.unlearning.recipes.candidates import Material
from codeunlearn.unlearning.recipes.presets import (
    PairedPreset,
    Preset,
    RecommendedPreset,
    chosen_rows,
    find_preset,
    preset_options,
)
from codeunlearn.unlearning.recipes.recommended import Choice, Path, find_path

DEFAULT_S_PRIME = 72
DEPTH = max(S_PRIMES)


@dataclass(frozen=True, eq=False)
class TopicSearch:
    """What a search found, and all it decided on.

    Attributes:
        forget_set: the chosen codes.
        table: the evidence for every code that fired, chosen or not.
        counts: the counts behind it, for every S' that was counted.
        path: the codes in the order of deletion, with all evidence; of the recommended recipe only.
    """

    forget_set: ForgetSet
    table: EnrichmentTable
    counts: CodeCounts
    path: Path | None = None


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
    batch_tokens: int | None = None,
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
    batch_tokens: int | None = None,
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


def search_topic_sets(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sets: TopicSets,
    *,
    preset: str | Preset = "paper",
    s_primes: Sequence[int] = S_PRIMES,
    seed: int = 0,
    known: KnownCodes | None = None,
    progress: Progress | None = None,
) -> dict[int, TopicSearch]:
    """`search_s_primes` with the sentences, controls and words of a topic's sets."""
    return search_s_primes(
        model,
        tokenizer,
        [pair.prompt for pair in sets.search],
        sets.controls,
        topic_name=sets.topic.name,
        forms=sets.topic.forms,
        target_forms=sets.target_words,
        preset=preset,
        s_primes=s_primes,
        seed=seed,
        paired=sets.paired,
        known=known,
        progress=progress,
    )


def search_recommended(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sets: TopicSets,
    *,
    preset: RecommendedPreset | None = None,
    seed: int = 0,
    batch_tokens: int | None = None,
    known: KnownCodes | None = None,
    created: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> TopicSearch:
    """Finds the codes of a topic with the recommended recipe, see `codeunlearn.unlearning.recipes.recommended`.

    Args:
        sets: the topic's sets; ``search``, ``controls`` and ``search_retain`` are read, all of the train pool.
        progress: called after every round with the share of the topic words' probability that is left.

    Raises:
        CodeUnlearnError: ``search_retain`` is empty, or as `read_material` and `find_path`.
    """
    recipe = preset or RecommendedPreset()
    if not sets.search_retain:
        raise CodeUnlearnError(
            "The recommended recipe needs unrelated sentences; build the sets with search_retain_size."
        )
    codebook = require_bottleneck(model).codebook
    material = read_material(model, tokenizer, sets, recipe, batch_tokens, known)
    path = find_path(material, recipe, seed=seed, progress=progress)
    s = require_bottleneck(model).config.top_s
    sources = [pair.prompt for pair in sets.search]
    options: dict[str, Any] = {"paired": sets.paired, "batch_tokens": batch_tokens, "known": known}
    counts = count_codes(model, tokenizer, sources, sets.controls, s_primes=(s,), **options)
    evidence = tuple(
        _path_evidence(choice, rank, material, int(codebook.code_ids[choice.row]), tokenizer)
        for rank, choice in enumerate(path.choices, start=1)
    )
    forget_set = ForgetSet(
        topic=sets.topic.name,
        ids=tuple(e.id for e in evidence),
        fingerprint=model_identity(model),
        forms=tuple(sets.topic.forms),
        target_forms=tuple(sets.target_words),
        evidence=evidence,
        preset=recipe.name,
        preset_options=asdict(recipe),
        s_prime=s,
        seed=seed,
        num_codes=codebook.num_codes,
        n_topic=counts.n_topic,
        n_control=counts.n_control,
        codes_tested=path.tested,
        topic_left=path.topic_left,
        created=created or datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return TopicSearch(
        forget_set, PairedPreset().table(counts, s) if counts.draws == 1 else enrichment(counts, s), counts, path
    )


def read_material(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sets: TopicSets,
    preset: RecommendedPreset,
    batch_tokens: int | None = None,
    known: KnownCodes | None = None,
) -> Material:
    """Reads the sentences once; what the recipe does with them needs the encoder no more.

    Raises:
        CodeUnlearnError: a topic of words has no words on the target side. Only of a topic given as sentences are the whole
            translations what is to be forgotten.
    """
    if not sets.target_words and sets.topic.kind != "sentences":
        raise CodeUnlearnError(
            f"No words for {sets.topic.name!r} are known on the target side, so nothing says what its translations are to "
            "lose; give them: --target-words WORD,WORD."
        )
    codebook = require_bottleneck(model).codebook
    reader = CodeReader(model, tokenizer, min(DEPTH, codebook.num_codes), batch_tokens, known)

    def lists(sentences: Sequence[str]) -> CodeLists:
        return CodeLists.read(reader, sentences, codebook.num_codes)

    def effects(of: CodeLists, pairs: Sequence[Example], words: Sequence[str] = ()) -> DeletionEffects:
        return DeletionEffects(model, tokenizer, of, [pair.answer for pair in pairs], words=words, mode=preset.mode)

    sources = [pair.prompt for pair in sets.search]
    topic = lists(sources)
    retained = lists([pair.prompt for pair in sets.search_retain])
    return Material(
        topic,
        [lists(controls) for controls in sets.controls],
        sets.paired,
        effects(topic, sets.search, sets.target_words),
        retained,
        effects(retained, sets.search_retain),
        near_words(tokenizer, sources, sets.topic.words, prefix=reader.prefix) if sets.topic.forms else None,
    )


def _path_evidence(
    choice: Choice, rank: int, material: Material, code: int, tokenizer: PreTrainedTokenizerBase
) -> CodeEvidence:
    f_topic = choice.topic / material.topic.sentences
    f_control = choice.control / (material.topic.sentences * len(material.controls))
    return CodeEvidence(
        id=code,
        topic=choice.topic,
        control=choice.control,
        f_topic=f_topic,
        f_control=f_control,
        r=math.log2((f_topic + EPSILON) / (f_control + EPSILON)),
        p=choice.p,
        top_tokens=tuple((str(tokenizer.convert_ids_to_tokens(token)), number) for token, number in choice.tokens),
        q=choice.q,
        effect=choice.effect,
        effect_low=choice.effect_low,
        effect_high=choice.effect_high,
        topic_gain=choice.topic_gain,
        retain_cost=choice.retain_cost,
        stability=choice.stability,
        rank=rank,
        odds_ratio=choice.odds_ratio,
        z=choice.z,
        alignment=choice.alignment,
    )


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
