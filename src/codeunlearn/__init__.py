"""CodeUnlearn: training-free topic unlearning through a discrete bottleneck.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeunlearn.codebook import BottleneckConfig, attach, load_model, load_tokenizer
    from codeunlearn.errors import CodeUnlearnError
    from codeunlearn.tasks.generating import translate
    from codeunlearn.unlearning import ForgetSet, Recommended, commit, forget, forgetting, restore

__version__ = "0.1.0"

__all__ = [
    "BottleneckConfig",
    "CodeUnlearnError",
    "ForgetSet",
    "Recommended",
    "attach",
    "commit",
    "forget",
    "forgetting",
    "load_model",
    "load_tokenizer",
    "restore",
    "translate",
]

_HOMES = {
    "BottleneckConfig": "codebook",
    "CodeUnlearnError": "errors",
    "ForgetSet": "unlearning",
    "attach": "codebook",
    "commit": "unlearning",
    "forget": "unlearning",
    "forgetting": "unlearning",
    "load_model": "codebook",
    "load_tokenizer": "codebook",
    "restore": "unlearning",
    "Recommended": "unlearning",
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
