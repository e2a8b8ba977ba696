"""Two processes find the codes, and have the losses, of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeunlearn.training.resuming import RECORD
from codeunlearn.unlearning import ForgetSet

DATA = ("--data", "stories", "--limit", "3000", "--device", "cpu")


def codeunlearn(*arguments: object, processes: int = 1) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "codeunlearn", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "plain"
    codeunlearn("train", *DATA, "--plain", "--base", "tiny", "--out", out, "--max-steps", 20, "--batch-tokens", 2000)
    return out


def test_two_processes_train_to_the_losses_of_one(base: Path, tmp_path: Path) -> None:
    """One process that puts two batches into a step sees what two processes with a batch each see."""
    options = (*DATA, "--base", base, "--num-codes", 256, "--code-dim", 64, "--max-steps", 6, "--epochs", 9)
    options = (*options, "--batch-tokens", 1500, "--log-steps", 1, "--revive-steps", 0)
    codeunlearn("train", *options, "--out", tmp_path / "one", "--gradient-accumulation-steps", 2)
    codeunlearn("train", *options, "--out", tmp_path / "two", processes=2)
    one, two = (json.loads((tmp_path / name / RECORD).read_text())["log"] for name in ("one", "two"))
    for name in ("loss", "cross_entropy", "codebook/dead_share", "codebook/unexplained_variance"):
        of_one, of_two = ([entry[name] for entry in log if name in entry] for log in (one, two))
        assert len(of_one) == len(of_two) == 6
        assert of_two == pytest.approx(of_one, rel=2e-2), name


def test_two_processes_find_the_forget_set_of_one(base: Path, tmp_path: Path) -> None:
    codeunlearn("build", *DATA[:4], "--base", base, "--num-codes", 512, "--code-dim", 64, "--out", tmp_path / "model")
    options = (*DATA, "--topic", "captain", "--preset", "paper", "--s-prime", 8, "--minimum", 5)
    codeunlearn("forget", tmp_path / "model", *options, "--out", tmp_path / "one.json")
    codeunlearn("forget", tmp_path / "model", *options, "--out", tmp_path / "two.json", processes=2)
    one, two = (ForgetSet.load(tmp_path / name) for name in ("one.json", "two.json"))
    assert len(one) > 0
    assert two.ids == one.ids
    assert two.evidence == one.evidence
