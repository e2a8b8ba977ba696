"""The bottleneck's part of a model's configuration: its shape, its place, and the record of what was deleted in it."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

from transformers import PretrainedConfig

from codeunlearn.codebook.codebook import DELETION_MODES, DeletionMode
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import Count, Digest, Field, Index, Name, Shape, validated

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
        parameters: digest of its weights, see `identity.parameters_digest`.
        source_prefix: put before every prompt; ``source_suffix`` behind it.
    """

    name: Name
    revision: Name | None
    parameters: Digest
    source_prefix: str
    source_suffix: str


class _BottleneckShape(Shape):
    """The types of `BottleneckConfig`'s own settings."""

    d_model: Count
    num_codes: Count
    code_dim: Count
    top_s: int
    autoencoder: bool
    lexical_codes: Index
    site: Name
    control_tokens: list[Index] | None
    layer_norm_eps: Annotated[float, Field(gt=0, lt=1)]
    origin: Fingerprint | None
    committed: Fingerprint | None
    origin_record: OriginRecord | None
    ledger: list[dict[str, Any]] | None
    base: dict[str, Any] | None


class BottleneckConfig(PretrainedConfig):
    """Shape and place of a bottleneck; the defaults are the paper's.

    Args:
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
        ledger: one entry per applied forget set, oldest first, see `ledger.py`.
        base: of which model it is, where it is saved alone, see `BaseRecord` and `adapter.py`.
        kwargs: transformers' own settings; any other key, as of a newer version, is kept with a warning.

    Raises:
        CodeUnlearnError: a setting is of another type than it should be, or no bottleneck can have it.
    """

    model_type = "codeunlearn-bottleneck"
    base_config_key = "bottleneck"

    def __init__(
        self,
        d_model: int = 512,
        num_codes: int = 25_000,
        code_dim: int = 512,
        top_s: int = 8,
        autoencoder: bool = True,
        lexical_codes: int = 0,
        site: str = "encoder.block.2.layer.0",
        control_tokens: list[int] | None = None,
        deletion_mode: DeletionMode = "refill",
        layer_norm_eps: float = 1e-5,
        origin: str | None = None,
        committed: str | None = None,
        origin_record: dict[str, Any] | None = None,
        ledger: list[dict[str, Any]] | None = None,
        base: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        own = {
            "d_model": d_model,
            "num_codes": num_codes,
            "code_dim": code_dim,
            "top_s": top_s,
            "autoencoder": autoencoder,
            "lexical_codes": lexical_codes,
            "site": site,
            "control_tokens": control_tokens,
            "layer_norm_eps": layer_norm_eps,
            "origin": origin,
            "committed": committed,
            "origin_record": origin_record,
            "ledger": ledger,
            "base": base,
        }
        validated(_BottleneckShape, own, "The bottleneck's configuration")
        if not 1 <= top_s <= num_codes:
            raise CodeUnlearnError(f"S = {top_s} codes per token cannot come from K = {num_codes}; choose 1 <= S <= K.")
        if not autoencoder and code_dim != d_model:
            raise CodeUnlearnError(
                f"Without the autoencoder codes are as wide as activations: F (code_dim) must be {d_model}, not {code_dim}."
            )
        if lexical_codes and (autoencoder or lexical_codes >= num_codes):
            raise CodeUnlearnError(
                "Lexical codes lie among the activations themselves, and residual codes are needed beside them: choose "
                f"autoencoder=False and more than {lexical_codes} codes."
            )
        if deletion_mode not in DELETION_MODES:
            raise CodeUnlearnError(
                f"Unknown deletion mode {deletion_mode!r}; choose one of {', '.join(DELETION_MODES)}."
            )
        if unknown := sorted(key for key in kwargs if key not in _COMMON_KEYS and not key.startswith("_")):
            warnings.warn(
                f"The bottleneck's configuration has {', '.join(unknown)}, which this version of codeunlearn does not "
                "know and leaves alone; the model may come from a newer version.",
                stacklevel=2,
            )
        self.d_model = d_model
        self.num_codes = num_codes
        self.code_dim = code_dim
        self.top_s = top_s
        self.autoencoder = autoencoder
        self.lexical_codes = lexical_codes
        self.site = site
        self.control_tokens: list[int] = list(control_tokens or [])
        self.deletion_mode: DeletionMode = deletion_mode
        self.layer_norm_eps = layer_norm_eps
        self.origin = origin
        self.committed = committed
        self.origin_record = origin_record
        self.ledger: list[dict[str, Any]] = list(ledger or [])
        self.base = base
        super().__init__(**kwargs)
