"""Completion with a model that goes on: the prompt is the beginning of a text, a question or a message, the answer what follows.

What stands around a prompt is the model's own frame (``config.source_prefix`` and ``config.source_suffix``), such as that of
its chat template (`codeunlearn.codebook.chat_frame`) or ``Question: `` and a line ``Answer:`` behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from codeunlearn.codebook import prompt_frame
from codeunlearn.codebook.prompts import encode_rows, end_of_reply, goes_on
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS, Rows, View
from codeunlearn.tasks.batches import IGNORED_LABEL
from codeunlearn.tasks.forced import ForcedTokens, force
from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress, answer_counted
from codeunlearn.tasks.sentences import sentences_of


class Completion:
    """See the module."""

    name: ClassVar[str] = "completion"
    languages: tuple[str, str] = ("english", "english")

    def rows(self, view: View, prompts: Sequence[str], answers: Sequence[str], max_tokens: int = 512) -> Rows:
        """Prompt and answer in one row; learned is the answer, and its end where it answers a question (a suffix)."""
        end = end_of_reply(view.tokenizer, view.frame)
        ends = [] if end is None else [end]
        rows = encode_rows(view.tokenizer, prompts, answers, view.frame, 2 * max_tokens - len(ends))
        return Rows(
            [[*row.prompt, *row.answer, *ends] for row in rows],
            [[*[IGNORED_LABEL] * len(row.prompt), *row.answer, *ends] for row in rows],
        )

    def answer(
        self, view: View, prompts: Sequence[str], how: DecodingConfig | None = None, progress: Progress | None = None
    ) -> Answers:
        """See `Task.answer`; without a bound of its own an answer that has no suffix before it ends with its sentence.

        Raises:
            CodeUnlearnError: the model has an encoder, or says no words.
        """
        if not goes_on(view.model):
            raise CodeUnlearnError("Only a model without an encoder goes on with a text (AutoModelForCausalLM).")
        how = how or DecodingConfig()
        how = how if view.prefix is None else replace(how, prefix=view.prefix)
        how = how if view.suffix is None else replace(how, suffix=view.suffix)
        found = answer_counted(view.model, view.tokenizer, prompts, how, progress=progress)
        if how.max_new_tokens is not None or prompt_frame(view.model, how.prefix, how.suffix).behind:
            return found
        return replace(found, texts=[next(sentences_of(text), "") for text in found.texts])

    def forced(
        self, view: View, prompts: Sequence[str], answers: Sequence[str], *, with_spans: bool = False
    ) -> list[ForcedTokens]:
        """See `Task.forced`; an end mark is no part of an answer, and stands beside it (`ForcedTokens.end`)."""
        prefix, suffix = view.prefix, view.suffix
        return force(view.model, view.tokenizer, prompts, answers, prefix=prefix, suffix=suffix, with_spans=with_spans)


TASKS.register(Completion.name)(Completion())
