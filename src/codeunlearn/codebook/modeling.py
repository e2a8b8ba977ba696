"""A model with a concept bottleneck as an ordinary Hugging Face model of any known architecture.

The bottleneck is a child of the site's module, whose own ``forward`` calls it (`codeunlearn.codebook.sites`), so base
weights keep their names, and `copy.deepcopy`, pickle, ``generate``, ``torch.compile`` and the Trainer run the right bottleneck.
A saved model has a ``model_type`` of its own, so the Auto classes refuse it where codeunlearn is not imported. The plain
class of its base, named outright, opens it without its bottleneck and with a warning only.

The classes are made from their bases', under names that begin with ``CodeUnlearn``: ``CodeUnlearnT5ForConditionalGeneration``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, ClassVar, Literal, cast

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # pyright: ignore[reportPrivateImportUsage]
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils.generic import ModelOutput

from codeunlearn.codebook.architectures import ARCHITECTURES, OWN, architecture_of, find_architecture
from codeunlearn.codebook.architectures.base import PREFIX
from codeunlearn.codebook.bottleneck import BottleneckOutput, ConceptBottleneck, find_bottleneck
from codeunlearn.codebook.checks import require_settings, require_whole
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.codebook.encoding import control_ids
from codeunlearn.codebook.ledger import require_agreement, require_sound, settle
from codeunlearn.codebook.probing import require_no_way_round
from codeunlearn.codebook.sinks import runs
from codeunlearn.codebook.sites import Residual, change_class, pass_sinks
from codeunlearn.codebook.untrusted import check_source, check_types, local_folder
from codeunlearn.codebook.wrappers import device_of, is_quantised
from codeunlearn.errors import CodeUnlearnError

RESIDUAL_CODES = 40_000
"""Residual codes beside the lexical ones, unless another number is asked for."""
Selection = Literal["nearest", "residual"]
_RECORDING = threading.Lock()
"""One call at a time notes what the bottleneck does."""


@dataclass
class CodeUnlearnOutput(ModelOutput):
    """First base of what models return that are asked for ``output_bottleneck``: transformers' output and one field more.

    Attributes:
        bottleneck: activations, codes and reconstruction of this batch.
    """

    bottleneck: BottleneckOutput | None = None


class _BottleneckModel:
    """First base of every model's class: adds the bottleneck on construction and hands its record out on request."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # pyright: ignore[reportCallIssue]
        _install(self, ConceptBottleneck(config.bottleneck))
        self.post_init()  # pyright: ignore[reportAttributeAccessIssue]

    @classmethod
    def from_pretrained(
        cls, name: Any, *args: Any, output_loading_info: bool = False, check_ledger: bool = True, **kwargs: Any
    ) -> Any:
        """As transformers', but the file must hold this model's tensors and no others, and a codebook that can be one.

        Args:
            check_ledger: refuse a model whose ledger and mask differ.

        Raises:
            CodeUnlearnError: tensors are missing, misshapen or left over, or codebook and configuration do not fit.
        """
        loaded: Any = super()  # pyright: ignore[reportUnknownVariableType]
        revision = kwargs.get("revision")
        architecture = architecture_of(cast(Any, cls).config_class.model_type)
        require_settings(check_source(str(name), revision), architecture, str(name))
        options = {**kwargs, "use_safetensors": True, "ignore_mismatched_sizes": True, "output_loading_info": True}
        model, info = loaded.from_pretrained(name, *args, **options)
        require_whole(info, name)
        check_types(local_folder(str(name), revision))
        model.bottleneck.codebook.require_present()
        require_sound(model.bottleneck, str(name))
        if check_ledger:
            require_agreement(model.bottleneck, str(name))
        return (model, info) if output_loading_info else model

    def save_pretrained(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers', with a configuration that says what the codebook is.

        Raises:
            CodeUnlearnError: the ledger claims a deletion that is not there, or the base is quantised.
        """
        if is_quantised(cast(Any, self)):
            raise CodeUnlearnError(
                "A quantised model's codebook is saved alone, without its base: name that with `keep_base`, and save with "
                "`save_model`."
            )
        settle(self.bottleneck)
        return super().save_pretrained(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def bottleneck(self) -> ConceptBottleneck:
        config = cast(Any, self).config.bottleneck
        return cast(Any, self).get_submodule(config.site).bottleneck

    def forward(self, *args: Any, output_bottleneck: bool = False, **kwargs: Any) -> Any:
        """As the base model's ``forward``; with ``output_bottleneck`` the result carries a `BottleneckOutput`.

        It is the field ``bottleneck``, or with ``return_dict=False`` the last element of the tuple. Recording is on only
        inside this call, so that the second run of gradient checkpointing records nothing.
        """
        if not output_bottleneck:
            return super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        with nullcontext() if torch.compiler.is_compiling() else _RECORDING:
            output, recorded = self._recording(*args, **kwargs)
        if not recorded:
            raise CodeUnlearnError("The bottleneck is skipped or replaced here, so there is nothing of it to record.")
        if len(recorded) > 1:
            raise CodeUnlearnError(
                "The model ran in another thread meanwhile, so it is unclear what to record; call it again."
            )
        record = recorded[0]
        return (
            (*output, record) if isinstance(output, tuple) else _output_class(type(output))(**output, bottleneck=record)
        )

    def _recording(self, *args: Any, **kwargs: Any) -> tuple[Any, list[BottleneckOutput]]:
        bottleneck = self.bottleneck
        bottleneck.recorded = recorded = list[BottleneckOutput]()
        try:
            return super().forward(*args, **kwargs), recorded  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            bottleneck.recorded = None

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Always non-reentrant: the reentrant form would detach the bottleneck's losses."""
        options = {**(gradient_checkpointing_kwargs or {}), "use_reentrant": False}
        super().gradient_checkpointing_enable(options, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]


def with_bottleneck(kind: str) -> tuple[type[Any], type[Any]]:
    """The classes of configuration and model with a bottleneck for the base's ``model_type``, which Auto classes then know.

    Raises:
        CodeUnlearnError: the architecture is not known.
    """
    return _classes(kind, architecture_of(kind).auto)


@cache
def _classes(kind: str, auto: Any) -> tuple[type[Any], type[Any]]:
    base_config: type[Any] = CONFIG_MAPPING[kind]
    base_model: type[Any] = auto._model_mapping[base_config]

    class Config(base_config):
        """The base's configuration with the bottleneck's nested in it."""

        model_type = PREFIX + kind
        sub_configs: ClassVar[dict[str, Any]] = {"bottleneck": BottleneckConfig}
        bottleneck: BottleneckConfig | dict[str, Any] | None = None

        def __post_init__(self, **kwargs: Any) -> None:
            given = self.bottleneck
            self.bottleneck = given if isinstance(given, BottleneckConfig) else BottleneckConfig(**(given or {}))
            super().__post_init__(**kwargs)

    class Model(_BottleneckModel, base_model):
        """The base's model with a bottleneck at its site."""

        config_class = Config

        @wraps(base_model.forward)  # transformers asks which arguments it has
        def forward(self, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return super().forward(*args, **kwargs)

    for made, base in ((Config, base_config), (Model, base_model)):
        made.__name__ = made.__qualname__ = f"CodeUnlearn{base.__name__}"
    AutoConfig.register(Config.model_type, Config)
    auto.register(Config, Model)
    return Config, Model


_OUTPUTS: dict[type[Any], type[Any]] = {}


def _output_class(kind: type[Any]) -> type[Any]:
    """transformers' class of outputs with a field for the bottleneck's record."""
    if kind not in _OUTPUTS:
        _OUTPUTS[kind] = dataclass(type(f"CodeUnlearn{kind.__name__}", (CodeUnlearnOutput, kind), {}))
    return _OUTPUTS[kind]


# Without asking the registry: other packages import this one, which must be whole before they are looked for.
_OWN = {
    made.__name__: made
    for architecture in OWN
    for kind in architecture.model_types
    for made in _classes(kind, architecture.auto)
}


def bottleneck_for(
    config: Any,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    layer: int | None = None,
    where: str | None = None,
    selection: Selection = "nearest",
    **shape: Any,
) -> BottleneckConfig:
    """The bottleneck that fits a model of this configuration.

    Args:
        tokenizer: a causal model's, which knows control tokens that its configuration does not, such as a chat's.
        layer: from 0; the architecture's usual one, which is the paper's where there is such, if absent.
        where: name of the place in the layer; the usual one if absent.
        selection: ``nearest``, the S codes nearest to an activation's encoding, or ``residual``, one lexical code for each
            piece of the vocabulary and S - 1 residual codes, see `BottleneckConfig.lexical_codes`.
        shape: other fields of `BottleneckConfig`, which is the paper's where nothing is said.

    Raises:
        CodeUnlearnError: the architecture is not supported, or it has no such place.
    """
    architecture = architecture_of(config.model_type)
    width = architecture.width(config)
    place = {"d_model": width, "site": architecture.site(config, layer, where).path}
    kinds = _residual(config, width) if selection == "residual" else {}
    settings: dict[str, Any] = {**place, **kinds, **shape}
    if architecture.causal and "control_tokens" not in shape:
        known = set(architecture.control_tokens(config)) | (control_ids(tokenizer) if tokenizer else set())
        settings["control_tokens"] = sorted(known)
    return BottleneckConfig(**settings)


def _residual(config: Any, width: int) -> dict[str, Any]:
    """A lexical code for every piece of the vocabulary and one for a text's first token; eight of 40,000 residual ones."""
    pieces = config.vocab_size + 1
    own = {"num_codes": pieces + RESIDUAL_CODES, "code_dim": width, "top_s": 9}
    return {**own, "autoencoder": False, "lexical_codes": pieces}


def attach(base: PreTrainedModel, config: BottleneckConfig, *, copy: bool = True) -> Any:
    """A model with the base's weights and a freshly initialised bottleneck at ``config.site``.

    Args:
        copy: make a new model with weights of its own. Otherwise the base itself becomes the model, for one that is large,
            quantised, or spread over several devices.

    Raises:
        CodeUnlearnError: the architecture is not supported, it already has a bottleneck, the site does not exist,
            the widths differ, something gets round the site, or the base cannot be copied.
    """
    if find_bottleneck(base) is not None:
        raise CodeUnlearnError("The model already has a bottleneck; attach one to its plain base instead.")
    architecture = architecture_of(base.config.model_type)
    architecture.find(base.config, config.site)
    if config.d_model != (width := architecture.width(base.config)):
        raise CodeUnlearnError(f"The bottleneck is {config.d_model} wide and the model {width}; make them equal.")
    model = _copied(base, config) if copy else _converted(base, config)
    if not architecture.proven:
        require_no_way_round(model)
    return model


def _copied(base: PreTrainedModel, config: BottleneckConfig) -> Any:
    if is_quantised(base) or len({*getattr(base, "hf_device_map", {}).values()}) > 1:
        raise CodeUnlearnError(
            "The model is quantised or spread over devices, and cannot be copied; attach with copy=False."
        )
    config_class, model_class = with_bottleneck(base.config.model_type)
    settings = {k: v for k, v in base.config.to_dict().items() if k not in ("model_type", "architectures")}
    model = model_class(config_class(**settings, bottleneck=deepcopy(config)))
    _share_as(base, model)
    model.load_state_dict(base.state_dict(), strict=False)
    if base.can_generate():
        model.generation_config = deepcopy(base.generation_config)
    return model.to(dtype=base.dtype, device=base.device).train(base.training)


def _converted(base: Any, config: BottleneckConfig) -> Any:
    """The base under another class, and so is its configuration, which its modules share."""
    bottleneck: Any = ConceptBottleneck(deepcopy(config)).train(base.training)
    base.config.__class__, model_class = with_bottleneck(base.config.model_type)
    change_class(base, model_class)
    base.config.bottleneck = bottleneck.config
    _install(base, bottleneck.to(dtype=base.dtype))
    return base


def _install(model: Any, bottleneck: Any) -> None:
    """Puts the bottleneck at its place, on the device of the module that is there."""
    config, architecture = bottleneck.config, architecture_of(model.config.model_type)
    site = architecture.place(*architecture.find(model.config, config.site))
    near = model.get_submodule(site.layer if isinstance(site, Residual) else site.path)
    site.install(model, bottleneck.to(device_of(near)))
    if config.control_tokens:
        pass_sinks(model.base_model, runs(config.control_tokens))


def _share_as(base: nn.Module, model: nn.Module) -> None:
    """Gives the model a parameter of its own wherever the base has one and transformers tied it to another.

    As in T5 v1.1, Flan-T5 and mT5, whose output layers are their own whatever the configuration says.
    """
    owners: dict[int, nn.Parameter] = {}
    for name, parameter in base.named_parameters(remove_duplicate=False):
        if owners.setdefault(id(model.get_parameter(name)), parameter) is not parameter:
            module, _, own = name.rpartition(".")
            setattr(model.get_submodule(module), own, nn.Parameter(parameter.detach().clone()))


def __getattr__(name: str) -> Any:
    """The made classes by their names, as imports and pickles ask for them."""
    if name in _OWN:
        return _OWN[name]
    for kind in _kinds(name.removeprefix("CodeUnlearn")) if name.startswith("CodeUnlearn") else ():
        for made in with_bottleneck(kind):
            if made.__name__ == name:
                return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _kinds(base: str) -> Iterator[str]:
    """Types of models among which one may have a class of this name."""
    for name in ARCHITECTURES.names():
        yield from ARCHITECTURES.get(name).model_types
    for kind, configuration in CONFIG_MAPPING_NAMES.items():
        if base in (configuration, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)) and find_architecture(kind):
            yield kind
