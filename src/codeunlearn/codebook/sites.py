"""Where a bottleneck attaches: one small entry per architecture.

The paper's site is "after self-attention and residual" of an encoder layer. In T5 that is the output (element 0) of
``encoder.block.<layer>.layer.0``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor, nn

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


class _WithBottleneck(nn.Module):
    """First base of a site's class: its ``forward`` passes element 0 of the output through the bottleneck.

    A forward hook would do the same, but ``torch.compile`` runs past hooks without a word: it sets no guards on them and
    runs the code of one layer for the next. It does tell classes apart.
    """

    bottleneck: nn.Module

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        output: tuple[Any, ...] = super().forward(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        activations: Tensor = self.bottleneck(output[0])
        return (activations, *output[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles name the class without the bottleneck, for its own has no place from which to import it."""
        return _empty_site, (type(self).__mro__[2],), self.__getstate__()


@cache
def _with_bottleneck(site_class: type[nn.Module]) -> type[nn.Module]:
    return type(f"{site_class.__name__}WithBottleneck", (_WithBottleneck, site_class), {})


def _empty_site(site_class: type[nn.Module]) -> nn.Module:
    site = _with_bottleneck(site_class)
    return site.__new__(site)


def install(model: Any, path: str, bottleneck: nn.Module) -> None:
    """Puts the bottleneck behind the module at ``path`` as its child; the module's own ``forward`` calls it from now on.

    Base weights keep their names.

    Raises:
        CodeUnlearnError: as `find_site`.
    """
    site = find_site(model, path)
    site.add_module("bottleneck", bottleneck)
    site.__class__ = _with_bottleneck(type(site))
