"""A study of what a language model knows before and after, as a section of a reproduction's configuration."""

from __future__ import annotations

from dataclasses import dataclass

from codeunlearn.validation import Count


@dataclass(frozen=True)
class AskedConfig:
    """Questions or running text from a file.

    Attributes:
        name: in tables.
        data: see `DataConfig`.
        before: put before every question, such as ``Question: ``.
        behind: put behind it.
        limit: at most so many, drawn at random.
    """

    name: str
    data: str
    before: str = ""
    behind: str = ""
    limit: Count = 1000


@dataclass(frozen=True)
class KnowledgeConfig:
    """What a saved model is asked, in place of all other scores; every topic is forgotten as ``search: preset`` finds it.

    Attributes:
        probes: a file of questions on the topics, JSON Lines with ``subject``, ``kind``, ``prompt``, ``answer`` and, for those on
            which `closed` is measured, the ``control`` prompt; without it there is no study.
        facts: sets of questions with right and wrong answers, whose accuracy is to stay.
        texts: running text, whose cross-entropy is to stay.
        plain: the model without a codebook, to compare with; the adapter's base when absent.
    """

    probes: str | None = None
    facts: tuple[AskedConfig, ...] = ()
    texts: tuple[AskedConfig, ...] = ()
    plain: str | None = None
