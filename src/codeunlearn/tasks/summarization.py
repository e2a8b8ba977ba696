"""Summarisation with an encoder-decoder model: the prompt is a document, the answers are its summaries.

Asked as translation is, but that a summary is short however long its document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress
from codeunlearn.tasks.translation import Translation

LONGEST = 142
"""Tokens of a summary, at most, unless another number is asked for: BART's on CNN/DailyMail (Lewis et al. 2020)."""


@dataclass(frozen=True)
class Summarization(Translation):
    """See the module.

    Attributes:
        languages: of the documents and of their summaries.
    """

    name: ClassVar[str] = "summarization"
    languages: tuple[str, str] = ("english", "english")

    def answer(
        self, view: View, prompts: Sequence[str], how: DecodingConfig | None = None, progress: Progress | None = None
    ) -> Answers:
        how = how or DecodingConfig()
        return super().answer(view, prompts, replace(how, max_new_tokens=how.max_new_tokens or LONGEST), progress)


TASKS.register(Summarization.name)(Summarization())
