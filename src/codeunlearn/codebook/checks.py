"""What the files of a model must hold, beyond asking for no code (`untrusted.py`): settings and tensors that fit together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from torch import nn
from transformers import AutoModelForSeq2SeqLM

from codeunlearn.codebook.architectures import Architecture
from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.generation import generation_of
from codeunlearn.codebook.quantised import QUANTISATION
from codeunlearn.codebook.untrusted import CONFIG, GENERATION, check_types
from codeunlearn.codebook.wrappers import offloaded
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import validated


def require_settings(settings: dict[str, dict[str, Any]], architecture: Architecture, name: str) -> None:
    """That a model of a known architecture, with or without a bottleneck, can be made as its small files ask.

    Args:
        settings: what the files hold, by their names.

    Raises:
        CodeUnlearnError: it cannot, or a tensor is in another kind of numbers than it should be.
    """
    asked = generation_of(settings, CONFIG, name)
    shape = validated(architecture.settings, settings[CONFIG], f"{CONFIG} of {name}")
    shape.require_sense(f"{CONFIG} of {name}")
    used = [shape.pad_token_id, shape.eos_token_id, shape.decoder_start_token_id, shape.bos_token_id]
    if asked is not None:
        used += asked.token_ids()
        if architecture.auto is AutoModelForSeq2SeqLM and asked.decoder_start_token_id is asked.bos_token_id is None:
            raise CodeUnlearnError(
                f"{GENERATION} of {name} says no decoder_start_token_id, with which an output begins."
            )
    if (largest := max(_numbers(used), default=0)) >= shape.vocab_size:
        raise CodeUnlearnError(
            f"{name} asks for the token {largest} and embeds {shape.vocab_size:,}; save or download it again."
        )
    if Path(name).is_dir():
        check_types(Path(name), packed=settings[CONFIG].get(QUANTISATION) is not None)


def _numbers(nested: Any) -> Iterator[int]:
    """All whole numbers in lists however deep."""
    if isinstance(nested, list):
        for part in cast(list[Any], nested):
            yield from _numbers(part)
    elif isinstance(nested, int):
        yield nested


def require_whole(info: dict[str, Any], name: str) -> None:
    """That the file held the tensors that the configuration asks for, and no others.

    Args:
        info: transformers' account of the loading.

    Raises:
        CodeUnlearnError: it did not.
    """
    if info["mismatched_keys"]:
        key, found, expected = sorted(info["mismatched_keys"])[0]
        raise CodeUnlearnError(
            f"{name} holds {key} with shape {tuple(found)}, but its config.json asks for {tuple(expected)}; "
            "the two files do not belong together: save or download the model again."
        )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise CodeUnlearnError(
            f"{name} lacks {len(missing)} of the model's tensors (the first is {missing[0]}); save or download it "
            "again, or attach a bottleneck to a plain model with `codeunlearn build`."
        )
    if info["unexpected_keys"]:
        unexpected = sorted(info["unexpected_keys"])
        raise CodeUnlearnError(
            f"{name} holds {len(unexpected)} tensors that its config.json leaves out (the first is {unexpected[0]}); the "
            "two files do not belong together: save or download the model again."
        )


def require_numbers(model: nn.Module, name: str) -> None:
    """That all weights are finite.

    Raises:
        CodeUnlearnError: one is not.
    """
    for key, held in model.state_dict().items():
        tensor = offloaded(model, key) if held.is_meta else held
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CodeUnlearnError(
                f"{key} in {name} holds values that are not numbers; save or download the model again."
            )


def require_fit(tokenizer: Any, config: dict[str, Any], name: str) -> None:
    """That a tokenizer makes batches, of tokens that the model beside it embeds.

    Raises:
        CodeUnlearnError: it does not.
    """
    if tokenizer.pad_token_id is None:
        raise CodeUnlearnError(f"The tokenizer in {name} has no padding token, so that it cannot make batches.")
    if not isinstance(tokenizer.model_max_length, (int, float)) or tokenizer.model_max_length < 1:
        raise CodeUnlearnError(
            f"The tokenizer in {name} takes no text: its model_max_length is {tokenizer.model_max_length!r}."
        )
    size = config.get("vocab_size")
    used = {tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id} - {None}
    used.update(*encode(tokenizer, [""]).ids)  # what stands around every text
    words = set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)
    if isinstance(size, int) and (largest := max(used | words)) >= size:
        raise CodeUnlearnError(
            f"The tokenizer in {name} has a token {largest} and the model embeds {size:,}; they do not belong together."
        )
