"""Counting, enrichment, selection and deletion: from a topic's sentences to a model that has forgotten it."""

from codeunlearn.unlearning.deletion import commit, forget, forgetting, restore, set_deletion_mode, undeleted
from codeunlearn.unlearning.evidence.code_lists import CodeLists
from codeunlearn.unlearning.evidence.counting import S_PRIMES, count_codes, count_lists
from codeunlearn.unlearning.evidence.counts import CodeCounts, PairedTable, TokenCounts
from codeunlearn.unlearning.evidence.enrichment import EPSILON, EnrichmentTable, chi_squared, enrichment
from codeunlearn.unlearning.evidence.reading import CodeReader
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet, ForgetUnion, union
from codeunlearn.unlearning.recipes.base import RECIPES, Needs, Recipe, Step, TopicSearch, find_codes, make_recipe
from codeunlearn.unlearning.recipes.paired import Paired
from codeunlearn.unlearning.recipes.paper import Paper
from codeunlearn.unlearning.recipes.path import Choice, DeletionPath, find_path
from codeunlearn.unlearning.recipes.recommended import Recommended

__all__ = [
    "EPSILON",
    "RECIPES",
    "S_PRIMES",
    "Choice",
    "CodeCounts",
    "CodeEvidence",
    "CodeLists",
    "CodeReader",
    "DeletionPath",
    "EnrichmentTable",
    "ForgetSet",
    "ForgetUnion",
    "Needs",
    "Paired",
    "PairedTable",
    "Paper",
    "Recipe",
    "Recommended",
    "Step",
    "TokenCounts",
    "TopicSearch",
    "chi_squared",
    "commit",
    "count_codes",
    "count_lists",
    "enrichment",
    "find_codes",
    "find_path",
    "forget",
    "forgetting",
    "make_recipe",
    "restore",
    "set_deletion_mode",
    "undeleted",
    "union",
]
