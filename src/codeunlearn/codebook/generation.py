"""What a model's ``generation_config.json`` may say: an allow-list, since transformers follows whatever stands there.

Settings that our commands understand have types and ranges. The others that transformers writes may stand there with the
value that leaves decoding alone. Anything else could stop, cut or change translations without a word, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from codeunlearn.codebook.languages import SUMMARIZATION, TASK, told
from codeunlearn.codebook.untrusted import GENERATION
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import Count, Field, Index, Positive, Shape, Share, shown, validated

_Ids = Annotated[list[Index], Field(min_length=1)]
_Factor = Annotated[float, Field(ge=0.01, le=100)]

_NOTES = {"transformers_version", "_from_model_config", "_commit_hash", "_name_or_path"}
_LEFT_ALONE: dict[str, tuple[Any, ...]] = {
    "min_length": (0,), "min_new_tokens": (0,), "num_return_sequences": (1,), "num_beam_groups": (1,),
    "diversity_penalty": (0,), "encoder_no_repeat_ngram_size": (0,), "encoder_repetition_penalty": (1,),
    "guidance_scale": (1,), "max_time": (), "stop_strings": (), "sequence_bias": (), "watermarking_config": (),
    "exponential_decay_length_penalty": (), "penalty_alpha": (), "dola_layers": (), "constraints": (), "force_words_ids": (),
    "forced_decoder_ids": (), "token_healing": (False,), "is_assistant": (False,), "use_mtp": (False,),
    "low_memory": (False,), "return_dict_in_generate": (False,), "output_attentions": (False,),
    "output_hidden_states": (False,), "output_scores": (False,), "output_logits": (False,), "top_h": (),
    "cache_implementation": ("hybrid",), "cache_config": (), "max_cache_len": (), "compile_config": (),
    "disable_compile": (False,),
    "continuous_batching_config": (), "prefill_chunk_size": (), "prompt_lookup_num_tokens": (),
    "max_matching_ngram_size": (2,), "num_assistant_tokens": (5, 20),
    "num_assistant_tokens_schedule": ("constant", "heuristic"), "assistant_confidence_threshold": (0.4,),
    "assistant_early_exit": (), "assistant_lookbehind": (10,), "target_lookbehind": (10,), "assistant_ensemble_weight": (),
    "speculation_type": (), "custom_generate": (), "trust_remote_code": (False,),
}  # fmt: skip
"""Settings of transformers, old and new, with the values beside null that are its own and change nothing."""


class GenerationShape(Shape):
    """The settings of ``generate`` that a model may have a say in.

    Length, beams and sampling are decided by our commands, and count where the model is run without them.
    """

    decoder_start_token_id: Index | None = None
    bos_token_id: Index | None = None
    pad_token_id: Index | None = None
    eos_token_id: Index | _Ids | None = None
    forced_bos_token_id: Index | None = None
    forced_eos_token_id: Index | list[Index] | None = None
    suppress_tokens: list[Index] | None = None
    begin_suppress_tokens: list[Index] | None = None
    bad_words_ids: Annotated[list[_Ids], Field(min_length=1)] | None = None
    min_length: Index | None = None
    max_length: Count | None = None
    max_new_tokens: Count | None = None
    num_beams: Count | None = None
    early_stopping: bool | Literal["never"] | None = None
    length_penalty: Annotated[float, Field(ge=-100, le=100)] | None = None
    repetition_penalty: _Factor | None = None
    no_repeat_ngram_size: Index | None = None
    do_sample: bool | None = None
    temperature: Positive | None = None
    top_k: Index | None = None
    top_p: Share | None = None
    min_p: Share | None = None
    typical_p: Annotated[float, Field(gt=0, le=1)] | None = None
    epsilon_cutoff: Annotated[float, Field(ge=0, lt=1)] | None = None
    eta_cutoff: Annotated[float, Field(ge=0, lt=1)] | None = None
    renormalize_logits: bool | None = None
    remove_invalid_values: bool | None = None
    use_cache: bool | None = None

    def token_ids(self) -> list[Any]:
        """All values that name tokens, nested as they are."""
        return [
            value
            for key, value in self
            if key.endswith(("token_id", "_tokens", "_words_ids")) and key != "max_new_tokens"
        ]


def checked_generation(settings: Mapping[str, Any], where: str, *, summarises: bool = False) -> GenerationShape:
    """The settings of a ``generation_config.json``.

    Args:
        summarises: of a model that does, whose answers may be asked to have some length.

    Raises:
        CodeUnlearnError: one is unknown, of another type, or would stop or change translations.
    """
    own: dict[str, Any] = {}
    for key, value in settings.items():
        if key in GenerationShape.model_fields and (summarises or key != "min_length"):
            own[key] = value
        elif key in _NOTES:
            continue
        elif key not in _LEFT_ALONE:
            raise CodeUnlearnError(f"{where} sets {shown(key, 40)}, which is no setting of a translation; take it out.")
        elif value is not None and not _among(value, _LEFT_ALONE[key]):
            raise CodeUnlearnError(
                f"{where} sets {key} to {shown(value, 40)}, with which nothing here can translate; take it out."
            )
    return validated(GenerationShape, own, where)


def generation_of(settings: Mapping[str, Mapping[str, Any]], config: str, name: str) -> GenerationShape | None:
    """What a model's files say about generation; None if nothing.

    Without a ``generation_config.json`` transformers takes what older versions wrote into ``config.json``.

    Args:
        settings: content of the model's files, by name.
        config: the name of its configuration.
    """
    summarises = told(settings.get(config, {}), {}).get(TASK) == SUMMARIZATION
    if GENERATION in settings:
        return checked_generation(settings[GENERATION], f"{GENERATION} of {name}", summarises=summarises)
    known = {*GenerationShape.model_fields, *_LEFT_ALONE}
    old = {key: value for key, value in settings.get(config, {}).items() if key in known}
    checked_generation(old, f"{config} of {name}", summarises=summarises)
    return None


def _among(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Whether it is one of them, of the same type; 0.0 stands for 0, and False does not."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed)
