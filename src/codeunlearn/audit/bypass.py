"""A path around the codebook: what someone gets who holds the weights and leaves the bottleneck out.

`Skip` needs nothing else: the activations pass the site as they are. `FittedMap` puts a linear map in the bottleneck's place,
fitted on text without the topic, whose input to output it imitates. Deleting codes takes the topic out of the codebook, not
out of the layers before it, from where the map carries it on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from codeunlearn.audit.base import ATTACKS, Access
from codeunlearn.codebook import (
    evaluating,
    replace_bottleneck_output,
    require_bottleneck,
    run_to_site,
    skip_bottleneck,
    source_prefix,
)
from codeunlearn.codebook.encoding import encode, pad_id, padded
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.device import suitable_batch_tokens
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import BYPASS, FITTED_MAP, System
from codeunlearn.tasks.base import Task, View
from codeunlearn.tasks.batches import by_length

RETAINED = 2500
"""Sentences without the topic that a fitted map is measured with."""
_LONGEST = 512


class Skip:
    """The bottleneck skipped."""

    name: ClassVar[str] = BYPASS
    access: ClassVar[Access] = "weights"

    def mount(self, target: System, sets: TopicSets | None, task: Task, *, seed: int = 0) -> System:
        @contextmanager
        def opened() -> Generator[View]:
            with target.open() as view, skip_bottleneck(view.model):
                yield view

        return System(self.name, "attack", opened)


@dataclass(frozen=True)
class FittedMap:
    """A linear map with a constant, by ridge least squares over the tokens of sentences without the topic.

    Attributes:
        ridge: penalty, as a share of the mean square of the bottleneck's inputs.
    """

    name: ClassVar[str] = FITTED_MAP
    access: ClassVar[Access] = "weights and data"
    ridge: float = 1e-4

    def mount(self, target: System, sets: TopicSets | None, task: Task, *, seed: int = 0) -> System:
        """See `Attack.mount`; fitted once, when the system is opened, in the state in which the target is."""
        prompts = [example.prompt for example in sets.search_retain] if sets else []
        if not prompts:
            raise CodeUnlearnError(
                "A map in the bottleneck's place is fitted on sentences without the topic, and there are none; name a topic "
                "(--topic on the command line), or build the sets with search_retain_size."
            )

        @contextmanager
        def opened() -> Generator[View]:
            with target.open() as view:
                fitted = fit_map(view, prompts, self.ridge)
                with replace_bottleneck_output(view.model, fitted):
                    yield view

        return System(self.name, "attack", opened)


def fit_map(view: View, prompts: Sequence[str], ridge: float) -> Callable[[Tensor], Tensor]:
    """The map from what enters the bottleneck to what leaves it, over all tokens of the prompts; in double precision."""
    width = require_bottleneck(view.model).config.d_model + 1
    inner = torch.zeros(width, width, dtype=torch.float64, device=view.model.device)
    outer = torch.zeros(width, width - 1, dtype=torch.float64, device=view.model.device)
    for entering, leaving in _through_the_bottleneck(view, prompts):
        x = torch.cat([entering.double(), torch.ones_like(entering[:, :1], dtype=torch.float64)], dim=1)
        inner += x.T @ x
        outer += x.T @ leaving.double()
    penalty = ridge * inner.diagonal()[:-1].mean() * torch.eye(width, dtype=torch.float64, device=inner.device)
    penalty[-1, -1] = 0  # the constant is free
    solved = torch.linalg.solve(inner + penalty, outer)
    weight, bias = solved[:-1], solved[-1]
    return lambda activations: activations.double() @ weight + bias


@torch.no_grad()
def _through_the_bottleneck(view: View, prompts: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
    """By batch, [tokens, d] that enter the bottleneck and what it makes of them."""
    model: Any = view.model
    prefix = source_prefix(model, view.prefix)
    rows = encode(view.tokenizer, [prefix + prompt for prompt in prompts], _LONGEST).ids
    bottleneck = require_bottleneck(model)
    with evaluating(model):
        for places in by_length([len(row) for row in rows], suitable_batch_tokens(model.device)):
            ids = padded([rows[i] for i in places], pad_id(view.tokenizer)).to(model.device)
            mask = padded([[1] * len(rows[i]) for i in places], 0).to(model.device)
            entering = run_to_site(model, ids, mask)[mask.bool()]
            yield entering, bottleneck(entering)


ATTACKS.register("skip")(Skip())
ATTACKS.register("fitted-map")(FittedMap())
