"""What stands around every prompt of a model: before a source sentence, around a question, of a chat."""

from __future__ import annotations

from typing import Any, NamedTuple

from codeunlearn.errors import CodeUnlearnError

_MARKER = "[[prompt]]"


class Frame(NamedTuple):
    """What stands before and behind every prompt."""

    before: str = ""
    behind: str = ""

    def around(self, prompt: str) -> str:
        return f"{self.before}{prompt}{self.behind}"


def source_prefix(model: Any, given: str | None = None) -> str:
    """The text to put before every prompt: what is given, the empty text included, or else the model's own.

    A model keeps its own as ``config.source_prefix``; most have none.
    """
    own: str = getattr(model.config, "source_prefix", None) or ""
    return own if given is None else given


def prompt_frame(model: Any, prefix: str | None = None, suffix: str | None = None) -> Frame:
    """What stands around every prompt: what is given, the empty text included, or else the model's own.

    A model keeps its own as ``config.source_prefix`` and ``config.source_suffix``.
    """
    own: str = getattr(model.config, "source_suffix", None) or ""
    return Frame(source_prefix(model, prefix), own if suffix is None else suffix)


def chat_frame(tokenizer: Any) -> Frame:
    """What the tokenizer's chat template puts around a user's first message, up to where the assistant answers.

    Raises:
        CodeUnlearnError: there is no template, or it does not hold the message once.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise CodeUnlearnError("The tokenizer has no chat template; ask its model without one (leave --chat out).")
    message = {"role": "user", "content": _MARKER}
    written: str = tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
    before, _, behind = written.partition(_MARKER)
    if written.count(_MARKER) != 1:
        raise CodeUnlearnError("The tokenizer's chat template does not hold a message just once; leave --chat out.")
    return Frame(before, behind)
