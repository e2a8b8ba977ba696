"""The notebooks run from beginning to end, and show what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def printed(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the cells of a notebook print when it is run where it lies."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")


def test_one_topic_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed("forget_one_topic", monkeypatch)
    before, after = (len(re.findall(rf"^  {when} .*\bchien", text, re.M)) for when in ("before", "after"))
    assert after < before


def test_the_default_recipe_needs_fewer_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed("compare_two_recipes", monkeypatch)
    rows = re.findall(r"^(paper|recommended) .*?(\d+) +\d+ +\d+$", text, re.M)
    codes = {recipe: max(int(n) for name, n in rows if name == recipe) for recipe in ("paper", "recommended")}
    assert 0 < codes["recommended"] < codes["paper"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_was_run_and_holds_no_noise(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}
    assert path.stat().st_size < 30_000
