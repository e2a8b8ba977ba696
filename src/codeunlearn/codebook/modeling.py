"""T5 with a concept bottleneck as an ordinary Hugging Face model.

The bottleneck is a child of the site's module, whose own ``forward`` calls it (`codeunlearn.codebook.sites.install`), so base
weights keep their names, and `copy.deepcopy`, pickle, ``generate``, ``torch.compile`` and the Trainer run the right bottleneck.
A saved model has a ``model_type`` of its own, so the Auto classes refuse it where codeunlearn is not imported. The plain
T5 class, named outright, opens it without its bottleneck and with a warning only.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import Seq2SeqLMOutput

from codeunlearn.codebook.bottleneck import BottleneckOutput, ConceptBottleneck
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.codebook.ledger import require_agreement, require_sound, settle
from codeunlearn.codebook.loading import require_whole
from codeunlearn.codebook.sites import find_site, install
from codeunlearn.errors import CodeUnlearnError


@dataclass
class CodeUnlearnOutput(Seq2SeqLMOutput):
    """Adds the bottleneck's record to transformers' output.

    Attributes:
        bottleneck: activations, codes and reconstruction of this batch, when asked for by ``output_bottleneck``.
    """

    bottleneck: BottleneckOutput | None = None


def _nested(bottleneck: BottleneckConfig | dict[str, Any] | None) -> BottleneckConfig:
    return bottleneck if isinstance(bottleneck, BottleneckConfig) else BottleneckConfig(**(bottleneck or {}))


class CodeUnlearnT5Config(T5Config):
    """T5's configuration with the bottleneck's nested in it."""

    model_type = "codeunlearn-t5"
    sub_configs: ClassVar[dict[str, Any]] = {"bottleneck": BottleneckConfig}  # pyright: ignore[reportIncompatibleMethodOverride]
    bottleneck: BottleneckConfig | dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.bottleneck = _nested(self.bottleneck)
        super().__post_init__(**kwargs)


class CodeUnlearnMT5Config(MT5Config):
    """mT5's configuration with the bottleneck's nested in it."""

    model_type = "codeunlearn-mt5"
    sub_configs: ClassVar[dict[str, Any]] = {"bottleneck": BottleneckConfig}  # pyright: ignore[reportIncompatibleMethodOverride]
    bottleneck: BottleneckConfig | dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.bottleneck = _nested(self.bottleneck)
        super().__post_init__(**kwargs)


class _BottleneckModelMixin:
    """Adds the bottleneck on construction and hands its record out of ``forward`` on request."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # pyright: ignore[reportCallIssue]
        install(self, config.bottleneck.site, ConceptBottleneck(config.bottleneck))
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
        options = {**kwargs, "ignore_mismatched_sizes": True, "output_loading_info": True}
        model, info = loaded.from_pretrained(name, *args, **options)
        require_whole(info, name)
        require_sound(model.bottleneck, str(name))
        if check_ledger:
            require_agreement(model.bottleneck, str(name))
        return (model, info) if output_loading_info else model

    def save_pretrained(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers', with a configuration that says what the codebook is.

        Raises:
            CodeUnlearnError: the ledger claims a deletion that is not there.
        """
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
        bottleneck = self.bottleneck
        bottleneck.recorded = recorded = []
        try:
            output = super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            bottleneck.recorded = None
        if not recorded:
            raise CodeUnlearnError("The bottleneck is skipped or replaced here, so there is nothing of it to record.")
        record = recorded[0]
        return (*output, record) if isinstance(output, tuple) else CodeUnlearnOutput(**output, bottleneck=record)

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Always non-reentrant: the reentrant form would detach the bottleneck's losses."""
        options = {**(gradient_checkpointing_kwargs or {}), "use_reentrant": False}
        super().gradient_checkpointing_enable(options, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]


class CodeUnlearnT5ForConditionalGeneration(_BottleneckModelMixin, T5ForConditionalGeneration):
    """T5, T5 v1.1 or Flan-T5 with a bottleneck in its encoder."""

    config_class = CodeUnlearnT5Config


class CodeUnlearnMT5ForConditionalGeneration(_BottleneckModelMixin, MT5ForConditionalGeneration):
    """mT5 with a bottleneck in its encoder."""

    config_class = CodeUnlearnMT5Config


CodeUnlearnModel = CodeUnlearnT5ForConditionalGeneration | CodeUnlearnMT5ForConditionalGeneration
_CLASSES: dict[str, tuple[type[Any], type[Any]]] = {
    "t5": (CodeUnlearnT5Config, CodeUnlearnT5ForConditionalGeneration),
    "mt5": (CodeUnlearnMT5Config, CodeUnlearnMT5ForConditionalGeneration),
}
for _config_class, _model_class in _CLASSES.values():
    AutoConfig.register(_config_class.model_type, _config_class)
    AutoModelForSeq2SeqLM.register(_config_class, _model_class)


def attach(base: PreTrainedModel, config: BottleneckConfig) -> CodeUnlearnModel:
    """A new model with the base's weights (copied) and a freshly initialised bottleneck at ``config.site``.

    Raises:
        CodeUnlearnError: the architecture is not supported, it already has a bottleneck, the site does not exist,
            or the widths differ.
    """
    if find_bottleneck(base) is not None:
        raise CodeUnlearnError("The model already has a bottleneck; attach one to its plain base instead.")
    find_site(base, config.site)
    if config.d_model != base.config.d_model:
        raise CodeUnlearnError(
            f"The bottleneck is {config.d_model} wide and the model {base.config.d_model}; make them equal."
        )
    config_class, model_class = _CLASSES[base.config.model_type]
    settings = {k: v for k, v in base.config.to_dict().items() if k not in ("model_type", "architectures")}
    model = model_class(config_class(**settings, bottleneck=deepcopy(config)))
    head: nn.Parameter = base.get_parameter("lm_head.weight")
    if head is not base.get_parameter("shared.weight"):  # T5 v1.1, Flan-T5, mT5: transformers would tie the two
        model.lm_head.weight = nn.Parameter(head.detach().clone())
    model.load_state_dict(base.state_dict(), strict=False)
    model.generation_config = deepcopy(base.generation_config)
    return model.to(dtype=base.dtype, device=base.device).train(base.training)


def find_bottleneck(model: nn.Module) -> ConceptBottleneck | None:
    """The model's bottleneck, also inside wrappers such as ``DistributedDataParallel``; None when it has none."""
    return next((m for m in model.modules() if isinstance(m, ConceptBottleneck)), None)


def require_bottleneck(model: nn.Module) -> ConceptBottleneck:
    bottleneck = find_bottleneck(model)
    if bottleneck is None:
        raise CodeUnlearnError("The model has no bottleneck; make one with `codeunlearn build` or `codeunlearn train`.")
    return bottleneck
