"""What a model is asked, noted in its configuration before it is trained or gets its bottleneck: task, languages and frame."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.languages import SUMMARIZATION, TASK, set_languages
from codeunlearn.codebook.prefix import Frame, chat_frame, prompt_frame
from codeunlearn.codebook.prefix import source_prefix as own_prefix
from codeunlearn.corpus.documents import Kind
from codeunlearn.corpus.loading import LoadedPairs
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS
from codeunlearn.training.config import TrainConfig


class Asked(NamedTuple):
    """What a model is asked, as far as it is said.

    Attributes:
        frame: around every prompt; that of the tokenizer's chat template if None.
        task: a name in `TASKS`.
        data: what the data hold, by which summarisation is known where no task is named.
        source_language: of the prompts.
        target_language: of the answers.
    """

    frame: Frame | None
    task: str | None
    data: Kind
    source_language: str | None
    target_language: str | None


def asked_of(config: TrainConfig, loaded: LoadedPairs) -> Asked:
    """What a training says of it."""
    frame = None if config.chat else Frame(config.source_prefix, config.source_suffix)
    return Asked(frame, config.task, loaded.kind, config.source_language, config.target_language)


def set_asked(model: Any, tokenizer: PreTrainedTokenizerBase, asked: Asked) -> Frame:
    """Notes it in the model's configuration, and gives what stands around every prompt then.

    Raises:
        CodeUnlearnError: a task is named, and the model has no choice of one; or it does not have a language.
    """
    if model.config.is_encoder_decoder:
        inferred = SUMMARIZATION if asked.data == "summaries" else None
        if task := asked.task or getattr(model.config, TASK, None) or inferred:
            setattr(model.config, TASK, TASKS.get(task).name)
    elif asked.task or asked.source_language or asked.target_language:
        raise CodeUnlearnError(
            "Only a model with an encoder and a decoder is told a task and languages; leave --task, --source-language and "
            "--target-language out."
        )
    set_languages(model, tokenizer, asked.source_language, asked.target_language)
    return set_frame(model, tokenizer, asked.frame)


def set_frame(model: Any, tokenizer: PreTrainedTokenizerBase, wanted: Frame | None) -> Frame:
    """Notes in the model's configuration what stands around every prompt: what is wanted, or else its own.

    Args:
        wanted: that of the tokenizer's chat template if absent.
    """
    wanted = chat_frame(tokenizer) if wanted is None else wanted
    tasks: dict[str, dict[str, Any]] = getattr(model.config, "task_specific_params", None) or {}
    pretrained: str = tasks.get(getattr(model.config, TASK, None) or "", {}).get("prefix", "")
    model.config.source_prefix = wanted.before or own_prefix(model) or pretrained
    model.config.source_suffix = wanted.behind or prompt_frame(model).behind
    known = sorted(task["prefix"] for task in tasks.values() if "prefix" in task)
    if known and not model.config.source_prefix:
        warnings.warn(
            f"This base was pretrained with prefixes such as {known[-1]!r} before its sources; give the one of your "
            "task with --source-prefix.",
            stacklevel=2,
        )
    return prompt_frame(model)
