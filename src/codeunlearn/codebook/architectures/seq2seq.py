"""Encoder-decoder models beside T5, with the bottleneck in the encoder, as in the paper."""

from __future__ import annotations

from typing import Literal

from transformers import AutoModelForSeq2SeqLM

from codeunlearn.codebook.architectures.base import ARCHITECTURES, Architecture, Settings
from codeunlearn.codebook.architectures.computed import COMPUTES
from codeunlearn.codebook.sites import Output, Residual, Site
from codeunlearn.validation import Count, Index


class Seq2SeqSettings(Settings):
    """Of a BART and what is built as it is."""

    d_model: Count = 1
    encoder_layers: Count = 1
    decoder_layers: Count = 1
    encoder_attention_heads: Count = 1
    is_decoder: Literal[False] = False
    is_encoder_decoder: Literal[True] = True
    pad_token_id: Index = 0  # pyright: ignore[reportIncompatibleVariableOverride]


@ARCHITECTURES.register("bart")
class Bart(Architecture):
    """BART and Marian, whose layers have a norm behind each residual sum."""

    model_types = ("bart", "marian")
    auto = AutoModelForSeq2SeqLM
    places = ("attention", "block")
    computes = COMPUTES
    settings = Seq2SeqSettings

    def place(self, layer: int, where: str) -> Site:
        block = f"model.encoder.layers.{layer}"
        return Output(f"{block}.self_attn_layer_norm" if where == "attention" else block)


@ARCHITECTURES.register("mbart")
class MBart(Bart):
    """mBART, M2M100, NLLB and Pegasus, whose norms stand before attention and feed-forward network."""

    model_types = ("mbart", "m2m_100", "pegasus")

    def place(self, layer: int, where: str) -> Site:
        block = f"model.encoder.layers.{layer}"
        return Residual(block, "self_attn", 0, dropout="dropout") if where == "attention" else Output(block)
