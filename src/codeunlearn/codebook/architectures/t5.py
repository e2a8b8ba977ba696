"""T5, T5 v1.1, Flan-T5 and mT5, with the bottleneck in the encoder, as in the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from transformers import AutoModelForSeq2SeqLM

from codeunlearn.codebook.architectures.base import ARCHITECTURES, Architecture, Settings
from codeunlearn.codebook.sites import Output
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import Count, Field, Index, Positive, Share

if TYPE_CHECKING:
    from codeunlearn.codebook.basis import SignedPermutation


class T5Settings(Settings):
    """Of a T5."""

    d_model: Count = 1
    d_kv: Count = 1
    d_ff: Count = 1
    num_layers: Count = 1
    num_decoder_layers: Count | None = None
    num_heads: Count = 1
    relative_attention_num_buckets: Count = 1
    relative_attention_max_distance: Count = 1
    dropout_rate: Share = 0.0
    layer_norm_epsilon: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    initializer_factor: Positive = 1.0
    feed_forward_proj: str | None = None
    dense_act_fn: str | None = None
    is_gated_act: bool | None = None
    is_decoder: Literal[False] = False
    is_encoder_decoder: Literal[True] = True
    scale_decoder_outputs: bool = True
    pad_token_id: Index = 0  # pyright: ignore[reportIncompatibleVariableOverride]

    def require_sense(self, where: str) -> None:
        """transformers follows ``feed_forward_proj`` and passes over the two keys that it writes beside it."""
        wanted = self.feed_forward_proj or ("gated-gelu" if self.model_type.endswith("mt5") else "relu")
        gated = wanted.startswith("gated-")
        function = "gelu_new" if wanted == "gated-gelu" else wanted.removeprefix("gated-")
        if self.dense_act_fn not in (None, function) or self.is_gated_act not in (None, gated):
            raise CodeUnlearnError(
                f"{where} names two activations: feed_forward_proj is {wanted!r}, dense_act_fn {self.dense_act_fn!r} and "
                f"is_gated_act {self.is_gated_act!r}; save or download the model again."
            )


@ARCHITECTURES.register("t5")
class T5(Architecture):
    """The paper's place is behind self-attention and residual of the third encoder layer."""

    model_types = ("t5", "mt5")
    auto = AutoModelForSeq2SeqLM
    places = ("attention", "block")
    computes = (
        "d_kv",
        "num_heads",
        "relative_attention_num_buckets",
        "relative_attention_max_distance",
        "layer_norm_epsilon",
        "dense_act_fn",
        "is_gated_act",
    )
    settings = T5Settings
    rms_norm = True

    def place(self, layer: int, where: str) -> Output:
        block = f"encoder.block.{layer}"
        return Output(f"{block}.layer.0" if where == "attention" else block, element=0)

    def change_basis(self, model: Any, layer: int, where: str, basis: SignedPermutation) -> None:
        for index, block in enumerate(model.encoder.block):
            if index > layer:
                _rewrite_attention(block.layer[0], basis)
            if index > layer or (index == layer and where == "attention"):
                _rewrite_feed_forward(block.layer[1], basis)
        basis.rewrite_norm(model.encoder.final_layer_norm)
        for block in model.decoder.block:
            basis.rewrite_reader(block.layer[1].EncDecAttention.k)
            basis.rewrite_reader(block.layer[1].EncDecAttention.v)


def _rewrite_attention(layer: Any, basis: SignedPermutation) -> None:
    basis.rewrite_norm(layer.layer_norm)
    for reader in (layer.SelfAttention.q, layer.SelfAttention.k, layer.SelfAttention.v):
        basis.rewrite_reader(reader)
    basis.rewrite_writer(layer.SelfAttention.o)


def _rewrite_feed_forward(layer: Any, basis: SignedPermutation) -> None:
    basis.rewrite_norm(layer.layer_norm)
    dense = layer.DenseReluDense
    for name in ("wi", "wi_0", "wi_1"):
        if hasattr(dense, name):
            basis.rewrite_reader(getattr(dense, name))
    basis.rewrite_writer(dense.wo)
