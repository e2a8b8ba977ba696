"""One optimizer that is several: every weight is trained once, by the right part, at the scheduled rate."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.optimizer import CombinedOptimizer, make_optimizer

Batch = dict[str, Tensor]
BOTH = ["adamw", "muon"]


def make(model: Any, name: str) -> Optimizer:
    return make_optimizer(model, name, learning_rate=1e-2, bottleneck_learning_rate=1e-3, weight_decay=0.1)


def step(model: Any, optimizer: Optimizer, batch: Batch) -> None:
    optimizer.zero_grad()
    model(**batch).loss.backward()
    optimizer.step()


def groups_of(optimizer: Optimizer) -> dict[int, dict[str, Any]]:
    return {id(p): group for group in optimizer.param_groups for p in group["params"]}


@pytest.mark.parametrize("name", BOTH)
def test_every_parameter_is_in_exactly_one_group(tiny_model: Any, name: str) -> None:
    listed = [id(p) for group in make(tiny_model, name).param_groups for p in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(p) for p in tiny_model.parameters()}


@pytest.mark.parametrize("name", BOTH)
def test_a_frozen_parameter_is_in_none(tiny_model: Any, name: str) -> None:
    tiny_model.shared.weight.requires_grad_(False)
    tiny_model.bottleneck.encoder.weight.requires_grad_(False)
    listed = groups_of(make(tiny_model, name))
    assert set(listed) == {id(p) for p in tiny_model.parameters() if p.requires_grad}


@pytest.mark.parametrize("name", BOTH)
def test_the_bottleneck_has_a_rate_of_its_own_and_no_decay(tiny_model: Any, name: str) -> None:
    groups = groups_of(make(tiny_model, name))
    inside = {id(p) for p in tiny_model.bottleneck.parameters()}
    assert {groups[i]["lr"] for i in inside} == {1e-3}
    assert {groups[i]["weight_decay"] for i in inside} == {0.0}
    assert {group["lr"] for i, group in groups.items() if i not in inside} == {1e-2}


def test_muon_takes_the_matrices_between_layers_only(tiny_model: Any) -> None:
    optimizer = make(tiny_model, "muon")
    assert isinstance(optimizer, CombinedOptimizer)
    muon = {id(p) for group in optimizer.parts[0].param_groups for p in group["params"]}
    names = {name for name, p in tiny_model.named_parameters() if id(p) in muon}
    assert all(tiny_model.get_parameter(name).ndim == 2 for name in names)
    assert "encoder.block.0.layer.0.SelfAttention.q.weight" in names
    assert "decoder.block.1.layer.2.DenseReluDense.wo.weight" in names
    assert not [n for n in names if "shared" in n or "bias" in n or "norm" in n or "bottleneck" in n]


@pytest.mark.parametrize("name", BOTH)
def test_a_step_moves_every_parameter(tiny_model: Any, tiny_batch: Batch, name: str) -> None:
    before = {n: p.detach().clone() for n, p in tiny_model.named_parameters()}
    step(tiny_model, make(tiny_model, name), tiny_batch)
    assert [n for n, p in tiny_model.named_parameters() if torch.equal(p, before[n])] == []


def test_zero_grad_reaches_all_parts(tiny_model: Any, tiny_batch: Batch) -> None:
    optimizer = make(tiny_model, "muon")
    step(tiny_model, optimizer, tiny_batch)
    optimizer.zero_grad()
    assert all(p.grad is None for p in tiny_model.parameters())


@pytest.mark.parametrize("name", BOTH)
def test_a_restored_optimizer_goes_on_where_it_was(tiny_model: Any, tiny_batch: Batch, name: str) -> None:
    optimizer = make(tiny_model, name)
    for _ in range(2):
        step(tiny_model, optimizer, tiny_batch)
    twin = copy.deepcopy(tiny_model)
    restored = make(twin, name)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(tiny_model, optimizer, tiny_batch)
    step(twin, restored, tiny_batch)
    for (n, p), q in zip(tiny_model.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, q), n


def test_without_its_state_it_would_not(tiny_model: Any, tiny_batch: Batch) -> None:
    optimizer = make(tiny_model, "muon")
    for _ in range(2):
        step(tiny_model, optimizer, tiny_batch)
    twin = copy.deepcopy(tiny_model)
    step(tiny_model, optimizer, tiny_batch)
    step(twin, make(twin, "muon"), tiny_batch)
    assert any(not torch.equal(p, q) for p, q in zip(tiny_model.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("restored_first", [False, True])
def test_the_schedulers_rates_reach_the_parts(restored_first: bool) -> None:
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = CombinedOptimizer([SGD([weights[0]], lr=1.0), SGD([weights[1]], lr=0.1)])
    if restored_first:
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    scheduler = LambdaLR(optimizer, lambda done: 0.5**done)
    for expected in ([0.0, 0.9], [-0.5, 0.85], [-0.75, 0.825]):
        for weight in weights:
            weight.grad = torch.ones(2)
        optimizer.step()
        scheduler.step()
        assert [float(w.detach()[0]) for w in weights] == pytest.approx(expected)
    assert [part.param_groups[0]["lr"] for part in optimizer.parts] == pytest.approx([0.125, 0.0125])


def test_a_scheduler_that_was_there_before_restoring_still_reaches_the_parts() -> None:
    """The order of the Trainer: optimizer, scheduler, then both states from a checkpoint."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = CombinedOptimizer([AdamW([weight], lr=1.0)])
    scheduler = LambdaLR(optimizer, lambda done: 0.1 * (done + 1))
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.step()
    scheduler.step()
    assert optimizer.parts[0].param_groups[0]["lr"] == pytest.approx(0.2)


def test_an_unknown_optimizer_is_one_clear_error(tiny_model: Any) -> None:
    with pytest.raises(CodeUnlearnError, match="Unknown optimizer 'sgd'; choose adamw or muon"):
        make(tiny_model, "sgd")
