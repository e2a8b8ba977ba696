"""A checkpoint that is damaged in any way is told from a whole one, and nothing in it is run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerState

from codeunlearn.training.checkpoints import FILES, checkpoints, fault_of, seal
from codeunlearn.training.joint import UNUSED_CODES

NEEDED = ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", UNUSED_CODES]


def write_checkpoint(folder: Path, model: Any) -> Path:
    """What the Trainer writes."""
    model.save_pretrained(folder)
    parameter = next(model.parameters())
    optimizer = torch.optim.AdamW([parameter])
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    torch.save({"last_epoch": 3}, folder / "scheduler.pt")
    torch.save({"cpu": torch.get_rng_state()}, folder / "rng_state.pth")
    save_file({"unused": torch.ones(64, dtype=torch.bool)}, folder / UNUSED_CODES)
    TrainerState(global_step=3, max_steps=8, epoch=0.5, log_history=[{"loss": 1.0}]).save_to_json(
        str(folder / "trainer_state.json")
    )
    return folder


@pytest.fixture
def folder(tiny_model: Any, tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoints" / "checkpoint-3", tiny_model)


def change(path: Path, change_bytes: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change_bytes(path.read_bytes()))


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "empty": lambda path: change(path, lambda content: b""),
    "cut": lambda path: change(path, lambda content: content[: len(content) // 2]),
    "one byte short": lambda path: change(path, lambda content: content[:-1].rstrip(b"}\n ")),
    "something else": lambda path: change(path, lambda content: b"[]"),
}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an older version"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", NEEDED)
def test_a_damaged_file_is_noticed(folder: Path, tiny_model: Any, name: str, damage: Any, sealed: bool) -> None:
    if sealed:
        seal(folder)
    assert fault_of(folder, tiny_model, [UNUSED_CODES]) == ""
    damage(folder / name)
    fault = fault_of(folder, tiny_model, [UNUSED_CODES])
    if name == "rng_state.pth" and damage is Path.unlink and not sealed:
        assert fault == "", "the Trainer goes on without one"
    else:
        assert name in fault


def test_one_other_bit_is_noticed_where_the_files_are_listed(folder: Path, tiny_model: Any) -> None:
    seal(folder)
    for name in NEEDED:
        path = folder / name
        before = path.read_bytes()
        path.write_bytes(before[:-3] + bytes([before[-3] ^ 1]) + before[-2:])
        assert fault_of(folder, tiny_model) == f"{name} is not as it was written"
        path.write_bytes(before)
    assert fault_of(folder, tiny_model) == ""


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "files": {"model.safetensors": {"bytes": "1"}}}']
)
def test_a_damaged_list_of_files_is_noticed(folder: Path, tiny_model: Any, content: str) -> None:
    (folder / FILES).write_text(content)
    assert FILES in fault_of(folder, tiny_model)


def test_a_list_names_files_of_the_checkpoint_only(folder: Path, tiny_model: Any) -> None:
    (folder.parent / "x").write_text("x")
    (folder / FILES).write_text(json.dumps({"format": 1, "files": {"../x": {"bytes": 1, "sha256": "0"}}}))
    assert fault_of(folder, tiny_model) == "x is not as it was written"


@pytest.mark.parametrize(
    "state",
    [{"global_step": "3"}, {"global_step": 3, "log_history": 5}, {"unheard": 1}, {"global_step": 3, "max_steps": None}],
)
def test_a_state_of_wrong_types_is_noticed(folder: Path, tiny_model: Any, state: dict[str, Any]) -> None:
    path = folder / "trainer_state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **state}))
    assert "trainer_state.json" in fault_of(folder, tiny_model)


def test_weights_of_another_model_are_noticed(folder: Path, tiny_model: Any) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    name = "encoder.block.0.layer.0.SelfAttention.q.weight"
    for changed in ({**weights, "x": torch.zeros(1)}, {**weights, name: torch.zeros(2, 2)}):
        save_file(changed, path)
        assert fault_of(folder, tiny_model) == "model.safetensors is of another model"
    save_file({key: value for key, value in weights.items() if key != name}, path)
    assert fault_of(folder, tiny_model) == "model.safetensors lacks weights of the model"


class Trap:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("trap",))


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_file_that_would_run_code_is_damaged_and_runs_none(
    folder: Path, tiny_model: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    torch.save({"state": Trap()}, folder / name)
    assert fault_of(folder, tiny_model) == f"{name} is cut or damaged"
    assert not (folder / "trap").exists()


def test_checkpoints_are_in_the_order_of_their_steps_not_of_their_dates(tmp_path: Path) -> None:
    for step in (8, 100, 20):
        (tmp_path / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    for other in ("checkpoint-x", "runs", "checkpoint-5.old"):
        (tmp_path / "checkpoints" / other).mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-100", "checkpoint-20", "checkpoint-8"]
    assert checkpoints(tmp_path / "nowhere") == []
