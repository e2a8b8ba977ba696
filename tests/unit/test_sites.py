"""A place is a rule: the state that a rule names passes through the bottleneck, however the model computes it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from codeunlearn.codebook import BottleneckConfig, ConceptBottleneck, Output, Residual, skip_bottleneck
from codeunlearn.codebook.sites import Site

IDS = torch.tensor([[3, 7, 11, 2], [5, 5, 1, 30]])


def llama() -> Any:
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2
    )
    return LlamaForCausalLM(config).eval()


def gpt2() -> Any:
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=3, n_head=2, n_positions=32)).eval()


class PostNorm(nn.Module):
    """As BART and BERT: a norm hands out the state after the residual."""

    def __init__(self) -> None:
        super().__init__()
        self.branch, self.norm, self.head = nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(x + self.branch(x)))


RESIDUAL = {
    "llama": (llama, Residual("model.layers.1", "self_attn", 0), "mlp", "post_attention_layernorm"),
    "gpt2": (gpt2, Residual("transformer.h.1", "attn", 0), "mlp", "ln_2"),
}


def fitted(model: nn.Module, site: Site) -> ConceptBottleneck:
    bottleneck = ConceptBottleneck(BottleneckConfig(d_model=16, num_codes=64, code_dim=12, top_s=4)).eval()
    site.install(model, bottleneck)
    return bottleneck


@pytest.fixture(params=RESIDUAL)
def residual(request: pytest.FixtureRequest) -> tuple[Any, Any, ConceptBottleneck, Residual, str, str]:
    """A base, the same with a bottleneck, it and its rule, and the names of what the layer does next."""
    make, site, mlp, norm = RESIDUAL[request.param]
    torch.manual_seed(0)
    base = make()
    model = copy.deepcopy(base)
    return base, model, fitted(model, site), site, mlp, norm


@torch.no_grad()
def test_a_residual_sum_passes_through_the_bottleneck(residual: Any) -> None:
    """Compared with the layer computed by hand: the state x + attention(x), its reconstruction, and the rest of the layer."""
    base, model, bottleneck, site, mlp, norm = residual
    entered, attended, left = [], [], []
    plain = base.get_submodule(site.layer)
    plain.register_forward_pre_hook(
        lambda _, args, kwargs: entered.append((*args, *kwargs.values())[0]), with_kwargs=True
    )
    plain.get_submodule(site.branch).register_forward_hook(lambda *call: attended.append(call[2][0]))
    model.get_submodule(site.layer).register_forward_hook(lambda *call: left.append(call[2]))
    base(input_ids=IDS), model(input_ids=IDS)
    state = bottleneck(entered[0] + attended[0])
    expected = state + plain.get_submodule(mlp)(plain.get_submodule(norm)(state))
    torch.testing.assert_close(left[0], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_skipping_the_bottleneck_gives_the_base_to_the_last_bit(residual: Any) -> None:
    base, model, *_ = residual
    with skip_bottleneck(model):
        assert torch.equal(model(input_ids=IDS).logits, base(input_ids=IDS).logits)
    assert not torch.allclose(model(input_ids=IDS).logits, base(input_ids=IDS).logits, atol=1e-3)


@torch.no_grad()
def test_a_compiled_model_is_the_model(residual: Any) -> None:
    base, model, *_ = residual
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(input_ids=IDS).logits, model(input_ids=IDS).logits)
    with skip_bottleneck(model):
        torch.testing.assert_close(compiled(input_ids=IDS).logits, base(input_ids=IDS).logits)


@torch.no_grad()
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_its_own_bottleneck(residual: Any, copied: Any) -> None:
    _, model, bottleneck, site, *_ = residual
    twin, before = copied(model), model(input_ids=IDS).logits
    assert torch.equal(twin(input_ids=IDS).logits, before)
    twin.get_submodule(site.path).bottleneck.codebook.deleted[:32] = True
    assert not torch.equal(twin(input_ids=IDS).logits, before)
    assert not bottleneck.codebook.deleted.any()


@torch.no_grad()
def test_an_output_passes_through_the_bottleneck() -> None:
    torch.manual_seed(0)
    base, x = PostNorm(), torch.randn(2, 5, 16)
    model = copy.deepcopy(base)
    bottleneck = fitted(model, Output("norm"))
    assert torch.equal(model(x), base.head(bottleneck(base.norm(x + base.branch(x)))))


def test_a_gradient_reaches_codes_and_base_through_a_residual_sum(residual: Any) -> None:
    _, model, bottleneck, *_ = residual
    model(input_ids=IDS, labels=IDS).loss.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert bottleneck.codebook.weight.grad is not None
