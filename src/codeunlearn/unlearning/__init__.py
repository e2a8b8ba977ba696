"""Counting, enrichment, selection and deletion: from a topic's sentences to a model that has forgotten it."""

from codeunlearn.unlearning.corpus_index import CorpusIndex, build_index
from codeunlearn.unlearning.deletion import commit, forget, forgetting, restore, set_deletion_mode, undeleted
from codeunlearn.unlearning.evidence.counting import S_PRIMES, CodeCounter, count_codes
from codeunlearn.unlearning.evidence.counts import CodeCounts, PairedTable, TokenCounts
from codeunlearn.unlearning.evidence.enrichment import EPSILON, EnrichmentTable, chi_squared, enrichment
from codeunlearn.unlearning.evidence.reading import CodeBatch, CodeReader, KnownCodes
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet, ForgetUnion, union
from codeunlearn.unlearning.recipes.presets import (
    PRESETS,
    PairedPreset,
    PaperPreset,
    Preset,
    RecommendedPreset,
    find_preset,
)
from codeunlearn.unlearning.recipes.recommended import Choice, Path, find_path
from codeunlearn.unlearning.recipes.search import (
    DEFAULT_S_PRIME,
    TopicSearch,
    search_recommended,
    search_s_primes,
    search_topic,
    search_topic_sets,
)

__all__ = [
    "DEFAULT_S_PRIME",
    "EPSILON",
    "PRESETS",
    "S_PRIMES",
    "Choice",
    "CodeBatch",
    "CodeCounter",
    "CodeCounts",
    "CodeEvidence",
    "CodeReader",
    "CorpusIndex",
    "EnrichmentTable",
    "ForgetSet",
    "ForgetUnion",
    "KnownCodes",
    "PairedPreset",
    "PairedTable",
    "PaperPreset",
    "Path",
    "Preset",
    "RecommendedPreset",
    "TokenCounts",
    "TopicSearch",
    "build_index",
    "chi_squared",
    "commit",
    "count_codes",
    "enrichment",
    "find_path",
    "find_preset",
    "forget",
    "forgetting",
    "restore",
    "search_recommended",
    "search_s_primes",
    "search_topic",
    "search_topic_sets",
    "set_deletion_mode",
    "undeleted",
    "union",
]
