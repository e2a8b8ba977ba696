"""What a model is asked: examples, and the tasks that put them to it.

A task is one file. Another package adds its own by registering it::

    @TASKS.register("echo")
    class Echo: ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import AliasChoices, Field

from codeunlearn.registry import Registry

if TYPE_CHECKING:
    import torch

    from codeunlearn.tasks.forced import ForcedTokens
    from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress


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


@dataclass(frozen=True)
class View:
    """A model in the state in which it is asked.

    Attributes:
        prefix: put before every prompt; the model's own if absent.
    """

    model: Any
    tokenizer: Any
    prefix: str | None = None


@dataclass(frozen=True)
class Batch:
    """Examples as the model is trained on them.

    Attributes:
        inputs: keyword arguments of the model's forward call, such as ``input_ids`` [batch, length].
        labels: [batch, length], -100 where nothing is learned.
        mask: [batch, length] true for the tokens that the bottleneck is to see.
    """

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor
    mask: torch.Tensor


class Task(Protocol):
    """What a model is asked, and how an answer is read off it.

    Attributes:
        name: under which it is registered.
        languages: of prompts and of answers, names in `LANGUAGES`. They decide what a topic's forms and controls are, how answers
            are compared, and which metrics apply.
    """

    name: ClassVar[str]
    languages: ClassVar[tuple[str, str]]

    def batch(self, tokenizer: Any, examples: Sequence[Example], *, prefix: str = "", max_tokens: int = 512) -> Batch:
        """Examples, with their first answers, as one padded batch."""
        ...

    def answer(
        self, view: View, prompts: Sequence[str], how: DecodingConfig | None = None, progress: Progress | None = None
    ) -> Answers:
        """One answer for each prompt, in order, with what they cost."""
        ...

    def forced(
        self, view: View, prompts: Sequence[str], answers: Sequence[str], *, with_spans: bool = False
    ) -> list[ForcedTokens]:
        """How probable the model finds each answer after its prompt, token by token.

        Args:
            with_spans: also say where the tokens stand in their answer.
        """
        ...


TASKS: Registry[Task] = Registry("task", lambda: import_module("codeunlearn.tasks.translation"))
"""Tasks by name."""
