"""Translation with an encoder-decoder model: the prompt is a source sentence, the answers are its translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.languages import USUAL
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.tasks.base import TASKS, Rows, View
from codeunlearn.tasks.forced import ForcedTokens, force
from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress, translate_counted


@dataclass(frozen=True)
class Translation:
    """See the module.

    Attributes:
        languages: of the sentences and of their translations.
    """

    name: ClassVar[str] = "translation"
    languages: tuple[str, str] = USUAL

    def rows(self, view: View, prompts: Sequence[str], answers: Sequence[str], max_tokens: int = 512) -> Rows:
        sources = encode_prompts(view.model, view.tokenizer, prompts, view.frame, max_tokens).ids
        return Rows(sources, encode(view.tokenizer, answers, max_tokens, as_target=True).ids)

    def answer(
        self, view: View, prompts: Sequence[str], how: DecodingConfig | None = None, progress: Progress | None = None
    ) -> Answers:
        how = how or DecodingConfig()
        how = how if view.prefix is None else replace(how, prefix=view.prefix)
        how = how if view.suffix is None else replace(how, suffix=view.suffix)
        return translate_counted(view.model, view.tokenizer, prompts, how, progress=progress)

    def forced(
        self, view: View, prompts: Sequence[str], answers: Sequence[str], *, with_spans: bool = False
    ) -> list[ForcedTokens]:
        prefix, suffix = view.prefix, view.suffix
        return force(view.model, view.tokenizer, prompts, answers, prefix=prefix, suffix=suffix, with_spans=with_spans)


TASKS.register("translation")(Translation())
