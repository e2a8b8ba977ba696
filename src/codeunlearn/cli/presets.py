"""From the options of `forget` to a preset that has them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import PRESETS, Preset, RecommendedPreset

NAMES = (RecommendedPreset.name, *PRESETS)


def read_preset(name: str, **options: Any) -> Preset | RecommendedPreset:
    """The preset of that name with the options that are given; those that are None stay as they are.

    Raises:
        CodeUnlearnError: there is no such preset, or it has no such option.
    """
    if name not in NAMES:
        raise CodeUnlearnError(f"Unknown preset {name!r}; choose one of {', '.join(NAMES)}.")
    preset: Any = RecommendedPreset() if name == RecommendedPreset.name else PRESETS[name]
    given = {option: value for option, value in options.items() if value is not None}
    known = {field.name for field in fields(preset)}
    if foreign := [option for option in given if option not in known]:
        raise CodeUnlearnError(f"The preset {name} has no --{foreign[0].replace('_', '-')}; leave it out.")
    return replace(preset, **given)
