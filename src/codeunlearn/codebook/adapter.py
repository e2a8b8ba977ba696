"""A codebook saved without its base: a frozen model keeps its own name and file, and the bottleneck alone is saved.

Such a folder is one of a `ConceptBottleneck`: ``config.json`` with a ``model_type`` that only codeunlearn knows, so that nothing
else opens it, and ``model.safetensors``. The configuration's ``base`` says which model it belongs to, and by a fingerprint which
weights that had.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from codeunlearn.codebook.architectures import base_type
from codeunlearn.codebook.bottleneck import ConceptBottleneck, find_bottleneck, require_bottleneck
from codeunlearn.codebook.checks import require_whole
from codeunlearn.codebook.config import BaseRecord, BottleneckConfig
from codeunlearn.codebook.identity import parameters_digest
from codeunlearn.codebook.languages import noted
from codeunlearn.codebook.ledger import require_agreement, require_sound, settle
from codeunlearn.codebook.modeling import attach
from codeunlearn.codebook.quantised import QUANTISATION
from codeunlearn.codebook.untrusted import CONFIG, check_source, commit_in_cache
from codeunlearn.codebook.wrappers import is_quantised
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import validated

_STARTS = ("forced_bos_token_id", "decoder_start_token_id")
KIND = BottleneckConfig.model_type
"""The ``model_type`` of an adapter."""


def keep_base(model: Any, name: str, revision: str | None = None) -> None:
    """Notes that a model's base is saved elsewhere, so that saving the model saves its bottleneck alone.

    Args:
        model: with a bottleneck; its other weights are the base's.
        name: folder or Hub name of the base; a folder is kept as the whole path.
        revision: of the Hub's; if absent, the commit that was opened last on this machine.

    Raises:
        CodeUnlearnError: the model was quantised when it was opened, and what is saved is not.
    """
    if is_quantised(model) and check_source(name, revision).get(CONFIG, {}).get(QUANTISATION) is None:
        raise CodeUnlearnError(
            f"The model is quantised and {name} is not; save the quantised base in a folder of its own, and open that as base."
        )
    bottleneck = require_bottleneck(model)
    starts = {key: getattr(model.generation_config, key) for key in _STARTS} if model.config.is_encoder_decoder else {}
    bottleneck.config.base = BaseRecord(
        name=str(Path(name).resolve()) if Path(name).is_dir() else name,
        revision=revision or commit_in_cache(name),
        model_type=base_type(model.config.model_type),
        parameters=parameters_digest(model, but=bottleneck),
        source_prefix=getattr(model.config, "source_prefix", None) or "",
        source_suffix=getattr(model.config, "source_suffix", None) or "",
        **noted(model.config),
        **starts,
    ).model_dump()


def is_adapted(model: Any) -> bool:
    """Whether saving the model is to save its bottleneck alone.

    Raises:
        CodeUnlearnError: it was opened so, and its base's weights have changed since.
    """
    bottleneck = find_bottleneck(model)
    if bottleneck is None or bottleneck.config.base is None:
        return False
    if parameters_digest(model, but=bottleneck) != bottleneck.config.base["parameters"]:
        raise CodeUnlearnError(
            "The base's weights have changed, so that the bottleneck alone does not hold the model; set "
            "bottleneck.config.base = None to save all of it."
        )
    return True


def base_kind(settings: dict[str, Any]) -> Any:
    """The ``model_type`` of an adapter's base, by what its ``config.json`` says; None where it says nothing."""
    base = settings.get("base")
    return base.get("model_type") if isinstance(base, dict) else None  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]


def save_adapter(model: Any, folder: Any) -> None:
    """The bottleneck alone, for use within `saving`."""
    bottleneck = require_bottleneck(model)
    settle(bottleneck)
    weights = {name: _in_half(tensor) for name, tensor in bottleneck.state_dict().items()}
    bottleneck.save_pretrained(folder, state_dict=weights)


def _in_half(tensor: torch.Tensor) -> torch.Tensor:
    """In bfloat16 where that holds the same values, as it does the codes that `build` makes from data."""
    half = tensor.bfloat16()
    return half if tensor.dtype == torch.float32 and torch.equal(half.float(), tensor) else tensor


def _place_of(base: str, adapter: Path) -> str:
    """Where a base is now: where it was if there is anything, or a folder of its name beside the adapter."""
    beside = adapter.resolve().parent / Path(base).name
    return str(beside) if not Path(base).exists() and beside.is_dir() else base


def load_adapter(
    name: str,
    revision: str | None,
    load_base: Callable[[str, str | None], Any],
    dtype: torch.dtype | str,
    *,
    check_ledger: bool,
) -> Any:
    """The base with the bottleneck of a folder.

    A base in a folder that is no longer where it was is looked for beside the adapter, so that both can move together.

    Args:
        revision: of the adapter's own, of the Hub's.
        load_base: opens a model by its name and revision.

    Raises:
        CodeUnlearnError: the folder names no base, or one with other weights; or what `load_model` raises.
    """
    options: dict[str, Any] = {"revision": revision, "use_safetensors": True, "dtype": dtype}
    loaded: Any = ConceptBottleneck.from_pretrained(
        name, **options, ignore_mismatched_sizes=True, output_loading_info=True
    )
    own, info = loaded
    require_whole(info, name)
    require_sound(own, name)
    if check_ledger:
        require_agreement(own, name)
    if own.config.base is None:
        raise CodeUnlearnError(f"{name} holds a bottleneck and does not say of which model; attach it in Python.")
    record = validated(BaseRecord, own.config.base, f"config.json of {name}: base")
    record = record.model_copy(update={"name": _place_of(record.name, Path(name))})
    own.config.base = record.model_dump()
    try:
        base = load_base(record.name, record.revision)
    except CodeUnlearnError as error:
        raise CodeUnlearnError(
            f"{name} holds the codebook of {record.name}, which cannot be opened: {error}"
        ) from error
    if parameters_digest(base) != record.parameters:
        raise CodeUnlearnError(
            f"{name} holds the codebook of other weights than those of {record.name}; give it the base it was built for."
        )
    model = attach(base, own.config, copy=False)
    require_bottleneck(model).load_state_dict(own.state_dict())
    model.config.source_prefix, model.config.source_suffix = record.source_prefix, record.source_suffix
    for key in _STARTS:
        if (start := getattr(record, key)) is not None:
            setattr(model.generation_config, key, start)
    return model
