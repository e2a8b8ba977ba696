"""A study on TOFU's invented authors, as a section of a reproduction's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.knowledge_config import AskedConfig
from codeunlearn.files import is_file_name
from codeunlearn.validation import Count, Index

SPLITS = {"forget01": 2, "forget05": 10, "forget10": 20}


@dataclass(frozen=True)
class TofuConfig:
    """Authors whom a fine-tuned model is to forget, in place of all other scores; see `codeunlearn.experiments.tofu`.

    Attributes:
        forget: JSON Lines with ``author``, ``question`` and ``answer``, 20 a TOFU author; without it there is no study.
        retain: the same of authors who stay.
        facts: sets of questions with right and wrong answers, which are to stay.
        spared: names of those among ``facts`` that the search reads as unrelated text; the others it never sees.
        splits: by name, how many authors are forgotten together, the last ones of the file.
        gold: by split, the folder of the model that was fine-tuned without its authors; of any of the splits.
        plain: the fine-tuned model without a codebook; the adapter's base when absent.
        singles: so many authors, the last ones, are also forgotten alone.
        answered: of each set, at most so many questions are also answered freely.
        before: put before every question where a model has no frame of its own.
        behind: put behind it.
    """

    forget: str | None = None
    retain: str | None = None
    facts: tuple[AskedConfig, ...] = ()
    spared: tuple[str, ...] = ("world facts",)
    splits: Mapping[str, Count] = field(default_factory=lambda: dict(SPLITS))
    gold: Mapping[str, str] = field(default_factory=dict[str, str])
    plain: str | None = None
    singles: Index = 4
    answered: Count = 100
    before: str = ""
    behind: str = ""


def check_tofu(config: TofuConfig) -> None:
    """What fits together whatever the files hold.

    Raises:
        CodeUnlearnError: something does not.
    """
    if config.forget is None:
        return
    if config.retain is None or not config.facts:
        raise CodeUnlearnError("A TOFU study also asks what is to stay; name tofu: retain and tofu: facts.")
    names = [one.name for one in config.facts]
    if len(set(names)) < len(names):
        raise CodeUnlearnError("Every set of tofu: facts needs a name of its own.")
    if missing := [name for name in config.spared if name not in names]:
        raise CodeUnlearnError(f"tofu: spared names {missing[0]!r}, which is none of the facts {', '.join(names)}.")
    if not config.splits or not all(map(is_file_name, config.splits)):
        raise CodeUnlearnError("tofu: splits needs at least one name that a folder can have, with a number of authors.")
    if missing := [name for name in config.gold if name not in config.splits]:
        raise CodeUnlearnError(
            f"tofu: gold has {missing[0]!r}, which is none of the splits {', '.join(config.splits)}."
        )
