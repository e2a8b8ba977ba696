"""Ways of running a model, each of which must run its bottleneck with its deletions: compiled, and inside wrappers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DataParallel, DistributedDataParallel
from transformers import LlamaConfig, LlamaForCausalLM

from codeunlearn.codebook import attach, bottleneck_for, model_identity, require_bottleneck, skip_bottleneck
from codeunlearn.unlearning import ForgetSet, forgetting

Batch = dict[str, Tensor]
KINDS = ("t5", "t5-v1.1", "mt5")
PLACES = ("block", "attention")
"""Of a causal model's layer."""
SITES = tuple(f"encoder.block.{layer}.layer.0" for layer in range(3))


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
    return get_peft_model(model, LoraConfig(r=2, target_modules=["q", "v", "q_proj", "v_proj"]))


def merged_lora(model: Any) -> Any:
    return with_lora(model).merge_and_unload()


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "DataParallel": DataParallel,
    "DDP": DistributedDataParallel,
    "FSDP": lambda model: FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu")),
    "fully_shard": lambda model: fully_shard(model) or model,
    "LoRA": with_lora,
    "merged LoRA": merged_lora,
    "int8": in_int8,
}


def plain_causal() -> Any:
    """A tiny Llama."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3}
    config = LlamaConfig(vocab_size=48, num_attention_heads=2, initializer_range=0.3, **shape)
    return LlamaForCausalLM(config).eval()


def make_causal(where: str = "block") -> Any:
    """`plain_causal` with lexical and residual codes; its first token passes where it is <s> (1)."""
    base = plain_causal()
    torch.manual_seed(1)
    shape: dict[str, Any] = {"layer": 1, "where": where, "num_codes": 89, "top_s": 4}
    return attach(base, bottleneck_for(base.config, selection="residual", **shape))


def causal_batch(batch: Batch) -> Batch:
    """Inputs and labels of the same texts behind <s>."""
    ids = torch.cat([torch.ones_like(batch["input_ids"][:, :1]), batch["input_ids"]], 1)
    mask = torch.cat([torch.ones_like(ids[:, :1]), batch["attention_mask"]], 1)
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}


def used_codes(model: Any, batch: Batch) -> ForgetSet:
    """Half of the codes that the batch selects."""
    with torch.no_grad():
        used = model(**batch, output_bottleneck=True).bottleneck.ids.unique()
    return ForgetSet("used", tuple(used[::2].tolist()), model_identity(model))


def check_wrapped(model: Any, wrapped: Any, batch: Batch, *, exact: bool = True) -> None:
    """The wrapped model gives what ``model`` gives (unless it is rounded), and codes deleted in it are selected no more."""
    with torch.no_grad():
        expected = model(**batch, output_bottleneck=True)
        found = wrapped(**batch, output_bottleneck=True)
        if exact:
            torch.testing.assert_close(found.logits, expected.logits)
            assert torch.equal(found.bottleneck.ids, expected.bottleneck.ids)
        deleted = found.bottleneck.ids.unique()[::2]
        require_bottleneck(wrapped).codebook.deleted[deleted] = True
        forgotten = wrapped(**batch, output_bottleneck=True)
    assert not torch.isin(forgotten.bottleneck.ids, deleted).any()
    assert not torch.equal(forgotten.logits, found.logits)


def check_steps(model: Any, ids: Tensor, gone: ForgetSet, steps: int = 6) -> None:
    """``generate`` selects token by token what one pass over its output selects, and nothing that is deleted."""
    bottleneck, selected = require_bottleneck(model), list[Tensor]()
    watched = bottleneck.register_forward_pre_hook(lambda _, args: selected.append(bottleneck.select(args[0]).ids))
    try:
        whole = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=steps, do_sample=False)
    finally:
        watched.remove()
    with torch.no_grad():
        once = model(whole[:, :-1], output_bottleneck=True).bottleneck.ids
    assert len(selected) == whole.shape[1] - ids.shape[1]
    assert torch.equal(torch.cat(selected, 1), once)
    assert not torch.isin(once, torch.tensor(gone.ids)).any()


def check_compiled(model: Any, batch: Batch, compiled: Callable[..., Any], plain: Callable[..., Any]) -> None:
    """``compiled`` gives what ``plain`` gives: before, inside and after a deletion, and with the bottleneck skipped."""
    results: list[Tensor] = []
    states = (nullcontext(), forgetting(model, used_codes(model, batch)), skip_bottleneck(model), nullcontext())
    for state in states:
        with state, torch.no_grad():
            results.append(plain(**batch)[0])
            torch.testing.assert_close(compiled(**batch)[0], results[-1], rtol=1e-4, atol=1e-4)
    whole, forgotten, skipped, after = results
    assert torch.equal(whole, after)
    assert not torch.allclose(whole, forgotten, atol=1e-3)
    assert not torch.allclose(whole, skipped, atol=1e-3)


def cases(
    make: Callable[..., Any], batch: Batch, backends: tuple[str, ...]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The whole matrix by name: every kind of model, site and backend, encoder and model compiled, and every wrapper.

    Args:
        make: makes a tiny model of a kind with its bottleneck at ``site``.
        batch: inputs with labels.
    """
    source = {name: batch[name] for name in ("input_ids", "attention_mask")}

    def compiled(kind: str, site: str, backend: str, part: str) -> None:
        torch.compiler.reset()
        model = make(kind, site=site)
        if part == "encoder":
            inner, inputs = model.encoder, source
        else:
            inner, inputs = model, batch
            inputs = {**source, "decoder_input_ids": batch["labels"]}
        check_compiled(
            model, {**batch}, lambda **_: torch.compile(inner, backend=backend)(**inputs), lambda **_: inner(**inputs)
        )

    def compiled_causal(where: str, backend: str) -> None:
        torch.compiler.reset()
        model = make_causal(where)
        inner, inputs = torch.compile(model, backend=backend), causal_batch(source)
        check_compiled(model, inputs, inner, lambda **given: model(**given))

    for where in PLACES:
        for backend in backends:
            yield f"compiled, llama, {where}, {backend}", lambda a=(where, backend): compiled_causal(*a)
        for name, wrap in WRAPPERS.items():
            yield (
                f"{name}, llama, {where}",
                lambda wrap=wrap, where=where: check_wrapped(
                    make_causal(where), wrap(make_causal(where)).eval(), causal_batch(source), exact=wrap is not in_int8
                ),
            )
    for kind in KINDS:
        for site in SITES:
            for backend in backends:
                for part in ("encoder", "model"):
                    yield (
                        f"compiled {part}, {kind}, {site}, {backend}",
                        lambda a=(kind, site, backend, part): compiled(*a),
                    )
            for name, wrap in WRAPPERS.items():
                yield (
                    f"{name}, {kind}, {site}",
                    lambda wrap=wrap, a=kind, site=site: check_wrapped(
                        make(a, site=site), wrap(make(a, site=site)).eval(), batch, exact=wrap is not in_int8
                    ),
                )
