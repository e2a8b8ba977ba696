"""Models inside wrappers run their bottleneck, keep their deletions, and are recognised as what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DataParallel, DistributedDataParallel

from codeunlearn.codebook import require_bottleneck, run_to_site, unwrapped

Batch = dict[str, Tensor]


class Int8Linear(nn.Module):
    """A layer whose weights are int8 with a scale for each row, as quantised bases have them."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.scale = nn.Buffer(linear.weight.detach().abs().amax(1, keepdim=True) / 127)
        self.weight = nn.Parameter((linear.weight.detach() / self.scale).round().to(torch.int8), requires_grad=False)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, (self.weight * self.scale).to(x.dtype), self.bias)


def in_int8(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, Int8Linear(child))
    return model


def with_lora(model: Any) -> Any:
    return get_peft_model(model, LoraConfig(r=2, target_modules=["q", "v"]))


def merged_lora(model: Any) -> Any:
    return with_lora(model).merge_and_unload()


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "DataParallel": DataParallel,
    "DDP": DistributedDataParallel,
    "FSDP": lambda model: FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu")),
    "fully_shard": lambda model: fully_shard(model) or model,
    "LoRA": with_lora,
    "merged LoRA": merged_lora,
    "int8": in_int8,
}


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_model_runs_its_bottleneck_and_forgets(
    wrap: Callable[[Any], Any], tiny: Callable[..., Any], tiny_batch: Batch
) -> None:
    with torch.no_grad():
        expected = tiny()(**tiny_batch, output_bottleneck=True)
        wrapped = wrap(tiny()).eval()
        found = wrapped(**tiny_batch, output_bottleneck=True)
        if wrap is not in_int8:
            torch.testing.assert_close(found.logits, expected.logits)
            assert torch.equal(found.bottleneck.ids, expected.bottleneck.ids)
        deleted = found.bottleneck.ids.unique()[::2]
        require_bottleneck(wrapped).codebook.deleted[deleted] = True
        forgotten = wrapped(**tiny_batch, output_bottleneck=True)
    assert not torch.isin(forgotten.bottleneck.ids, deleted).any()
    assert not torch.equal(forgotten.logits, found.logits)


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("name", ["DataParallel", "DDP", "LoRA"])
def test_the_model_inside_is_found_and_run_to_its_site(name: str, tiny: Callable[..., Any], tiny_batch: Batch) -> None:
    model = tiny()
    inputs = tiny_batch["input_ids"], tiny_batch["attention_mask"]
    expected = run_to_site(model, *inputs)
    wrapped = WRAPPERS[name](model)
    assert unwrapped(wrapped) is model
    assert unwrapped(torch.compile(wrapped, backend="eager")) is model
    assert torch.equal(run_to_site(wrapped, *inputs), expected)
