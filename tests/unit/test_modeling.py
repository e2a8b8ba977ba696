"""A model with a bottleneck is an ordinary Hugging Face model, and its base is untouched by it."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import BloomConfig, BloomForCausalLM

from codeunlearn.codebook import (
    BottleneckConfig,
    ConceptBottleneck,
    attach,
    find_bottleneck,
    replace_bottleneck_output,
    require_bottleneck,
    run_to_site,
    skip_bottleneck,
)
from codeunlearn.errors import CodeUnlearnError

Batch = dict[str, Tensor]


def logits(model: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad():
        return model(**batch).logits


def test_base_weights_keep_their_names_and_values(any_base: Any, tiny_config: BottleneckConfig) -> None:
    base, model = any_base.state_dict(), attach(any_base, tiny_config).state_dict()
    assert {name for name in model if "bottleneck" not in name} == set(base)
    assert all(torch.equal(model[name], value) for name, value in base.items())


def test_skipping_the_bottleneck_gives_the_base(
    any_base: Any, tiny_config: BottleneckConfig, tiny_batch: Batch
) -> None:
    model = attach(any_base, tiny_config)
    with skip_bottleneck(model):
        assert torch.equal(logits(model, tiny_batch), logits(any_base, tiny_batch))
    assert not torch.allclose(logits(model, tiny_batch), logits(any_base, tiny_batch))


def test_the_bottleneck_comes_back_when_a_skip_fails(tiny_model: Any) -> None:
    with pytest.raises(KeyError), skip_bottleneck(tiny_model):
        raise KeyError
    assert not tiny_model.bottleneck.bypasses


def test_blocks_that_overlap_skip_until_their_own_end(tiny_model: Any, tiny_batch: Batch) -> None:
    """As in two threads or tasks: the first to end does not end the other's, and nothing stays skipped."""
    whole = logits(tiny_model, tiny_batch)
    first, second = skip_bottleneck(tiny_model), skip_bottleneck(tiny_model)
    first.__enter__()
    skipped = logits(tiny_model, tiny_batch)
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.equal(logits(tiny_model, tiny_batch), skipped)
    second.__exit__(None, None, None)
    assert torch.equal(logits(tiny_model, tiny_batch), whole)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_made_while_the_bottleneck_is_skipped_has_it(
    tiny_model: Any, tiny_batch: Batch, copied: Callable[[Any], Any]
) -> None:
    with skip_bottleneck(tiny_model), replace_bottleneck_output(tiny_model, torch.zeros(3, 7, 16)):
        twin = copied(tiny_model)
    assert torch.equal(logits(twin, tiny_batch), logits(tiny_model, tiny_batch))


