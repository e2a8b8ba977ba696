"""What a model is asked: examples, and the tasks that put them to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AliasChoices, Field


@dataclass(frozen=True)
class Example:
    """A prompt and its answers.

    Files of older versions called them ``source`` and ``references``, and are read.

    Attributes:
        prompt: what the model is asked; the source sentence of a translation.
        answers: all right answers in the data, at least one.
    """

    prompt: Annotated[str, Field(validation_alias=AliasChoices("prompt", "source"))]
    answers: Annotated[tuple[str, ...], Field(min_length=1, validation_alias=AliasChoices("answers", "references"))]

    @property
    def answer(self) -> str:
        """The first answer in the data."""
        return self.answers[0]
