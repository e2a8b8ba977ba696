"""However a causal model is run, its bottleneck runs with it, with what deletions there are: wrapped, compiled, in a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from running import (
    PLACES,
    WRAPPERS,
    causal_batch,
    check_compiled,
    check_wrapped,
    in_int8,
    make_causal,
    plain_causal,
    used_codes,
)
from torch import Tensor
from transformers import PreTrainedTokenizerFast, pipeline

from codeunlearn.codebook import identify, load_model, load_tokenizer, require_bottleneck, run_to_site, unwrapped
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.writing import save_model
from codeunlearn.unlearning import forget, forgetting

Batch = dict[str, Tensor]


@pytest.fixture
def batch(tiny_batch: Batch) -> Batch:
    return causal_batch(tiny_batch)


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_model_runs_its_bottleneck_and_forgets(wrap: Callable[[Any], Any], where: str, batch: Batch) -> None:
    check_wrapped(make_causal(where), wrap(make_causal(where)).eval(), batch, exact=wrap is not in_int8)


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("name", ["DataParallel", "DDP", "LoRA", "compiled"])
def test_the_model_inside_is_found_and_run_to_its_site(name: str, batch: Batch) -> None:
    model = make_causal()
    inputs, identity = (batch["input_ids"], batch["attention_mask"]), identify(model)
    expected = run_to_site(model, *inputs)
    wrapped = torch.compile(model, backend="eager") if name == "compiled" else WRAPPERS[name](model)
    assert unwrapped(wrapped) is model
    assert identify(wrapped) == identity
    assert torch.equal(run_to_site(wrapped, *inputs), expected)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_is_the_model(where: str, backend: str, batch: Batch) -> None:
    """In one graph: before, inside and after a deletion, and with the bottleneck skipped."""
    torch.compiler.reset()
    model = make_causal(where)
    check_compiled(model, batch, torch.compile(model, backend=backend, fullgraph=True), model.forward)


def test_a_compiled_model_records_forgets_and_writes(batch: Batch) -> None:
    torch.compiler.reset()
    model, brief = make_causal(), {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    start = {"input_ids": batch["input_ids"][:1], "attention_mask": batch["attention_mask"][:1]}
    expected, chosen = model(**batch, output_bottleneck=True), used_codes(model, batch)
    with forgetting(model, chosen):
        written, forgotten = model.generate(**start, **brief), model(**batch, output_bottleneck=True)
    model.compile(backend="eager")
    found = model(**batch, output_bottleneck=True)
    torch.testing.assert_close(found.logits, expected.logits)
    assert torch.equal(found.bottleneck.ids, expected.bottleneck.ids)
    with forgetting(model, chosen):
        assert torch.equal(model(**batch, output_bottleneck=True).bottleneck.ids, forgotten.bottleneck.ids)
        assert torch.equal(model.generate(**start, **brief), written)


@pytest.mark.parametrize("adapter", [False, True], ids=["whole", "adapter"])
def test_a_pipeline_writes_with_what_is_deleted(
    adapter: bool, batch: Batch, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    model = make_causal()
    if adapter:
        plain_causal().save_pretrained(tmp_path / "base")
        keep_base(model, str(tmp_path / "base"))
    forget(model, used_codes(model, batch))
    save_model(model, tiny_tokenizer, tmp_path / "model")
    folder = tmp_path / "model"
    opened = load_model(folder) if adapter else str(folder)
    write = pipeline("text-generation", model=opened, tokenizer=load_tokenizer(folder), device=-1)
    assert require_bottleneck(write.model).codebook.deleted.any()
    (found,) = write("a dog", max_new_tokens=5, do_sample=False, return_full_text=False)
    ids = tiny_tokenizer("a dog", return_tensors="pt")
    written = model.generate(**ids, max_new_tokens=5, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert found["generated_text"] == tiny_tokenizer.decode(written, skip_special_tokens=True)
