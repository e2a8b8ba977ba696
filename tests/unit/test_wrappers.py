"""Models inside wrappers run their bottleneck, keep their deletions, and are recognised as what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from running import WRAPPERS, check_wrapped, in_int8
from torch import Tensor

from codeunlearn.codebook import identify, run_to_site, unwrapped
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, forget, restore

Batch = dict[str, Tensor]


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_model_runs_its_bottleneck_and_forgets(
    wrap: Callable[[Any], Any], tiny: Callable[..., Any], tiny_batch: Batch
) -> None:
    check_wrapped(tiny(), wrap(tiny()).eval(), tiny_batch, exact=wrap is not in_int8)


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


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("name", [*WRAPPERS, "compiled", "compiled inside"])
def test_a_wrapped_model_is_the_model_that_it_wraps(name: str, tiny: Callable[..., Any]) -> None:
    model = tiny()
    identity = identify(model)
    love = ForgetSet("love", (3, 5), identity.fingerprint)
    if name == "compiled inside":
        model.encoder = torch.compile(model.encoder, backend="eager")
        wrapped: Any = model
    else:
        wrapped = torch.compile(model, backend="eager") if name == "compiled" else WRAPPERS[name](model)
    if name == "int8":  # other weights
        with pytest.raises(CodeUnlearnError, match="was made for the model"):
            forget(wrapped, love)
        return
    assert identify(wrapped) == identity
    if name == "LoRA":
        with pytest.warns(UserWarning, match="what the adapter has learnt of a topic may stay"):
            assert forget(wrapped, love) == 2
    else:
        assert forget(wrapped, love) == 2
    assert restore(wrapped) == 2


@pytest.mark.parametrize("merged", [False, True])
def test_an_adapter_that_has_learnt_is_another_model_once_it_is_merged(merged: bool, tiny: Callable[..., Any]) -> None:
    model = tiny()
    identity = identify(model)
    wrapped = WRAPPERS["LoRA"](model)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.5)
    if merged:
        wrapped.merge_adapter()
    assert (identify(wrapped) == identity) is not merged
    assert (identify(wrapped.merge_and_unload()) == identity) is False
