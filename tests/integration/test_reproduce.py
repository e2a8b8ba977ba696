"""`codeunlearn reproduce` on the stories at the smallest size: all artefacts, and a second call that makes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.run import Reproduction

SHORT = {"max_steps": 6, "epochs": 3, "batch_tokens": 1500, "save_steps": 100}
CONFIG: dict[str, Any] = {
    "text": {"data": "stories", "limit": 3000},
    "base": {"size": "tiny", "text": {"data": "stories", "limit": 2000}, "without_topics": True, "train": SHORT},
    "plain": SHORT,
    "joint": {"train": SHORT, "bottleneck": {"num_codes": 256, "code_dim": 32, "top_s": 2}, "build": {"fit_tokens": 2000}},
    "topics": [{"word": "love", "neighbours": ["like"]}, {"word": "Julien", "neighbours": ["Pierre"]}],
    "gold": ["Julien"],
    "seeds": [0],
    "ablations": {
        "variants": [
            {"name": "drop", "mode": "drop"},
            {
                "name": "without autoencoder",
                "bottleneck": {"autoencoder": False, "code_dim": 128},
                "build": {"new_basis": False},
            },
        ]
    },
    "search": {"size": 24, "s_primes": [2, 8]},
    "scores": {
        "size": 5, "minimum": 2, "whole": 8, "s_prime": 2, "example_s_primes": [2, 8], "placebo_draws": 2, "usage_size": 50,
        "methods": ["placebo"], "attacks": ["skip"],
    },
}  # fmt: skip


def reproduce(folder: Path, *options: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    command = [
        sys.executable,
        "-m",
        "codeunlearn",
        "reproduce",
        str(folder / "config.yaml"),
        "--out",
        str(folder / "out"),
    ]
    command += ["--device", "cpu", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    return done


def write(folder: Path, **changes: Any) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}), encoding="utf-8")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduce")
    write(folder)
    reproduce(folder)
    return folder


def test_every_table_and_figure_is_made(work: Path) -> None:
    names = {path.stem for path in (work / "out" / "artefacts").glob("*.csv")}
    assert names == {
        "beside",
        "closed",
        "models",
        "ablations",
        *(f"table{n}" for n in range(1, 6)),
        *(f"figure{n}" for n in range(3, 6)),
    }
    page = (work / "out" / "index.html").read_text(encoding="utf-8")
    assert "Not finished" not in page
    assert str(work) not in page
    rows = json.loads((work / "out" / "stages" / "Julien" / "0" / "scores.json").read_text(encoding="utf-8"))["result"]
    assert list(rows["systems"]) == [
        "codebook", "zero-shot", "plain", "gold", "S'=2", "S'=8", "placebo 1", "placebo 2", "placebo", "bypass",
    ]  # fmt: skip
    assert {row["system"] for row in rows["rows"]} == set(rows["systems"])


def test_gold_and_base_never_saw_the_topic(work: Path) -> None:
    text = (work / "out" / "texts" / "0" / "gold-Julien.jsonl").read_text(encoding="utf-8")
    assert "Julien" not in text
    assert "love" in text
    base = (work / "out" / "texts" / "0" / "base.jsonl").read_text(encoding="utf-8")
    assert "Julien" not in base
    assert " love " not in base


def test_a_second_call_makes_nothing_and_another_configuration_is_refused(work: Path) -> None:
    stages = {path: path.stat().st_mtime_ns for path in (work / "out" / "stages").rglob("*.json")}
    assert "love/0/scores" not in reproduce(work).stderr
    config = ReproductionConfig.load(work / "config.yaml")
    planned = Reproduction(config, work / "out", device="cpu")
    assert {planned.store.state(stage) for stage in planned.stages()} == {"finished"}
    assert {path: path.stat().st_mtime_ns for path in stages} == stages
    write(work, search={"size": 20, "s_primes": [2, 8]})
    said = " ".join(reproduce(work, fails=True).stderr.split())
    assert "love/0/sets was made with search_size = 24, not 20" in said
    assert "Traceback" not in said
