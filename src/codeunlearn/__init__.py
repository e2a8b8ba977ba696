"""CodeUnlearn: training-free topic unlearning through a discrete bottleneck.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeunlearn.codebook import BottleneckConfig, attach, load_model, load_tokenizer
    from codeunlearn.codebook.writing import save_model
    from codeunlearn.corpus.loading import DataConfig, load_pairs
    from codeunlearn.corpus.pools import split_pools
    from codeunlearn.corpus.topic_sets import build_topic_sets
    from codeunlearn.corpus.topics import Topic
    from codeunlearn.errors import CodeUnlearnError
    from codeunlearn.evaluation.evaluate import evaluate
    from codeunlearn.tasks.generating import translate
    from codeunlearn.unlearning import (
        RECIPES,
        ForgetSet,
        Recommended,
        commit,
        find_codes,
        forget,
        forgetting,
        restore,
    )

__version__ = "0.1.0"

__all__ = [
    "RECIPES",
    "BottleneckConfig",
    "CodeUnlearnError",
    "DataConfig",
    "ForgetSet",
    "Recommended",
    "Topic",
    "attach",
    "build_topic_sets",
    "commit",
    "evaluate",
    "find_codes",
    "forget",
    "forgetting",
    "load_model",
    "load_pairs",
    "load_tokenizer",
    "restore",
    "save_model",
    "split_pools",
    "translate",
]

_HOMES = {
    "BottleneckConfig": "codebook",
    "CodeUnlearnError": "errors",
    "DataConfig": "corpus.loading",
    "ForgetSet": "unlearning",
    "RECIPES": "unlearning",
    "Recommended": "unlearning",
    "Topic": "corpus.topics",
    "attach": "codebook",
    "build_topic_sets": "corpus.topic_sets",
    "commit": "unlearning",
    "evaluate": "evaluation.evaluate",
    "find_codes": "unlearning",
    "forget": "unlearning",
    "forgetting": "unlearning",
    "load_model": "codebook",
    "load_pairs": "corpus.loading",
    "load_tokenizer": "codebook",
    "restore": "unlearning",
    "save_model": "codebook.writing",
    "split_pools": "corpus.pools",
    "translate": "tasks.generating",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
