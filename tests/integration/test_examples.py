"""The examples and the model in the repository work as they are given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = "models/en-fr-mini"


def run(*command: str, **environment: str) -> str:
    """Runs a command in the repository's root, with this interpreter's commands first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "PATH": path, **environment}
    result = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_one_topic_from_python(tmp_path: Path) -> None:
    text = run(sys.executable, "examples/one_topic.py", MODEL, "dog", TMPDIR=str(tmp_path))
    before, after = (
        sum("chien" in line for line in text.splitlines() if line.startswith(f"  {when}"))
        for when in ("before", "after")
    )
    assert after < before
    (folder,) = tmp_path.glob("forgotten-*")
    assert "dog" in run("codeunlearn", "show", str(folder))


def test_several_requests_from_the_shell(tmp_path: Path) -> None:
    run("bash", "examples/removal_requests.sh", MODEL, "tatoeba", str(tmp_path / "requests"))
    kept = run("codeunlearn", "show", str(tmp_path / "requests" / "without-dog"))
    assert "dog" in kept
    assert "music" not in kept
