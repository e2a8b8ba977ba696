"""However a model is run, its bottleneck runs with it: compiled, exported, in other number types."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from running import check_compiled, used_codes
from torch import Tensor, nn

from codeunlearn.codebook import (
    require_bottleneck,
    run_to_site,
)
from codeunlearn.unlearning import forgetting

Batch = dict[str, Tensor]
LAST_SITE = "encoder.block.2.layer.0"


def encoded(model: Any, batch: Batch) -> Tensor:
    with torch.no_grad():
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0]


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    torch.compiler.reset()


def test_a_compiled_encoder_is_the_encoder(tiny: Callable[..., Any], tiny_batch: Batch) -> None:
    """Before, inside and after a deletion, and with the bottleneck skipped; no part of it is left out of the one graph."""
    model = tiny(site=LAST_SITE)
    source = {name: tiny_batch[name] for name in ("input_ids", "attention_mask")}
    compiled = torch.compile(model.encoder, backend="eager", fullgraph=True)
    check_compiled(model, tiny_batch, lambda **_: compiled(**source), lambda **_: model.encoder(**source))


def test_a_compiled_model_records_and_forgets(tiny: Callable[..., Any], tiny_batch: Batch) -> None:
    model = tiny(site=LAST_SITE)
    expected = model(**tiny_batch, output_bottleneck=True)
    chosen = used_codes(model, tiny_batch)
    activations = run_to_site(model, tiny_batch["input_ids"], tiny_batch["attention_mask"])
    with forgetting(model, chosen):
        forgotten = model(**tiny_batch).logits
    model.compile(backend="eager")
    found = model(**tiny_batch, output_bottleneck=True)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.bottleneck.ids, expected.bottleneck.ids)
    assert torch.equal(run_to_site(model, tiny_batch["input_ids"], tiny_batch["attention_mask"]), activations)
    with forgetting(model, chosen):
        assert torch.equal(model(**tiny_batch, output_bottleneck=True).logits, forgotten)


def test_an_exported_encoder_is_the_encoder_with_its_deletions(
    tiny: Callable[..., Any], tiny_batch: Batch, tmp_path: Path
) -> None:
    model = tiny(site=LAST_SITE)
    inputs = {name: tiny_batch[name] for name in ("input_ids", "attention_mask")}
    chosen = used_codes(model, tiny_batch)
    with forgetting(model, chosen):
        program = torch.export.export(model.encoder, (), inputs, strict=False)
        torch.export.save(program, tmp_path / "encoder.pt2")
        expected = encoded(model.encoder, tiny_batch)
        assert torch.equal(encoded(program.module(), tiny_batch), expected)
    assert torch.equal(encoded(torch.export.load(tmp_path / "encoder.pt2").module(), tiny_batch), expected)
    assert not torch.equal(encoded(model.encoder, tiny_batch), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_half_precision_generates_and_forgets(
    tiny: Callable[..., Any], tiny_batch: Batch, dtype: torch.dtype
) -> None:
    model = tiny().to(dtype)
    inputs = {name: tiny_batch[name] for name in ("input_ids", "attention_mask")}
    chosen = used_codes(model, tiny_batch)
    before = encoded(model.encoder, tiny_batch)
    assert model.generate(**inputs, max_new_tokens=4).shape[0] == 3
    with forgetting(model, chosen):
        assert not torch.equal(encoded(model.encoder, tiny_batch), before)
        record = model(**tiny_batch, output_bottleneck=True).bottleneck
    assert not set(record.ids.unique().tolist()) & set(chosen.ids)


def test_activations_wider_than_the_weights_pass(tiny: Callable[..., Any], tiny_batch: Batch) -> None:
    """As in float16, where T5 keeps its feed-forward output in float32."""
    model = tiny(site=LAST_SITE).half()
    for block in model.encoder.block:
        block.layer[1].DenseReluDense.wo.float()
    assert encoded(model.encoder, tiny_batch).isfinite().all()


def test_a_pickled_model_opens_in_a_fresh_process(tiny_model: Any, tiny_batch: Batch, tmp_path: Path) -> None:
    """The class of the site is made at run time, and must be made again where the pickle is read."""
    torch.save({"model": tiny_model, "batch": tiny_batch}, tmp_path / "whole.pt")
    code = (
        "import sys, torch, codeunlearn.codebook\n"
        "saved = torch.load(sys.argv[1], weights_only=False)\n"
        "torch.save(saved['model'](**saved['batch']).logits, sys.argv[2])\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "whole.pt", tmp_path / "logits.pt"], check=True)
    expected = tiny_model(**tiny_batch).logits
    assert torch.equal(torch.load(tmp_path / "logits.pt"), expected)


@pytest.mark.filterwarnings("ignore:.*quantiz:DeprecationWarning", "ignore:.*quantiz:UserWarning")
def test_int8_weights_leave_the_deletions(tiny_model: Any, tiny_batch: Batch) -> None:
    chosen = used_codes(tiny_model, tiny_batch)
    quantised = torch.ao.quantization.quantize_dynamic(tiny_model, {nn.Linear}, dtype=torch.qint8)
    before = quantised(**tiny_batch).logits
    book = require_bottleneck(quantised).codebook
    book.deleted[list(chosen.ids)] = True
    record = quantised(**tiny_batch, output_bottleneck=True)
    assert not torch.equal(record.logits, before)
    assert not set(record.bottleneck.ids.unique().tolist()) & set(chosen.ids)
