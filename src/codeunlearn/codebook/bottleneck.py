"""The concept bottleneck: SAE encoder -> codebook -> SAE decoder (paper, sections 3.1-3.4 and appendix A)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init

from codeunlearn.codebook.codebook import Codebook
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.codebook.selecting.reference import Selection
from codeunlearn.errors import CodeUnlearnError


class BottleneckOutput(NamedTuple):
    """What happened to the activations of one batch.

    Attributes:
        a: [..., d] activations that came in.
        h: [..., F] their encoding (eq. 4).
        code_sum: [..., F] the sum of the selected codes (eq. 3), without the straight-through term.
        a_hat: [..., d] what goes on (eq. 5).
        ids: [..., S] rows of the selected codes, best first.
    """

    a: Tensor
    h: Tensor
    code_sum: Tensor
    a_hat: Tensor
    ids: Tensor


class ConceptBottleneck(PreTrainedModel):
    """Replaces an activation by the decoded sum of the S codes nearest to its encoding; there is no way around it.

    A small `PreTrainedModel` of its own, so that transformers initialises it when a stock checkpoint is loaded
    into a model with a bottleneck, and so that it can be saved alone.

    Attributes:
        bypasses: one item for each open block of `skip_bottleneck`; a list, which threads change without losing a change.
        replacements: what the open blocks of `replace_bottleneck_output` put in the output's place; the last one counts.
        recorded: where each run is noted, while the model's ``forward`` is asked for it.
    """

    config_class = BottleneckConfig
    base_model_prefix = "bottleneck"
    main_input_name = "activations"
    config: BottleneckConfig

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config)
        if config.autoencoder:
            self.encoder = nn.Linear(config.d_model, config.code_dim)
            self.norm = nn.LayerNorm(config.code_dim, eps=config.layer_norm_eps)
            self.decoder = nn.Linear(config.code_dim, config.d_model)
        self.codebook = Codebook(config)
        self.bypasses: list[None] = []
        self.replacements: list[Tensor | Callable[[Tensor], Tensor]] = []
        self.recorded: list[BottleneckOutput] | None = None
        self.register_load_state_dict_post_hook(_mask_what_is_claimed)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            init.kaiming_uniform_(module.weight, nonlinearity="relu")
            init.zeros_(cast(Tensor, module.bias))
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, Codebook):
            init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
            init.zeros_(module.deleted)
            init.copy_(module.code_ids, torch.arange(module.num_codes))

    def encode(self, a: Tensor) -> Tensor:
        """Equation 4 with appendix A's LayerNorm: [..., d] -> [..., F]; the activations themselves without an autoencoder."""
        if not self.config.autoencoder:
            return a
        return self.norm(torch.relu(self.encoder(a.to(self.codebook.weight.dtype))))

    def decode(self, code_sum: Tensor) -> Tensor:
        """Equation 5: [..., F] -> [..., d]; the sum itself without an autoencoder."""
        return self.decoder(code_sum.to(self.codebook.weight.dtype)) if self.config.autoencoder else code_sum

    def select(self, a: Tensor, s: int | None = None, *, ignore_deleted: bool = False) -> Selection:
        """The s (default S) best codes of every activation: [..., d] -> ids and scores [..., s]."""
        s = s or self.config.top_s
        with torch.no_grad():
            flat = self.encode(a).reshape(-1, self.config.code_dim)
            found = self.codebook.search(flat, s, ignore_deleted=ignore_deleted)
        return Selection(found.ids.view(*a.shape[:-1], s), found.scores.view(*a.shape[:-1], s))

    def run(self, a: Tensor) -> BottleneckOutput:
        """Encodes, selects, sums and decodes.

        The sum carries ``h - h.detach()``: codes receive the task's gradient, and the encoder receives it straight
        through. No gradient flows through the similarities.
        """
        h = self.encode(a)
        flat = h.reshape(-1, self.config.code_dim)
        selection = self.codebook.search(flat.detach(), self.config.top_s)
        code_sum = self.codebook.combine(selection).to(h.dtype).view_as(h)
        a_hat = self.decode(code_sum + (h - h.detach()))
        return BottleneckOutput(a, h, code_sum, a_hat.to(a.dtype), selection.ids.view(*a.shape[:-1], -1))

    def forward(self, activations: Tensor) -> Tensor:
        """[..., d] -> [..., d]: the reconstruction; the input itself inside `skip_bottleneck`, another output inside
        `replace_bottleneck_output`."""
        if self.bypasses:
            return activations
        if self.replacements:
            last = self.replacements[-1]
            return (last if isinstance(last, Tensor) else last(activations)).to(activations.dtype)
        output = self.run(activations)
        if self.recorded is not None:
            self.recorded.append(output)
        return output.a_hat

    def __getstate__(self) -> dict[str, Any]:
        """What goes into copies and pickles: no open block, whose end would not reach them."""
        return {**self.__dict__, "bypasses": [], "replacements": [], "recorded": None}


def _mask_what_is_claimed(bottleneck: ConceptBottleneck, _: object) -> None:
    """Weights from before a deletion, loaded into a model that claims it, undelete nothing."""
    claimed = [i for entry in bottleneck.config.ledger if not entry.get("committed") for i in entry["ids"]]
    codebook = bottleneck.codebook
    if claimed:
        with torch.no_grad():
            codebook.deleted |= torch.isin(codebook.code_ids, torch.tensor(claimed, device=codebook.code_ids.device))


def find_bottleneck(model: nn.Module) -> ConceptBottleneck | None:
    """The model's bottleneck, also inside wrappers such as ``DistributedDataParallel``; None when it has none.

    Raises:
        CodeUnlearnError: there are several, of which one runs and the others do not.
    """
    found = [module for module in model.modules() if isinstance(module, ConceptBottleneck)]
    if len(found) > 1:
        raise CodeUnlearnError(
            f"The model holds {len(found)} bottlenecks, as with PEFT's modules_to_save, so that it is unclear what is deleted; "
            "merge the adapter first, or leave the bottleneck out of modules_to_save."
        )
    return found[0] if found else None


def require_bottleneck(model: nn.Module) -> ConceptBottleneck:
    """As `find_bottleneck`.

    Raises:
        CodeUnlearnError: the model has none.
    """
    bottleneck = find_bottleneck(model)
    if bottleneck is None:
        raise CodeUnlearnError("The model has no bottleneck; make one with `codeunlearn build` or `codeunlearn train`.")
    return bottleneck
