"""The bottleneck's part of a model's configuration: its shape, its place, and the record of what was deleted in it."""

from __future__ import annotations

import warnings
from dataclasses import field
from typing import Annotated, Any, Literal, get_args

from transformers import PretrainedConfig

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import Count, Digest, Field, Index, Name, Shape, shape_of, validated

DeletionMode = Literal["refill", "drop", "anchor"]
DELETION_MODES: tuple[DeletionMode, ...] = get_args(DeletionMode)
_COMMON_KEYS = {"attn_implementation", "experts_implementation", "torch_dtype", *PretrainedConfig().to_dict()}
Fingerprint = Annotated[str, Field(pattern=r"^(2:)?[0-9a-f]{64}$")]
"""64 hexadecimal digits, behind ``2:`` since it covers more than the weights; see `identity.py`."""


class OriginRecord(Shape):
    """What a commit leaves behind, so that forget sets of the model before it stay usable.

    Attributes:
        parameters: that model's former fingerprint, over its weights alone; None where it had none, see `Identity`.
        num_codes: K of that model.
        digest: over all that the file says about its commits, see `ledger.commits_digest`.
    """

    parameters: Digest | None
    num_codes: Count
    digest: Digest


class BottleneckConfig(PretrainedConfig):
    """Shape and place of a bottleneck; the defaults are the paper's.

    Attributes:
        d_model: width d of the activations at the site.
        num_codes: K, rows of the codebook.
        code_dim: F, numbers per code.
        top_s: S, codes summed per token.
        autoencoder: codes lie in the space of a trained encoder; without it (an ablation) they lie among the activations
            themselves, and F is d.
        site: module whose output (element 0) is replaced, as a path from the model's root.
        control_tokens: ids of tokens that stand for no text, one of which passes the site of a causal model as it is where it is
            the first token of a sequence, see `codeunlearn.codebook.sinks`.
        deletion_mode: ``refill``, ``drop`` or ``anchor``, see `Codebook`.
        layer_norm_eps: epsilon of the encoder's LayerNorm.
        origin: fingerprint of the model before its first commit; forget sets made for it stay valid.
        committed: fingerprint right after the last commit; while it is the model's, ``origin`` stands for the model.
        origin_record: what else there is to know of that model, see `OriginRecord`.
        ledger: one entry per applied forget set, oldest first, see `ledger.py`.

    transformers' own settings are taken too; any other key, as of a newer version, is kept with a warning.

    Raises:
        CodeUnlearnError: a setting is of another type than it should be, or no bottleneck can have it.
    """

    model_type = "codeunlearn-bottleneck"
    base_config_key = "bottleneck"

    d_model: Count = 512
    num_codes: Count = 25_000
    code_dim: Count = 512
    top_s: int = 8
    autoencoder: bool = True
    site: Name = "encoder.block.2.layer.0"
    control_tokens: list[Index] = field(default_factory=list[int])
    deletion_mode: DeletionMode = "refill"
    layer_norm_eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    origin: Fingerprint | None = None
    committed: Fingerprint | None = None
    origin_record: dict[str, Any] | None = None
    ledger: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self, **kwargs: Any) -> None:
        self.ledger = list(self.ledger or [])
        validated(_SHAPE, {name: getattr(self, name) for name in _SHAPE.model_fields}, "The bottleneck's configuration")
        if self.origin_record is not None:
            validated(OriginRecord, self.origin_record, "The bottleneck's configuration: origin_record")
        if not 1 <= self.top_s <= self.num_codes:
            raise CodeUnlearnError(
                f"S = {self.top_s} codes per token cannot come from K = {self.num_codes}; choose 1 <= S <= K."
            )
        if not self.autoencoder and self.code_dim != self.d_model:
            raise CodeUnlearnError(
                f"Without the autoencoder codes are as wide as activations: F (code_dim) must be {self.d_model}, not "
                f"{self.code_dim}."
            )
        if unknown := sorted(key for key in kwargs if key not in _COMMON_KEYS and not key.startswith("_")):
            warnings.warn(
                f"The bottleneck's configuration has {', '.join(unknown)}, which this version of codeunlearn does not "
                "know and leaves alone; the model may come from a newer version.",
                stacklevel=2,
            )
        super().__post_init__(**kwargs)


_SHAPE = shape_of(BottleneckConfig)
