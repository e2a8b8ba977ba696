"""Variants of the codebook model, as a section of a reproduction's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from codeunlearn.codebook import DeletionMode
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import is_file_name

REFERENCE = "reference"
"""The ablations' first row, with which the variants are compared."""


@dataclass(frozen=True)
class Variant:
    """The codebook model with something changed.

    Attributes:
        name: what is changed, in words; also the name of its stages and folder.
        train: options of `TrainConfig` over those of the reference.
        bottleneck: as in `JointConfig`, over those of ``joint``.
        build: options of `BuildConfig` over those of ``joint``.
        mode: nothing is trained; the reference model forgets in this deletion mode.
    """

    name: str
    train: Mapping[str, Any] = field(default_factory=dict[str, Any])
    bottleneck: Mapping[str, Any] = field(default_factory=dict[str, Any])
    build: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mode: DeletionMode | None = None


@dataclass(frozen=True)
class AblationConfig:
    """What each part of the method contributes: variants of the codebook model, with the first seed.

    Attributes:
        train: options of `TrainConfig` over those of ``joint`` for the reference and all variants, such as fewer steps.
            Without any, and from the same start, the reference is the codebook model itself.
        start: the model from which the reference and all variants start; that of ``joint`` when absent. A short training
            from a base that has never seen the topics says little of forgetting them.
        topics: those that are searched and scored; all when absent.
        variants: each differs from the reference as its name says.
    """

    train: Mapping[str, Any] = field(default_factory=dict[str, Any])
    start: Literal["base", "plain"] | None = None
    topics: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()


def check_variants(ablations: AblationConfig) -> None:
    """What fits together whatever the options are.

    Raises:
        CodeUnlearnError: something does not.
    """
    names = [REFERENCE, *(variant.name for variant in ablations.variants)]
    if len(set(names)) < len(names) or not all(map(is_file_name, names)):
        raise CodeUnlearnError(
            f"Every variant needs a name of its own that a folder can have, without a slash and other than {REFERENCE!r}."
        )
    for variant in ablations.variants:
        if variant.mode is not None and (variant.train or variant.bottleneck or variant.build):
            raise CodeUnlearnError(f"The variant {variant.name!r} has a mode, so nothing else of it can change.")
