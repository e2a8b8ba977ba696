"""Encoders with a head that classifies texts."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from transformers import AutoModelForSequenceClassification

from codeunlearn.codebook.architectures.base import ARCHITECTURES, Architecture, Settings
from codeunlearn.codebook.architectures.computed import COMPUTES
from codeunlearn.codebook.sites import Output, Residual, Site


class EncoderSettings(Settings):
    """Of an encoder."""

    is_decoder: Literal[False] = False
    add_cross_attention: Literal[False] = False
    is_encoder_decoder: Literal[False] = False


class Encoder(Architecture):
    """Of a model whose layers have modules that hand out the states behind attention and behind the whole layer.

    Attributes:
        path: where the layers are, from the model's root.
        modules: of a layer, by the names of the places.
    """

    auto = AutoModelForSequenceClassification
    places = ("attention", "block")
    computes = COMPUTES
    settings = EncoderSettings
    path: ClassVar[str]
    modules: ClassVar[dict[str, str]] = {"attention": "attention.output", "block": "output"}

    def place(self, layer: int, where: str) -> Site:
        return Output(f"{self.path}.{layer}.{self.modules[where]}")


@ARCHITECTURES.register("bert")
class Bert(Encoder):
    model_types = ("bert",)
    path = "bert.encoder.layer"


@ARCHITECTURES.register("roberta")
class Roberta(Encoder):
    model_types = ("roberta", "xlm-roberta")
    path = "roberta.encoder.layer"


@ARCHITECTURES.register("distilbert")
class DistilBert(Encoder):
    model_types = ("distilbert",)
    path = "distilbert.transformer.layer"
    modules: ClassVar[dict[str, str]] = {"attention": "sa_layer_norm", "block": "output_layer_norm"}


@ARCHITECTURES.register("deberta-v2")
class DebertaV2(Encoder):
    """DeBERTa v2 and v3; where a convolution of the embeddings is added behind the first layer, that layer has no place."""

    model_types = ("deberta-v2",)
    path = "deberta.encoder.layer"

    def has(self, config: Any, layer: int, where: str) -> bool:
        return super().has(config, layer, where) and (layer > 0 or not getattr(config, "conv_kernel_size", 0))


@ARCHITECTURES.register("modernbert")
class ModernBert(Encoder):
    model_types = ("modernbert",)
    path = "model.layers"

    def place(self, layer: int, where: str) -> Site:
        block = f"{self.path}.{layer}"
        return Residual(block, "attn", 0) if where == "attention" else Output(block)
