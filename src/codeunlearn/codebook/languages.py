"""Which languages a model translates, as its files and its tokenizer say it and as it is asked.

A model keeps the names as ``config.source_language`` and ``config.target_language``, and what it is asked as
``config.asked_task``. A multilingual tokenizer (M2M100, NLLB, mBART) puts a token of the language around texts; the target's is
what answers begin with, which the generation configuration says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.language_names import code_among, is_code, language_of, languages_in_name
from codeunlearn.errors import CodeUnlearnError

SOURCE, TARGET, TASK = "source_language", "target_language", "asked_task"
SUMMARIZATION = "summarization"
USUAL = ("english", "french")
"""Languages of a model of which nothing is known."""
_OF_TOKENIZERS = {SOURCE: ("src_lang", "source_lang"), TARGET: ("tgt_lang", "target_lang")}
_SHOWN = 30
_MARK = re.compile(r">>(\w+)<<")


def told(config: Mapping[str, Any], tokenizer: Mapping[str, Any], name: str = "") -> dict[str, str]:
    """What a model's files say of its task and languages, by the keys of its configuration; without what they do not say.

    Args:
        config: content of its ``config.json``; of an adapter's, what it says of its base.
        tokenizer: content of its ``tokenizer_config.json``.
        name: folder or Hub name.
    """
    found: dict[str, str] = {}
    if pair := languages_in_name(name):
        found |= {SOURCE: pair[0], TARGET: pair[1]}
    for key, names in _OF_TOKENIZERS.items():
        code = next((tokenizer[one] for one in names if tokenizer.get(one)), None)
        if isinstance(code, str) and is_code(code):
            found[key] = language_of(code)
    if marked := _MARK.match(str(config.get("source_prefix") or "")):
        found[TARGET] = language_of(marked[1])
    tasks = config.get("task_specific_params")
    if isinstance(tasks, dict) and set(cast(dict[str, Any], tasks)) == {SUMMARIZATION}:
        found[TASK] = SUMMARIZATION
    return found | {key: str(config[key]) for key in (SOURCE, TARGET, TASK) if config.get(key)}


def noted(config: Any) -> dict[str, str]:
    """The same of a model that is open, by its configuration."""
    return {key: value for key in (SOURCE, TARGET, TASK) if (value := getattr(config, key, None))}


def set_languages(model: Any, tokenizer: Any, source: str | None = None, target: str | None = None) -> None:
    """Makes model and tokenizer translate between these languages, or else those that they know, and notes them.

    Of a model for one pair of languages, nothing but the names changes.

    Args:
        source: a name such as ``german``, or a code.
        target: likewise.

    Raises:
        CodeUnlearnError: the tokenizer does not have a language.
    """
    config = model.config
    if not getattr(config, "is_encoder_decoder", False):
        return
    codes = _codes(tokenizer)
    wanted, prefix = {SOURCE: source, TARGET: target}, getattr(config, "source_prefix", None) or ""
    if codes and hasattr(tokenizer, "src_lang"):
        own = getattr(config, SOURCE, None) or tokenizer.src_lang, getattr(config, TARGET, None) or tokenizer.tgt_lang
        start = _started(model, tokenizer, codes) or (
            own[0] if getattr(config, TASK, None) == SUMMARIZATION else USUAL[1]
        )
        wanted = {SOURCE: source or own[0], TARGET: target or own[1] or start}
        tokenizer.src_lang = _code(wanted[SOURCE], codes, tokenizer.src_lang)
        tokenizer.tgt_lang = _code(wanted[TARGET], codes, tokenizer.tgt_lang)
        _start_with_target(model, tokenizer)
    elif codes and target and (not prefix or _MARK.match(prefix)):
        config.source_prefix = f">>{_code(target, codes, None)}<< "
    for key, language in wanted.items():
        if language:
            setattr(config, key, language_of(language))


def _codes(tokenizer: Any) -> list[str]:
    """The languages among which a tokenizer has to be told one."""
    marked: list[str] = [one[2:-2] for one in getattr(tokenizer, "supported_language_codes", ())]  # Marian
    named = getattr(tokenizer, "lang_code_to_token", None) or getattr(tokenizer, "lang_code_to_id", None)
    if marked or named:
        return marked or list(named or ())
    return list(filter(is_code, map(str, tokenizer.all_special_tokens))) if hasattr(tokenizer, "src_lang") else []


def _code(language: str, codes: list[str], present: str | None) -> str:
    """The tokenizer's code; the present one where it is of that language, such as one of several scripts."""
    if present and language not in codes and language_of(present) == language_of(language):
        return present
    if (code := code_among(language, codes)) is None:
        some = ", ".join(sorted(codes)[:_SHOWN]) + (", ..." if len(codes) > _SHOWN else "")
        raise CodeUnlearnError(f"The model has no language {language!r}; name one of those that it has: {some}.")
    return code


def _started(model: Any, tokenizer: Any, codes: list[str]) -> str | None:
    """The language with which answers begin so far."""
    settings = model.generation_config
    for one in (settings.forced_bos_token_id, settings.decoder_start_token_id, model.config.decoder_start_token_id):
        token = "" if one is None else str(tokenizer.convert_ids_to_tokens(one)).strip("_")
        if token in codes:
            return token
    return None


def _start_with_target(model: Any, tokenizer: Any) -> None:
    """The first token that the decoder gives, or behind which it begins, is the target's, wherever the tokenizer has it."""
    (frame,) = encode(tokenizer, [""], as_target=True).ids
    if frame[-1] == tokenizer.eos_token_id:
        model.generation_config.forced_bos_token_id = frame[0]
    else:  # the first mBART, whose answers end in their language
        model.generation_config.decoder_start_token_id = model.config.decoder_start_token_id = frame[-1]
