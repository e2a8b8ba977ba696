"""Where a bottleneck attaches: one small entry per architecture.

The paper's site is "after self-attention and residual" of an encoder layer. In T5 that is the output (element 0) of
``encoder.block.<layer>.layer.0``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from codeunlearn.errors import CodeUnlearnError


@dataclass(frozen=True)
class SiteFamily:
    """The sites of one architecture.

    Attributes:
        model_types: transformers' names of the architecture.
        template: path of the site of one layer, from the model's root.
        stack: path of the module that holds the layers; running it stops at the site while counting.
    """

    model_types: tuple[str, ...]
    template: str
    stack: str

    def path(self, layer: int) -> str:
        """The site of the encoder layer with this number, counted from 0."""
        return self.template.format(layer=layer)


FAMILIES = (SiteFamily(("t5", "mt5", "codeunlearn-t5", "codeunlearn-mt5"), "encoder.block.{layer}.layer.0", "encoder"),)
DEFAULT_LAYER = 2  # the third encoder layer, as in the paper


def family_of(model_type: str) -> SiteFamily:
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.model_types if not name.startswith("codeunlearn"))
    raise CodeUnlearnError(f"A bottleneck cannot be attached to a {model_type!r} model; supported are {known}.")


def sites_of(model: nn.Module, family: SiteFamily) -> list[str]:
    """All paths in ``model`` that fit the family's template."""
    pattern = re.compile(re.escape(family.template).replace(r"\{layer\}", r"\d+"))
    return [name for name, _ in model.named_modules() if pattern.fullmatch(name)]


def find_site(model: Any, path: str) -> nn.Module:
    """The module at a site.

    Raises:
        CodeUnlearnError: no such site; the message lists those that exist.
    """
    known = sites_of(model, family_of(model.config.model_type))
    if path not in known:
        raise CodeUnlearnError(f"The model has no site {path!r}; it has {', '.join(known)}.")
    return model.get_submodule(path)
