"""The bottleneck computes equations 3 to 5, and its gradients are the straight-through ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook import DELETION_MODES, BottleneckConfig, ConceptBottleneck, DeletionMode
from codeunlearn.errors import CodeUnlearnError


def make(dtype: torch.dtype = torch.float64, **changes: Any) -> ConceptBottleneck:
    torch.manual_seed(0)
    bottleneck = ConceptBottleneck(
        BottleneckConfig(**{"d_model": 5, "num_codes": 30, "code_dim": 8, "top_s": 3, **changes})
    )
    return bottleneck.to(dtype)


def activations(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, 5, generator=torch.Generator().manual_seed(1), dtype=dtype)


def test_the_encoder_is_linear_then_relu_then_layer_norm() -> None:
    bottleneck = make()
    a = activations(4)
    x = (a @ bottleneck.encoder.weight.T + bottleneck.encoder.bias).clamp_min(0)
    expected = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(bottleneck.encode(a), expected)


def test_the_output_is_the_decoded_sum_of_the_nearest_codes() -> None:
    """Equations 1, 2, 3 and 5 written out for every token."""
    bottleneck = make()
    a = activations(2, 3)
    codes, output = bottleneck.codebook.weight, bottleneck(a)
    for i in range(2):
        for j in range(3):
            h = bottleneck.encode(a[i, j])
            nearest = F.cosine_similarity(h[None], codes).topk(3).indices
            expected = bottleneck.decoder.weight @ codes[nearest].sum(0) + bottleneck.decoder.bias
            torch.testing.assert_close(output[i, j], expected)


def test_without_the_autoencoder_the_output_is_the_sum_of_the_nearest_codes() -> None:
    bottleneck = make(autoencoder=False, code_dim=5)
    a = activations(4)
    nearest = F.cosine_similarity(a[:, None], bottleneck.codebook.weight[None], dim=-1).topk(3).indices
    torch.testing.assert_close(bottleneck(a), bottleneck.codebook.weight[nearest].sum(1))
    with pytest.raises(CodeUnlearnError, match="must be 5, not 8"):
        make(autoencoder=False)


def test_there_is_no_way_around_the_codes() -> None:
    """With every code deleted and `drop`, the output is the same whatever comes in."""
    bottleneck = make(deletion_mode="drop")
    bottleneck.codebook.deleted.fill_(True)
    torch.testing.assert_close(bottleneck(activations(6)), bottleneck.decoder.bias.expand(6, 5))


@pytest.mark.parametrize("mode", DELETION_MODES)
def test_inputs_that_select_the_same_codes_leave_as_the_same(mode: DeletionMode) -> None:
    bottleneck = make(deletion_mode=mode)
    bottleneck.codebook.deleted[::3] = True
    a = activations(1)
    near = a * (1 + 1e-6)
    assert torch.equal(bottleneck.select(a).ids, bottleneck.select(near).ids)
    torch.testing.assert_close(bottleneck(a), bottleneck(near), atol=1e-14, rtol=0)


def test_codes_get_the_gradient_of_the_sum_and_the_encoder_gets_it_straight_through() -> None:
    bottleneck = make()
    a = activations(4, 2).requires_grad_()
    upstream = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    bottleneck(a).backward(upstream)
    got = {name: p.grad.clone() for name, p in bottleneck.named_parameters()}
    got["a"] = a.grad

    at_sum = upstream @ bottleneck.decoder.weight  # the gradient that arrives at the sum of codes
    expected_codes = torch.zeros_like(bottleneck.codebook.weight)
    ids = bottleneck.select(a).ids
    for token, gradient in zip(ids.view(-1, 3), at_sum.view(-1, 8), strict=True):
        expected_codes[token] += gradient
    torch.testing.assert_close(got["codebook.weight"], expected_codes)

    bottleneck.zero_grad()
    a.grad = None
    bottleneck.encode(a).backward(at_sum)  # nothing but eq. 4 between the sum's gradient and the encoder
    for name in ("encoder.weight", "encoder.bias", "norm.weight", "norm.bias"):
        torch.testing.assert_close(got[name], bottleneck.get_parameter(name).grad, msg=name)
    torch.testing.assert_close(got["a"], a.grad)


def test_the_decoder_gets_the_gradient_of_what_it_really_saw() -> None:
    bottleneck = make()
    output = bottleneck.run(activations(6))
    output.a_hat.sum().backward()
    expected = output.code_sum.sum(0).expand(5, 8)
    torch.testing.assert_close(bottleneck.decoder.weight.grad, expected)


def test_nothing_flows_through_the_similarities() -> None:
    """A code that is not selected gets exactly no gradient, though its similarity was compared."""
    bottleneck = make()
    output = bottleneck.run(activations(4))
    output.a_hat.square().sum().backward()
    unused = torch.ones(30, dtype=torch.bool)
    unused[output.ids.flatten()] = False
    assert unused.any()
    assert (bottleneck.codebook.weight.grad[unused] == 0).all()
    assert (bottleneck.codebook.weight.grad[~unused] != 0).any(dim=1).all()


def test_the_record_of_a_batch_holds_its_parts() -> None:
    bottleneck = make()
    a = activations(2, 3)
    output = bottleneck.run(a)
    assert output.a is a
    assert torch.equal(output.h, bottleneck.encode(a))
    assert torch.equal(output.ids, bottleneck.select(a).ids)
    torch.testing.assert_close(output.code_sum, bottleneck.codebook.weight[output.ids].sum(-2))
    torch.testing.assert_close(output.a_hat, bottleneck(a))


def test_a_search_may_ask_for_more_codes_than_the_forward_pass_sums() -> None:
    selection = make().select(activations(2, 3), 20)
    assert selection.ids.shape == selection.scores.shape == (2, 3, 20)
    assert torch.equal(selection.ids[..., :3], make().select(activations(2, 3)).ids)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_output_and_gradients_keep_the_type_of_the_weights(dtype: torch.dtype) -> None:
    bottleneck = make(dtype)
    output = bottleneck(activations(4, dtype=dtype))
    output.float().sum().backward()
    assert output.dtype == dtype
    assert bottleneck.codebook.weight.grad is not None
    assert bottleneck.codebook.weight.grad.dtype == dtype


def test_under_autocast_all_parameters_get_finite_gradients() -> None:
    bottleneck = make(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        bottleneck(activations(6, dtype=torch.float32)).float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in bottleneck.parameters())


def test_a_fresh_bottleneck_has_no_deletions_and_finite_codes() -> None:
    bottleneck = make(num_codes=1000)
    assert not bottleneck.codebook.deleted.any()
    assert torch.equal(bottleneck.codebook.code_ids, torch.arange(1000))
    assert float(bottleneck.codebook.weight.detach().norm(dim=1).mean()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("top_s", [0, 31])
def test_s_outside_of_k_is_one_clear_error(top_s: int) -> None:
    with pytest.raises(CodeUnlearnError, match=f"S = {top_s} codes per token cannot come from K = 30"):
        make(top_s=top_s)


def test_an_unknown_deletion_mode_is_one_clear_error() -> None:
    with pytest.raises(CodeUnlearnError, match="deletion_mode is 'erase'; choose one of refill, drop, anchor"):
        make(deletion_mode="erase")


def test_unknown_configuration_keys_warn_and_are_kept() -> None:
    with pytest.warns(UserWarning, match="has colour, which this version"):
        config = BottleneckConfig(colour="red")
    assert config.to_dict()["colour"] == "red"


@pytest.mark.filterwarnings("error")
def test_a_configuration_of_ones_own_does_not_warn() -> None:
    config = BottleneckConfig(top_s=5, ledger=[{"topic": "love"}])
    again = BottleneckConfig(**config.to_dict())
    assert again.to_dict() == config.to_dict()
