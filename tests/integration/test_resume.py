"""A training that is killed goes on from its last checkpoint to the losses it would have had."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training import run
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig
from codeunlearn.training.joint import JointTrainer
from codeunlearn.training.resuming import RECORD

DATA = DataConfig("stories", limit=2000)
JOINT = TrainConfig.joint(
    max_steps=8, epochs=4, save_steps=4, log_steps=1, batch_tokens=1500, device="cpu", revive_steps=4
)
SHAPE = {"num_codes": 1024, "code_dim": 64, "top_s": 2}


class Killed(Exception):
    """Stands for the signal that ends the process."""


class KillAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise Killed


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("base")
    run.train_plain(DATA, "tiny", out, TrainConfig(max_steps=4, batch_tokens=1500, device="cpu"))
    return str(out)


def logged(out: Path, name: str) -> list[float]:
    log = json.loads((out / RECORD).read_text(encoding="utf-8"))["log"]
    return [entry[name] for entry in log if name in entry]


def test_a_killed_joint_training_resumes_to_the_same_losses(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run.train_joint(DATA, base, whole, JOINT, BuildConfig(), SHAPE)

    class Interrupted(JointTrainer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.add_callback(KillAt(6))

    with monkeypatch.context() as patch:
        patch.setattr(run, "JointTrainer", Interrupted)
        with pytest.raises(Killed):
            run.train_joint(DATA, base, cut, JOINT, BuildConfig(), SHAPE)
    assert not (cut / RECORD).exists()
    run.train_joint(DATA, base, cut, JOINT, BuildConfig(), SHAPE)
    assert logged(cut, "loss") == pytest.approx(logged(whole, "loss"), rel=1e-3)
    assert len(logged(whole, "loss")) == 8
    (revived,) = logged(whole, "revived_codes")
    assert logged(cut, "revived_codes") == [revived]
    assert 0 < revived < SHAPE["num_codes"] / 2, "the codes used before the checkpoint are not dead"


def test_other_options_do_not_go_on_with_a_run_that_was_begun(base: str, tmp_path: Path) -> None:
    begun = replace(JOINT, max_steps=2, save_steps=1)
    run.train_joint(DATA, base, tmp_path, begun, BuildConfig(), SHAPE)
    (tmp_path / RECORD).unlink()
    for name, options in {
        "learning_rate": (DATA, replace(begun, learning_rate=1e-5), SHAPE),
        "top_s": (DATA, begun, {**SHAPE, "top_s": 3}),
        "data.limit": (replace(DATA, limit=1500), begun, SHAPE),
    }.items():
        data, config, shape = options
        with pytest.raises(CodeUnlearnError, match=f"was begun with {name} = .*choose another --out"):
            run.train_joint(data, base, tmp_path, config, BuildConfig(), shape)
    run.train_joint(DATA, base, tmp_path, replace(begun, log_steps=2), BuildConfig(), SHAPE)


def test_a_finished_model_is_used_again_only_for_the_same_options(base: str) -> None:
    config = TrainConfig(max_steps=4, batch_tokens=1500, device="cpu")
    assert run.train_plain(DATA, "tiny", Path(base), config, reuse=True)["steps"] == 4
    with pytest.raises(CodeUnlearnError, match="was begun with seed = 0, not 1"):
        run.train_plain(DATA, "tiny", Path(base), replace(config, seed=1), reuse=True)


def test_ctrl_c_is_one_sentence_and_the_same_command_finishes_the_training(tmp_path: Path) -> None:
    out = tmp_path / "model"
    options = {"data": "stories", "limit": 2000, "base": "tiny", "out": out, "device": "cpu", "max-steps": 40}
    options |= {"epochs": 40, "save-steps": 1, "batch-tokens": 1500}
    command = [Path(sys.executable).with_name("codeunlearn"), "train", "--plain"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as training:
        while not list(out.glob("checkpoints/checkpoint-*/trainer_state.json")):
            assert training.poll() is None, training.communicate()[1]
            time.sleep(0.1)
        training.send_signal(signal.SIGINT)
        said = training.communicate(timeout=60)[1]
    assert training.returncode == 130
    assert "Nothing is left half-written; train, sweep and reproduce go on" in " ".join(said.split())
    assert "Traceback" not in said
    subprocess.run(command, check=True)
    assert json.loads((out / RECORD).read_text(encoding="utf-8"))["steps"] == 40


def test_a_finished_folder_is_never_overwritten(base: str) -> None:
    with pytest.raises(ValueError, match="already holds a finished model"):
        run.train_plain(DATA, "tiny", Path(base), TrainConfig(max_steps=1))
