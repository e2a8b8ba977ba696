"""What the recipes that decide on one table of counts share: one pass of counting serves every S'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import model_identity, require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.record import now
from codeunlearn.unlearning.evidence.counting import S_PRIMES, Progress, count_codes
from codeunlearn.unlearning.evidence.counts import CodeCounts, IntArray
from codeunlearn.unlearning.evidence.enrichment import EnrichmentTable
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet
from codeunlearn.unlearning.recipes.base import Needs, Step, TopicSearch

DEFAULT_S_PRIME = 72


@dataclass(frozen=True)
class Counted:
    """A recipe that chooses codes by a table of how often they fire with the topic and with its controls.

    Attributes:
        s_prime: S' of its choice, codes per token that are looked at; noted in the forget set by itself.
    """

    name: ClassVar[str]
    s_prime: int = DEFAULT_S_PRIME

    def table(self, counts: CodeCounts, s_prime: int) -> EnrichmentTable:
        """The evidence on which the recipe decides."""
        raise NotImplementedError

    def select(self, table: EnrichmentTable) -> NDArray[np.bool_]:
        """[M] whether each code of the table is to be deleted."""
        raise NotImplementedError

    def expected_false_positives(self, table: EnrichmentTable) -> float:
        """How many of the codes that the recipe chooses are expected to be accidents."""
        raise NotImplementedError

    def needs(self) -> Needs:
        return Needs()

    def search(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        sets: TopicSets,
        *,
        seed: int = 0,
        steps: Sequence[int] | None = None,
        progress: Progress | None = None,
        created: str | None = None,
    ) -> TopicSearch:
        """As `Recipe.search`; nothing is drawn at random. Steps are values of S', by default the paper's seven.

        The choice is that of ``s_prime`` or, where other steps are asked for, the last of them.

        Raises:
            CodeUnlearnError: as `count_codes`.
        """
        codes = require_bottleneck(model).codebook.num_codes
        if steps is None:
            steps = [*(s for s in S_PRIMES if s <= codes), self.s_prime]
        sources = [pair.prompt for pair in sets.search]
        levels = tuple(steps) or (self.s_prime,)
        counts = count_codes(
            model, tokenizer, sources, sets.controls, s_primes=levels, paired=sets.paired, progress=progress
        )
        record: dict[str, Any] = {
            "topic": sets.topic.name,
            "forms": tuple(sets.topic.forms),
            "target_forms": tuple(sets.target_words),
            "fingerprint": model_identity(model),
            "seed": seed,
            "created": created or now(),
        }
        tables = {s_prime: self.table(counts, s_prime) for s_prime in counts.s_primes}
        found = tuple(
            Step(s_prime, f"S'={s_prime}", self._forget_set(counts, table, s_prime, record))
            for s_prime, table in tables.items()
        )
        choice = next((step for step in found if step.size == self.s_prime), found[-1])
        return TopicSearch(choice.forget_set, tables[choice.size], counts, steps=found, step_name="S'")

    def _forget_set(
        self, counts: CodeCounts, table: EnrichmentTable, s_prime: int, record: dict[str, Any]
    ) -> ForgetSet:
        evidence = tuple(_evidence(table, row) for row in chosen_rows(table, self.select(table)).tolist())
        return ForgetSet(
            **record,
            ids=tuple(e.id for e in evidence),
            evidence=evidence,
            preset=self.name,
            preset_options={name: value for name, value in asdict(self).items() if name != "s_prime"},
            s_prime=s_prime,
            num_codes=len(counts.code_ids),
            n_topic=counts.n_topic,
            n_control=counts.n_control,
            codes_tested=len(table),
            expected_false_positives=self.expected_false_positives(table),
        )


def check_levels(**levels: float) -> None:
    """Raises:
    CodeUnlearnError: a significance level or rate is not above 0 and at most 1.
    """
    for name, level in levels.items():
        if not 0 < level <= 1:
            raise CodeUnlearnError(f"{name} must be above 0 and at most 1; got {level}.")


def chosen_rows(table: EnrichmentTable, chosen: NDArray[np.bool_]) -> IntArray:
    """Rows of the table that were chosen, strongest evidence first: by p, then by R, then by id."""
    rows = np.flatnonzero(chosen)
    return rows[np.lexsort((table.ids[rows], -table.r[rows], table.p[rows]))]


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
