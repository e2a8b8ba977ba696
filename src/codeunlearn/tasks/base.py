"""What a model is asked: examples, and the tasks that put them to it.

A task is one file. Another package adds its own by registering it::

    @TASKS.register("echo")
    class Echo: ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol

from pydantic import AliasChoices, Field

from codeunlearn.codebook.architectures import find_architecture
from codeunlearn.codebook.languages import SOURCE, TARGET, TASK, noted
from codeunlearn.codebook.loading import saved_kind
from codeunlearn.codebook.prefix import Frame, prompt_frame
from codeunlearn.codebook.wrappers import unwrapped
from codeunlearn.registry import Registry

if TYPE_CHECKING:
    from codeunlearn.tasks.forced import ForcedTokens
    from codeunlearn.tasks.generating import Answers, DecodingConfig, Progress


@dataclass(frozen=True)
class Example:
    """A prompt and its answers.

    Files of older versions called them ``source`` and ``references``, and are read.

    Attributes:
        prompt: what the model is asked; the source sentence of a translation.
        answers: all right answers in the data, at least one.
        wrong: wrong answers in the data, to be told from the right ones.
    """

    prompt: Annotated[str, Field(validation_alias=AliasChoices("prompt", "source"))]
    answers: Annotated[tuple[str, ...], Field(min_length=1, validation_alias=AliasChoices("answers", "references"))]
    wrong: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The first answer in the data."""
        return self.answers[0]


@dataclass(frozen=True)
class View:
    """A model in the state in which it is asked.

    Attributes:
        prefix: put before every prompt; the model's own if absent.
        suffix: put behind every prompt; the model's own if absent.
    """

    model: Any
    tokenizer: Any
    prefix: str | None = None
    suffix: str | None = None

    @property
    def frame(self) -> Frame:
        """What stands around every prompt."""
        return prompt_frame(self.model, self.prefix, self.suffix)


class Rows(NamedTuple):
    """Prompts and answers as the model is trained on them, a row each.

    Attributes:
        input_ids: what the model reads.
        labels: what it learns: an encoder-decoder model the answer's tokens, a classifier the number of the class, a model that
            goes on the row itself, with -100 where nothing is learned.
    """

    input_ids: list[list[int]]
    labels: list[list[int]]


class Task(Protocol):
    """What a model is asked, and how an answer is read off it.

    Attributes:
        name: under which it is registered.
    """

    name: ClassVar[str]

    @property
    def languages(self) -> tuple[str, str]:
        """Of prompts and of answers, names in `LANGUAGES`.

        They decide what a topic's forms and controls are, how answers are compared, and which metrics apply. A task that is
        a dataclass with this field is given those of the model that is asked, where they are known.
        """
        ...

    def rows(self, view: View, prompts: Sequence[str], answers: Sequence[str], max_tokens: int = 512) -> Rows:
        """Prompts with their answers, from which the model can learn.

        Args:
            max_tokens: a longer side is cut to it; a row that holds both sides, to twice as many.
        """
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


def _load() -> None:
    for name in ("translation", "summarization", "completion", "classification"):
        import_module(f"codeunlearn.tasks.{name}")


TASKS: Registry[Task] = Registry("task", _load)
"""Tasks by name."""

_OF_HEADS = {
    "AutoModelForSeq2SeqLM": "translation",
    "AutoModelForCausalLM": "completion",
    "AutoModelForSequenceClassification": "classification",
}


def task_of(model: Any) -> Task:
    """What a model is asked unless another task is named, in its languages: what it keeps, or else what its family is for.

    Args:
        model: the model itself, or the folder or Hub name of a saved one.

    Raises:
        CodeUnlearnError: there is no such model, or no such task.
    """
    if isinstance(model, str | Path):
        kind, said = saved_kind(model)
    else:
        config = unwrapped(model).config
        kind, said = config.model_type, noted(config)
    architecture = find_architecture(kind)
    usual = _OF_HEADS.get(architecture.auto.__name__, "translation") if architecture else "translation"
    task = TASKS.get(said.get(TASK, usual))
    if not (is_dataclass(task) and "languages" in {one.name for one in fields(task)}):
        return task
    prompts, answers = task.languages
    return replace(task, languages=(said.get(SOURCE, prompts), said.get(TARGET, answers)))
