"""A causal model's first token, which passes the site as it is where it stands for no text.

The first token of a sequence sees nothing but itself, and models make it a sink for attention: its state is many times longer
than any other, and no sum of other tokens' codes comes near it. Where it is a control token, such as ``<s>``, its state is the
same whatever follows and says nothing of any text, so it may pass. A token of the text never passes, wherever it stands,
nor does a control token that sees another token.

What a token is, only the part of the model that reads ids knows; what it sees, its layers know for certain. So the former
marks control tokens that could be alone, and the layer with the site looks its attention mask up where that leaves doubt. The
mark is an argument from one to the other: gradient checkpointing runs the layer again with the same arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

KEY = "attention_sinks"
"""The argument's name."""
Runs = tuple[tuple[int, int], ...]


class Sinks(NamedTuple):
    """The first tokens of a batch that stand for no text.

    Attributes:
        certain: [batch, length] bool.
        column: [batch, length], of control tokens that are alone if the layer's mask says so, as where sequences are packed:
            where the token stands among the keys of attention; -1 for all others. None where nothing is in doubt.
    """

    certain: Tensor
    column: Tensor | None = None


def runs(ids: Iterable[int]) -> Runs:
    """First and last of each run of neighbours: control tokens mostly are, and so need no tensor to be compared with."""
    found: list[tuple[int, int]] = []
    for one in sorted(set(ids)):
        if found and one == found[-1][1] + 1:
            found[-1] = (found[-1][0], one)
        else:
            found.append((one, one))
    return tuple(found)


def find_sinks(control: Runs, given: Mapping[str, Any], *, flash: bool = False) -> Sinks | None:
    """The sinks among the tokens that a model is given; None where it is given states, or a mask that cannot be read.

    Args:
        control: the ids of control tokens.
        given: the arguments of the model's ``forward``.
        flash: attention is FlashAttention, which takes packed sequences apart by position ids where there is no mask.
    """
    ids, mask = given.get("input_ids"), given.get("attention_mask")
    if ids is None or not (mask is None or isinstance(mask, Tensor | dict)):
        return None
    cache = given.get("cache", given.get("past_key_values"))
    seen: int | Tensor = 0 if cache is None else cache.get_seq_length()
    column = torch.arange(ids.shape[1], device=ids.device) + seen
    is_control = torch.zeros_like(ids, dtype=torch.bool)
    for low, high in control:
        is_control = is_control | ((ids >= low) & (ids <= high))
    if isinstance(mask, Tensor) and mask.ndim == 2:
        return Sinks(is_control & _first_attended(mask.to(ids.device, torch.bool), column))
    if mask is not None:  # prepared for attention itself
        return Sinks(torch.zeros_like(is_control), torch.where(is_control, column, -1))
    first, positions = column == 0, given.get("position_ids")
    if positions is None or positions.ndim != 2:
        return Sinks(is_control & first)
    positions = positions.to(ids.device)
    if flash:
        packed = (positions == 0) & (column == torch.arange(ids.shape[1], device=ids.device))
        return Sinks(is_control & (first | packed if len(ids) == 1 else first))
    begins = positions.diff(prepend=positions[:, :1] - 1) != 1
    return Sinks(is_control & first, torch.where(is_control & begins, column, -1))


def passing(sinks: Sinks, mask: Any) -> Tensor:
    """[batch, length] bool: which states pass.

    Args:
        mask: what the layer's attention is masked with.
    """
    if sinks.column is None or not isinstance(mask, Tensor) or mask.ndim != 4:
        return sinks.certain
    sees = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min
    itself = sees.int().argmax(-1) == sinks.column.to(mask.device)[:, None]
    alone = ((sees.sum(-1) == 1) & itself).all(1)
    return sinks.certain | alone.to(sinks.certain.device)


def _first_attended(mask: Tensor, column: Tensor) -> Tensor:
    """[batch, length] bool: the first token of its row that is no padding, of [batch, keys] and the places of the tokens."""
    inside = column.clamp(max=mask.shape[1] - 1)
    return (column < mask.shape[1]) & mask[:, inside] & (mask.cumsum(-1)[:, inside] == 1)
