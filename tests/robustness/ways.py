"""The matrix of ways to run a model: compiled in every part, wrapped, converted; counted."""

from __future__ import annotations

import importlib.util
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import running
import torch
from tally import Tally
from torch import distributed
from world import World

BACKENDS = ("eager", "aot_eager")


def run(_world: World, _seed: int, progress: Callable[[str], None]) -> Iterator[Tally]:
    """Each way against the plain run: before, inside and after a deletion. A way that differs goes past the bottleneck."""
    models, tallies = _tiny_models(), {name: Tally(f"running: {name}") for name in ("compiled", "wrapped")}
    with tempfile.TemporaryDirectory() as folder:
        distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0, world_size=1)
        try:
            for name, check in running.cases(models.make_model, _batch(models.VOCABULARY), BACKENDS):
                progress(name)
                _add(tallies["compiled" if name.startswith("compiled") else "wrapped"], name, check)
        finally:
            distributed.destroy_process_group()
    yield from tallies.values()


def _add(tally: Tally, name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except AssertionError:
        tally.add("chooses a deleted code", name, traceback.format_exc())
    except Exception:  # whatever it is, a user would see a traceback
        tally.add("traceback", name, traceback.format_exc())
    else:
        tally.add(None, name)


def _tiny_models() -> Any:
    """The tiny models of all tests, which are fixtures' code and so no module that could be imported by name."""
    path = Path(__file__).parents[1] / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _batch(vocabulary: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(2, vocabulary, (3, 7), generator=generator)
    mask = (torch.arange(7)[None] < torch.tensor([[7], [5], [3]])).long()
    labels = torch.randint(2, vocabulary, (3, 6), generator=generator)
    return {"input_ids": ids * mask, "attention_mask": mask, "labels": labels}
