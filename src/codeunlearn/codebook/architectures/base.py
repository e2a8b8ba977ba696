"""What the mechanism asks of a family of models, and the registry of those that answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import Tensor

from codeunlearn.codebook.sites import Site
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.registry import Registry
from codeunlearn.validation import Count, Index, Shape

if TYPE_CHECKING:
    from codeunlearn.codebook.basis import SignedPermutation

PREFIX = "codeunlearn-"
"""Begins the ``model_type`` of a model with a bottleneck; behind it stands its base's."""


class BottleneckKeys(Shape, extra="allow"):
    """What every version has saved; a default in the place of one that is gone would be another bottleneck."""

    d_model: Any
    num_codes: Any
    code_dim: Any
    top_s: Any
    site: Any


class Settings(Shape, extra="allow"):
    """What transformers would take as it comes, or stumble over, in ``config.json``; a family's own has more."""

    model_type: str
    vocab_size: Count = 1
    pad_token_id: Index | None = None
    eos_token_id: Index | list[Index] | None = None
    decoder_start_token_id: Index | None = None
    bos_token_id: Index | None = None
    source_prefix: str | None = None
    source_suffix: str | None = None
    source_language: str | None = None
    target_language: str | None = None
    asked_task: str | None = None
    return_dict: Literal[True] = True
    output_attentions: Literal[False] | None = None
    output_hidden_states: Literal[False] | None = None
    chunk_size_feed_forward: Literal[0] = 0
    use_cache: bool = True
    tie_word_embeddings: bool = True
    bottleneck: BottleneckKeys | None = None

    def require_sense(self, where: str) -> None:
        """That the settings agree with each other, where a family has some that might not.

        Raises:
            CodeUnlearnError: they do not.
        """


class Architecture(ABC):
    """A family of models: how they are opened, where a bottleneck can sit in them, and how they are run up to it.

    Attributes:
        model_types: transformers' names of the family's members.
        auto: transformers' Auto class that opens them, such as ``AutoModelForSeq2SeqLM`` or ``AutoModelForCausalLM``.
        places: names of the places that each layer has for a bottleneck, the usual one first.
        usual_layer: the layer, from 0, that has the bottleneck unless another is asked for, or the last where there are not so
            many; the paper's is the third.
        causal: a token sees those before it alone, so that the first one can be a sink, see `codeunlearn.codebook.sinks`.
        computes: settings without tensors of their own that decide what reaches the bottleneck, by their names in the
            configuration; those that a model lacks do not matter. They are part of a model's fingerprint.
        settings: what ``config.json`` must look like.
        proven: that nothing gets round the places is known of every model; otherwise each is tried when a bottleneck is attached.
        rms_norm: all norms behind the sites are RMS norms, which commute with signed permutations, so that `change_basis`
            can be done. A norm that takes the mean away does not.
    """

    model_types: ClassVar[tuple[str, ...]]
    auto: ClassVar[Any]
    places: ClassVar[tuple[str, ...]]
    usual_layer: ClassVar[int] = 2
    causal: ClassVar[bool] = False
    computes: ClassVar[tuple[str, ...]] = ("num_attention_heads",)
    settings: ClassVar[type[Settings]] = Settings
    proven: ClassVar[bool] = True
    rms_norm: ClassVar[bool] = False

    @abstractmethod
    def place(self, layer: int, where: str) -> Site:
        """The rule of one of the ``places`` of a layer."""

    def width(self, config: Any) -> int:
        """d, numbers in a token's state."""
        return config.hidden_size

    def layers(self, config: Any) -> int:
        """How many layers have the places."""
        return config.num_hidden_layers

    def has(self, config: Any, layer: int, where: str) -> bool:
        """Whether nothing gets round the place of this name in this layer; every way from the tokens to the output leads
        through it."""
        return where in self.places and 0 <= layer < self.layers(config)

    def control_tokens(self, config: Any) -> list[int]:
        """Tokens that stand for no text, as far as the configuration knows; its tokenizer may know more."""
        named = (getattr(config, f"{name}_token_id", None) for name in ("bos", "eos", "pad"))
        return sorted({one for ids in named for one in (ids if isinstance(ids, list) else [ids]) if one is not None})

    def reach(self, model: Any, input_ids: Tensor, attention_mask: Tensor) -> None:
        """Runs the part of the model that holds the sites; [batch, length] ids and mask.

        Who looks at a site stops it there, so that later layers never run. A causal model counts positions from the first
        token that is no padding, as ``generate`` does.
        """
        part = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self.causal:
            position_ids = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
            given |= {"position_ids": position_ids, "use_cache": False}
        part(**given)

    def change_basis(self, model: Any, layer: int, where: str, basis: SignedPermutation) -> None:
        """Rewrites what reads or writes states behind a place, so that they are in another basis.

        Called where ``rms_norm`` says that it can be done.
        """
        raise NotImplementedError

    def site(self, config: Any, layer: int | None = None, where: str | None = None) -> Site:
        """The place for a bottleneck in a model of this configuration; the usual one where nothing is said.

        Raises:
            CodeUnlearnError: there is no such place; the message lists those that there are.
        """
        known = list(self.sites(config).values())
        layer = min(self.usual_layer, known[-1][0]) if layer is None else layer
        where = next((name for one, name in known if one == layer), self.places[0]) if where is None else where
        if (layer, where) not in known:
            names = dict.fromkeys(name for _, name in known)
            raise CodeUnlearnError(
                f"The model has no place {where!r} in layer {layer}; its layers are {known[0][0]} to {known[-1][0]}, each "
                f"with {', '.join(names)}."
            )
        return self.place(layer, where)

    def sites(self, config: Any) -> dict[str, tuple[int, str]]:
        """All places of a model by the paths of their modules: layer and name."""
        every = ((layer, where) for layer in range(self.layers(config)) for where in self.places)
        return {self.place(*one).path: one for one in every if self.has(config, *one)}

    def find(self, config: Any, path: str) -> tuple[int, str]:
        """Layer and name of the place at a path.

        Raises:
            CodeUnlearnError: there is none; the message lists those that there are.
        """
        known = self.sites(config)
        if path not in known:
            raise CodeUnlearnError(f"The model has no site {path!r}; it has {', '.join(known)}.")
        return known[path]


ARCHITECTURES = Registry[type[Architecture]]("architecture")


def base_type(model_type: str) -> str:
    """The ``model_type`` of the base of a model with a bottleneck; that of another model itself."""
    return model_type.removeprefix(PREFIX)
