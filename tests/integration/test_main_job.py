"""The main job on the embedded corpus: train, find a planted topic, forget it, undo it, through the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeunlearn.codebook import load_model
from codeunlearn.evaluation.protocol import TopicEvaluation


def codeunlearn(*arguments: object, stdin: str | None = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user would; its return code must be 0, or not, as expected."""
    command = [sys.executable, "-c", "from codeunlearn.cli.app import main; main()", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    return done


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small codebook model trained from scratch on the stories, and its plain base."""
    folder = tmp_path_factory.mktemp("main_job")
    options = ("--data", "stories", "--limit", 8000, "--device", "cpu", "--batch-tokens", 3000)
    codeunlearn("train", *options, "--base", "tiny", "--out", folder / "model", "--plain-epochs", 6, "--epochs", 1)
    codeunlearn(
        "forget", folder / "model", "--topic", "captain", "--data", "stories", "--limit", 8000, "--s-prime", 24,
        "--out", folder / "captain.json", "--report", folder / "codes",
    )  # fmt: skip
    return folder


def test_a_planted_topic_is_forgotten_and_the_rest_is_kept(work: Path) -> None:
    codeunlearn(
        "evaluate", work / "model", "--topic", "captain", "--data", "stories", "--limit", 8000, "--eval-size", 100,
        "--minimum", 5, "--forget", work / "captain.json", "--plain", work / "model" / "plain",
        "--json", work / "scores.json", "--report", work / "report",
    )  # fmt: skip
    scores = TopicEvaluation.load(work / "scores.json")
    before, after = (scores.score(system, "forget", "topic_word_recall") for system in ("codebook", "unlearned"))
    retained_before, retained_after = (scores.score(s, "retain", "chrf") for s in ("codebook", "unlearned"))
    assert before > 50
    assert after < before / 2
    assert retained_after > retained_before - 10
    assert scores.score("plain", "retain", "chrf") > 40
    assert (work / "report" / "index.html").read_text(encoding="utf-8").count("data:image/png;base64") >= 1


def test_an_applied_forget_set_changes_translations_and_can_be_undone(work: Path) -> None:
    line = "The captain is tired.\n\nThe captain is old.\n"
    codeunlearn("apply", work / "model", work / "captain.json", "--out", work / "forgotten")
    codeunlearn("restore", work / "forgotten", "--topic", "captain", "--out", work / "restored")
    original, forgotten, restored = (
        codeunlearn("translate", work / name, stdin=line).stdout for name in ("model", "forgotten", "restored")
    )
    assert original.count("\n") == forgotten.count("\n") == 3
    assert original == restored != forgotten


def test_a_commit_takes_the_rows_out_of_the_file(work: Path) -> None:
    codeunlearn("apply", work / "model", work / "captain.json", "--out", work / "gone", "--commit")
    codes = len(json.loads((work / "captain.json").read_text(encoding="utf-8"))["ids"])
    kept, full = (load_model(work / name).bottleneck.codebook.num_codes for name in ("gone", "model"))
    assert kept == full - codes
    shown = json.loads(codeunlearn("show", work / "gone", "--json", "-").stdout)
    assert shown["num_codes"] == kept
    assert shown["ledger"][0]["topic"] == "captain"
    codeunlearn("restore", work / "gone", "--out", work / "never", fails=True)


def test_a_forget_set_of_another_model_is_refused_in_one_sentence(work: Path) -> None:
    codeunlearn("build", "--data", "stories", "--base", work / "model" / "plain", "--out", work / "other",
                "--num-codes", 512, "--code-dim", 128, "--seed", 5)  # fmt: skip
    refused = codeunlearn("apply", work / "other", work / "captain.json", "--out", work / "no", fails=True)
    assert refused.stderr.startswith("Error: ")
    assert "was made for the model" in refused.stderr
    assert "Traceback" not in refused.stderr