def test_attaching_leaves_the_base_alone(tiny_base: Any, tiny_config: BottleneckConfig, tiny_batch: Batch) -> None:
    before = logits(tiny_base, tiny_batch)
    model = attach(tiny_base, tiny_config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(logits(tiny_base, tiny_batch), before)
    assert find_bottleneck(tiny_base) is None


def test_two_models_from_one_base_share_nothing(tiny_base: Any, tiny_config: BottleneckConfig) -> None:
    first, second = attach(tiny_base, tiny_config), attach(tiny_base, tiny_config)
    first.bottleneck.config.ledger.append({"topic": "love"})
    first.generation_config.num_beams = 7
    assert second.bottleneck.config.ledger == tiny_config.ledger == []
    assert second.generation_config.num_beams == tiny_base.generation_config.num_beams != 7


def test_the_model_and_its_bottleneck_have_one_configuration(tiny_model: Any) -> None:
    """What is written to the ledger is saved with the model."""
    assert tiny_model.config.bottleneck is tiny_model.bottleneck.config
    twin = copy.deepcopy(tiny_model)
    assert twin.config.bottleneck is twin.bottleneck.config is not tiny_model.config.bottleneck


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attach_keeps_type_and_mode(tiny_base: Any, tiny_config: BottleneckConfig, dtype: torch.dtype) -> None:
    model = attach(tiny_base.to(dtype).train(), tiny_config)
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert model.training


def test_the_encoder_output_passes_through_the_codes_at_the_site(tiny_model: Any, tiny_batch: Batch) -> None:
    """The state after the site's self-attention and residual is what the bottleneck makes of it, nothing else."""
    seen: dict[str, Tensor] = {}

    def watch(module: nn.Module, args: Any, output: Any) -> None:
        seen["after"] = output[0]

    site = tiny_model.get_submodule(tiny_model.bottleneck.config.site)
    site.register_forward_hook(watch)
    logits(tiny_model, tiny_batch)
    a = run_to_site(tiny_model, tiny_batch["input_ids"], tiny_batch["attention_mask"])
    with torch.no_grad():
        assert torch.equal(seen["after"], tiny_model.bottleneck(a))


def test_running_to_the_site_stops_there(tiny_model: Any, tiny_batch: Batch) -> None:
    reached: list[str] = []
    for name in ("encoder.block.2", "decoder", "lm_head"):
        tiny_model.get_submodule(name).register_forward_hook(lambda *_, name=name: reached.append(name))
    run_to_site(tiny_model, tiny_batch["input_ids"], tiny_batch["attention_mask"])
    assert reached == []
    logits(tiny_model, tiny_batch)
    assert set(reached) == {"encoder.block.2", "decoder", "lm_head"}


def test_every_parameter_gets_a_gradient(any_base: Any, tiny_config: BottleneckConfig, tiny_batch: Batch) -> None:
    model = attach(any_base, tiny_config)
    model(**tiny_batch).loss.backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_bf16_autocast_selects_the_same_codes_for_the_same_activations(tiny_model: Any, tiny_batch: Batch) -> None:
    a = run_to_site(tiny_model, tiny_batch["input_ids"], tiny_batch["attention_mask"])
    h = tiny_model.bottleneck.encode(a).detach().reshape(-1, 12)
    plain = tiny_model.bottleneck.codebook.search(h, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = tiny_model.bottleneck.codebook.search(h, 4)
        assert tiny_model(**tiny_batch).loss.isfinite()
    assert torch.equal(plain.ids, mixed.ids)


def test_a_deepcopy_runs_its_own_bottleneck(tiny_model: Any, tiny_batch: Batch) -> None:
    before = logits(tiny_model, tiny_batch)
    twin = copy.deepcopy(tiny_model)
    assert torch.equal(logits(twin, tiny_batch), before)
    twin.bottleneck.codebook.deleted[:32] = True
    assert not torch.equal(logits(twin, tiny_batch), before)
    assert torch.equal(logits(tiny_model, tiny_batch), before)


def test_a_pickled_model_runs_its_bottleneck(tiny_model: Any, tiny_batch: Batch) -> None:
    twin = pickle.loads(pickle.dumps(tiny_model))
    assert torch.equal(logits(twin, tiny_batch), logits(tiny_model, tiny_batch))
    twin.bottleneck.codebook.deleted[:32] = True
    assert not torch.equal(logits(twin, tiny_batch), logits(tiny_model, tiny_batch))


@pytest.mark.parametrize(
    "options",
    [{"num_beams": 1}, {"num_beams": 3, "num_return_sequences": 2}, {"do_sample": True, "top_k": 5}],
)
def test_generate_runs_through_the_bottleneck_once(tiny_model: Any, tiny_batch: Batch, options: dict[str, Any]) -> None:
    """Greedy, with beams and by sampling: the encoder, and with it the bottleneck, runs once per batch."""
    calls: list[tuple[int, ...]] = []
    tiny_model.bottleneck.register_forward_hook(lambda _, args, __: calls.append(tuple(args[0].shape)))
    inputs = {name: tiny_batch[name] for name in ("input_ids", "attention_mask")}
    torch.manual_seed(3)
    first = tiny_model.generate(**inputs, max_new_tokens=5, **options)
    torch.manual_seed(3)
    assert torch.equal(first, tiny_model.generate(**inputs, max_new_tokens=5, **options))
    assert calls == [(3, 7, 16)] * 2
    assert first.shape[0] == 3 * options.get("num_return_sequences", 1)


@pytest.mark.parametrize("asked", [None, {"use_reentrant": True}])
def test_gradient_checkpointing_changes_no_gradient_and_records_once(
    tiny_model: Any, tiny_batch: Batch, asked: dict[str, Any] | None
) -> None:
    def train_step(model: Any) -> dict[str, Tensor]:
        output = model.train()(**tiny_batch, output_bottleneck=True)
        record = output.bottleneck
        (output.loss + (record.a - record.a_hat).square().mean()).backward()
        assert model.bottleneck.recorded is None
        return {name: p.grad for name, p in model.named_parameters()}

    saving = copy.deepcopy(tiny_model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # transformers renames the method in version 6
        saving.gradient_checkpointing_enable(asked)
    runs: list[object] = []
    saving.bottleneck.register_forward_hook(lambda *_: runs.append(None))
    plain, checkpointed = train_step(tiny_model), train_step(saving)
    assert len(runs) == 2  # the second run is the checkpoint's
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient, msg=name)


def test_the_record_is_handed_out_only_on_request(tiny_model: Any, tiny_batch: Batch) -> None:
    assert not hasattr(tiny_model(**tiny_batch), "bottleneck")
    record = tiny_model(**tiny_batch, output_bottleneck=True).bottleneck
    assert record.a.shape == (3, 7, 16)
    assert record.ids.shape == (3, 7, 4)
    assert tiny_model.bottleneck.recorded is None


def test_without_a_return_dict_the_record_is_the_last_of_the_tuple(tiny_model: Any, tiny_batch: Batch) -> None:
    output = tiny_model(**tiny_batch, output_bottleneck=True, return_dict=False)
    assert torch.equal(output[-1].ids, tiny_model(**tiny_batch, output_bottleneck=True).bottleneck.ids)
    assert torch.equal(output[0], tiny_model(**tiny_batch, return_dict=False)[0])


def test_a_skipped_bottleneck_has_no_record_and_says_so(tiny_model: Any, tiny_batch: Batch) -> None:
    with skip_bottleneck(tiny_model), pytest.raises(CodeUnlearnError, match="nothing of it to record"):
        tiny_model(**tiny_batch, output_bottleneck=True)


def test_nothing_is_kept_when_a_recorded_forward_pass_fails(tiny_model: Any) -> None:
    with pytest.raises(IndexError):
        tiny_model(input_ids=torch.tensor([[10**6]]), labels=torch.tensor([[1]]), output_bottleneck=True)
    assert tiny_model.bottleneck.recorded is None


def test_the_bottleneck_is_found_inside_a_wrapper(tiny_model: Any) -> None:
    assert find_bottleneck(nn.Sequential(tiny_model)) is tiny_model.bottleneck
    assert isinstance(require_bottleneck(tiny_model), ConceptBottleneck)


def test_a_missing_site_is_one_clear_error_that_lists_those_that_exist(
    tiny_base: Any, tiny: Callable[..., Any]
) -> None:
    sites = ", ".join(f"encoder.block.{i}.layer.0" for i in range(3))
    with pytest.raises(CodeUnlearnError, match=rf"no site 'encoder.block.3.layer.0'; it has {sites}"):
        tiny(site="encoder.block.3.layer.0")
    with pytest.raises(CodeUnlearnError, match=r"no site 'decoder.block.0.layer.0'"):
        tiny(site="decoder.block.0.layer.0")


def test_wrong_width_is_one_clear_error(tiny: Callable[..., Any]) -> None:
    with pytest.raises(CodeUnlearnError, match="is 20 wide and the model 16"):
        tiny(d_model=20)


def test_a_second_bottleneck_is_one_clear_error(tiny_model: Any, tiny_config: BottleneckConfig) -> None:
    with pytest.raises(CodeUnlearnError, match="already has a bottleneck"):
        attach(tiny_model, tiny_config)


def test_an_unsupported_architecture_is_one_clear_error(tiny_config: BottleneckConfig) -> None:
    bloom = BloomForCausalLM(BloomConfig(vocab_size=20, hidden_size=16, n_layer=1, n_head=2))
    with pytest.raises(CodeUnlearnError, match=r"cannot be attached to a 'bloom' model; supported are .*llama,"):
        attach(bloom, tiny_config)


def test_a_model_without_a_bottleneck_is_one_clear_error_where_one_is_needed(tiny_base: Any) -> None:
    with pytest.raises(CodeUnlearnError, match="has no bottleneck; make one with"):
        require_bottleneck(tiny_base)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_training_step_on_cuda_agrees_with_the_processor(tiny_model: Any, tiny_batch: Batch) -> None:
    on_gpu = copy.deepcopy(tiny_model).cuda()
    tiny_model(**tiny_batch).loss.backward()
    on_gpu(**{name: value.cuda() for name, value in tiny_batch.items()}).loss.backward()
    for name, parameter in tiny_model.named_parameters():
        got = on_gpu.get_parameter(name).grad
        torch.testing.assert_close(got.cpu(), parameter.grad, atol=1e-3, rtol=1e-3, msg=name)
