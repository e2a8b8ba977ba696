"""The fingerprint that ties a forget set to the model it was made for.

Two have been in use. The first, 64 hexadecimal digits, covers the parameters. The second, ``2:`` and 64 digits, covers
the first and all else that decides what deleting a code means. Forget sets with one of the first kind stay usable.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from codeunlearn.codebook.architectures import find_architecture
from codeunlearn.codebook.bottleneck import ConceptBottleneck, find_bottleneck, require_bottleneck
from codeunlearn.codebook.ledger import canonical_digest
from codeunlearn.codebook.wrappers import own_parameters, unwrapped


class Identity(NamedTuple):
    """What a model is called.

    Attributes:
        fingerprint: in forget sets that are made for it now.
        former: in those that were made before fingerprints began with ``2:``; None where none of them can be meant.
        ancestors: in those that were made before codes were added.
    """

    fingerprint: str
    former: str | None
    ancestors: tuple[str, ...] = ()

    def goes_by(self, name: str) -> bool:
        """Whether what carries this fingerprint was made for the model."""
        return name in (self.fingerprint, self.former, *self.ancestors)


def fingerprint(model: nn.Module) -> str:
    """What a model is, in one line: the same however it is opened, and whatever is masked in it.

    With a bottleneck it covers the names, shapes and bf16-rounded values of all parameters, the code ids in their order,
    S, the site, the LayerNorm's epsilon, whether there is an autoencoder, how many codes are lexical, and the base's
    settings that decide what reaches the bottleneck. It covers neither the mask nor the deletion mode, since a set is a set
    of codes, whatever becomes of their slots. Without a bottleneck it covers the parameters alone.

    A wrapped model (``DataParallel``, compiled, PEFT) has that of the model inside. The weights of adapters such as
    LoRA's are left out until they are merged.
    """
    bottleneck = find_bottleneck(model)
    return parameters_digest(model) if bottleneck is None else _own(model, bottleneck).fingerprint


def identify(model: nn.Module) -> Identity:
    """By what the model's forget sets are known; reads all weights.

    A model that only lost codes by commits, or only got more, keeps the names it had before; one whose weights changed since
    is another model.
    """
    bottleneck = require_bottleneck(model)
    config, found = bottleneck.config, _own(model, bottleneck)
    if config.origin and config.committed in found:
        record = config.origin_record
        found = Identity(config.origin, record["parameters"] if record else None)
    return found._replace(ancestors=tuple(config.ancestors)) if config.grown == found.fingerprint else found


def keep_names(model: nn.Module, names: Identity) -> None:
    """Notes how a model was called before codes were added, so that its forget sets stay usable."""
    config = require_bottleneck(model).config
    config.ancestors = [name for name in (names.fingerprint, names.former, *names.ancestors) if name]
    config.grown = fingerprint(model)


def model_identity(model: nn.Module) -> str:
    """The fingerprint that new forget sets for this model carry, see `identify`."""
    return identify(model).fingerprint


def _own(model: nn.Module, bottleneck: ConceptBottleneck) -> Identity:
    """As if there had been no commit."""
    config, parameters, ids = bottleneck.config, parameters_digest(model), bottleneck.codebook.code_ids
    base = unwrapped(model).config
    architecture = find_architecture(base.model_type)  # a bottleneck alone has none
    content: dict[str, Any] = {
        **({"control_tokens": config.control_tokens} if config.control_tokens else {}),
        "parameters": parameters,
        "code_ids": hashlib.sha256(_bytes(ids)).hexdigest(),
        "top_s": config.top_s,
        "site": config.site,
        "layer_norm_eps": config.layer_norm_eps,
        "autoencoder": config.autoencoder,
        **({"lexical_codes": config.lexical_codes} if config.lexical_codes else {}),
        "base": {name: getattr(base, name, None) for name in (architecture.computes if architecture else ())},
    }
    # The former fingerprint says nothing of the ids, so that they must be as they were in every model of that time.
    ascend = bool((ids.diff() > 0).all())
    as_trained = ascend if config.origin else torch.equal(ids, torch.arange(len(ids), device=ids.device))
    return Identity(f"2:{canonical_digest(content)}", parameters if as_trained else None)


def parameters_digest(model: nn.Module, *, but: nn.Module | None = None) -> str:
    """SHA-256 over the names, shapes and bf16-rounded values of all parameters.

    Rounding makes it the same whether the model was opened in bf16 or in fp32.

    Args:
        but: a part of the model that is left out.
    """
    names = (name for name, module in unwrapped(model).named_modules() if module is but)
    left_out = tuple(f"{name}." for name in names)
    digest = hashlib.sha256()
    for name, parameter in sorted(own_parameters(model), key=lambda pair: pair[0]):
        if name.startswith(left_out):
            continue
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        digest.update(_bytes(parameter.to(torch.bfloat16).view(torch.int16)))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> Any:
    return tensor.to("cpu").contiguous().reshape(-1).numpy()
