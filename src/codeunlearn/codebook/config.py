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


class BaseRecord(Shape):
    """Of which model a bottleneck is that was saved alone.

    Attributes:
        name: folder or Hub name of the base.
        revision: of the Hub's; None for its newest.
        model_type: transformers' name of its kind.
        parameters: digest of its weights, see `identity.parameters_digest`.
        source_prefix: put before every prompt; ``source_suffix`` behind it.
        source_language: of the prompts, and ``target_language`` of the answers; None where nothing is known.
        asked_task: what it is asked, a name in `TASKS`; None for what its family is for.
        forced_bos_token_id: with which answers begin, and ``decoder_start_token_id`` behind what; None for the base's own.
    """

    name: Name
    revision: Name | None
    model_type: Name
    parameters: Digest
    source_prefix: str
    source_suffix: str
    source_language: str | None = None
    target_language: str | None = None
    asked_task: str | None = None
    forced_bos_token_id: Index | None = None
    decoder_start_token_id: Index | None = None


class BottleneckConfig(PretrainedConfig):
    """Shape and place of a bottleneck; the defaults are the paper's.

    Attributes:
        d_model: width d of the activations at the site.
        num_codes: K, rows of the codebook.
        code_dim: F, numbers per code.
        top_s: S, codes summed per token.
        autoencoder: codes lie in the space of a trained encoder; without it (an ablation) they lie among the activations
            themselves, and F is d.
        lexical_codes: 0 for the paper's selection, the S nearest codes (eq. 2). Otherwise so many of the codes, those of
            the lowest ids, are lexical and the others residual: one of the former and S - 1 of the latter are chosen, see
            `selecting/pursuit.py`; there is no autoencoder then.
        site: module whose output (element 0) is replaced, as a path from the model's root.
        control_tokens: ids of tokens that stand for no text, one of which passes the site of a causal model as it is where it is
            the first token of a sequence, see `codeunlearn.codebook.sinks`.
        deletion_mode: ``refill``, ``drop`` or ``anchor``, see `Codebook`.
        layer_norm_eps: epsilon of the encoder's LayerNorm.
        origin: fingerprint of the model before its first commit; forget sets made for it stay valid.
        committed: fingerprint right after the last commit; while it is the model's, ``origin`` stands for the model.
        origin_record: what else there is to know of that model, see `OriginRecord`.
        grown: fingerprint right after codes were last added; while the model goes by it, forget sets for ``ancestors`` stay
            valid.
        ancestors: fingerprints of the model before codes were added, oldest last.
        ledger: one entry per applied forget set, oldest first, see `ledger.py`.
        base: of which model it is, where it is saved alone, see `BaseRecord` and `adapter.py`.

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
    lexical_codes: Index = 0
    site: Name = "encoder.block.2.layer.0"
    control_tokens: list[Index] = field(default_factory=list[int])
    deletion_mode: DeletionMode = "refill"
    layer_norm_eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    origin: Fingerprint | None = None
    committed: Fingerprint | None = None
    origin_record: dict[str, Any] | None = None
    grown: Fingerprint | None = None
    ancestors: list[Fingerprint] = field(default_factory=list[Fingerprint])
    ledger: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    base: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.ledger, self.control_tokens = list(self.ledger or []), list(self.control_tokens or [])
        self.ancestors = list(self.ancestors or [])
        validated(_SHAPE, {name: getattr(self, name) for name in _SHAPE.model_fields}, "The bottleneck's configuration")
        if self.origin_record is not None:
            validated(OriginRecord, self.origin_record, "The bottleneck's configuration: origin_record")
        if not 1 <= self.top_s <= self.num_codes:
            raise CodeUnlearnError(
                f"S = {self.top_s} codes per token cannot come from K = {self.num_codes}; choose 1 <= S <= K."
            )
        if self.lexical_codes and (self.autoencoder or self.lexical_codes >= self.num_codes):
            raise CodeUnlearnError(
                "Lexical codes lie among the activations themselves, and residual codes are needed beside them: choose "
                f"autoencoder=False and more than {self.lexical_codes} codes."
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
