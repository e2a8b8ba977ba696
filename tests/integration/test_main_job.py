"""The main job on the embedded corpus: train, find a planted topic, forget it, undo it, through the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeunlearn.codebook import load_model
from codeunlearn.evaluation.curve import Curve
from codeunlearn.evaluation.curves import Curves
from codeunlearn.evaluation.scores import Scores
from codeunlearn.unlearning import ForgetSet


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
        "forget", folder / "model", "--topic", "captain", "--data", "stories", "--limit", 8000,
        "--out", folder / "captain.json", "--report", folder / "codes",
    )  # fmt: skip
    return folder


def test_a_planted_topic_is_forgotten_and_the_rest_is_kept(work: Path) -> None:
    codeunlearn(
        "evaluate", work / "model", "--topic", "captain", "--data", "stories", "--limit", 8000, "--eval-size", 100,
        "--minimum", 5, "--forget", work / "captain.json", "--plain", work / "model" / "plain",
        "--json", work / "scores.json", "--report", work / "report",
    )  # fmt: skip
    scores = Scores.load(work / "scores.json")
    before, after = (scores.value(system, "forget", "topic_word_recall") for system in ("codebook", "unlearned"))
    retained_before, retained_after = (scores.value(s, "retain", "chrf") for s in ("codebook", "unlearned"))
    assert before > 50
    assert after < before / 2
    assert retained_after > retained_before - 10
    assert scores.value("plain", "retain", "chrf") > 40
    assert (work / "report" / "index.html").read_text(encoding="utf-8").count("data:image/png;base64") >= 1


def test_a_sweep_goes_on_where_it_stopped_and_only_with_the_same_settings(work: Path) -> None:
    options = ("--data", "stories", "--eval-size", 20, "--minimum", 5, "--s-primes", "2,8", "--out", work / "sweep")
    codeunlearn("sweep", work / "model", "--topics", "captain", "--limit", 8000, *options)
    (curve,) = Curves.load(work / "sweep").curves
    first, second = curve.points
    assert [first.size, second.size] == [2, 8]
    assert first.codes < second.codes
    assert curve.recall_before > first.recall
    again = codeunlearn("sweep", work / "model", "--topics", "captain", "--limit", 8000, *options)
    assert "steps done" not in again.stderr
    refused = codeunlearn("sweep", work / "model", "--topics", "captain", "--limit", 7000, *options, fails=True)
    assert "was made with another data" in " ".join(refused.stderr.split())


def test_the_paper_deletes_more_codes_for_no_less_of_the_topic(work: Path) -> None:
    options = ("--topic", "captain", "--data", "stories", "--limit", 8000)
    paper = ("--preset", "paper", "--s-prime", 24)
    codeunlearn("forget", work / "model", *options, *paper, "--out", work / "paper.json")
    recommended, by_paper = (ForgetSet.load(work / name) for name in ("captain.json", "paper.json"))
    assert recommended.preset == "recommended"
    assert 0 < len(recommended) < len(by_paper) / 2
    assert recommended.topic_left is not None
    assert recommended.topic_left < 0.5
    wrong = codeunlearn("forget", work / "model", *options, *paper, "--fdr", 0.1, "--out", work / "x.json", fails=True)
    assert "The preset paper has no --fdr" in " ".join(wrong.stderr.split())


def test_a_budget_shortens_the_set_and_keeps_the_curve(work: Path) -> None:
    budget = ("--retain-budget", 100, "--max-codes", 6, "--minimum", 5)
    options = ("--topic", "captain", "--data", "stories", "--limit", 8000, *budget)
    done = codeunlearn("forget", work / "model", *options, "--out", work / "budget.json")
    curve, kept = Curve.load(work / "budget.curve.json"), ForgetSet.load(work / "budget.json")
    sizes = [point.codes for point in curve.points]
    assert sizes == [*(2**power for power in range(len(sizes) - 1)), sizes[-1]]
    assert len(kept) in sizes
    assert sizes[-1] <= 6
    assert kept.ids == ForgetSet.load(work / "captain.json").ids[: len(kept)]
    assert "validation sentences" in done.stderr


def test_an_evaluation_records_what_every_system_cost(work: Path) -> None:
    codeunlearn(
        "evaluate", work / "model", "--data", "stories", "--limit", 8000, "--eval-size", 20, "--bypass",
        "--json", work / "cost.json",
    )  # fmt: skip
    cost = Scores.load(work / "cost.json").details["token_cost"]
    assert set(cost) == {"codebook", "bypass"}
    assert cost["codebook"]["source_tokens"] == cost["bypass"]["source_tokens"] > 20


def test_what_a_user_can_get_wrong_is_said_in_one_sentence(work: Path) -> None:
    (work / "a_file").write_text("", encoding="utf-8")
    options = ("--topic", "captain", "--data", "stories")
    few = ("--topic", "captain", "--data", "stories", "--limit", 8000, "--eval-size", 5, "--minimum", 2)
    sweep = ("sweep", work / "model", "--topics", "captain", "--data", "stories", "--out", work / "none")
    for said, arguments in {
        "is a directory": ("forget", work / "model", *options, "--out", work),
        "is a file": ("apply", work / "model", work / "captain.json", "--out", work / "a_file"),
        "whole numbers separated by commas": (*sweep, "--s-primes", "8,x"),
        "takes TOPIC=WORD,WORD": (*sweep, "--target-words", "amour"),
        "should be greater than or equal to 0": (
            "train",
            "--data",
            "stories",
            "--base",
            "tiny",
            "--out",
            "x",
            "--learning-rate",
            -1,
        ),
        "no bottleneck": ("forget", work / "model" / "plain", *options, "--out", work / "x.json"),
        "a_file": ("evaluate", work / "model", *few, "--json", work / "a_file" / "x.json"),
    }.items():
        stderr = codeunlearn(*arguments, fails=True).stderr
        assert "Traceback" not in stderr
        assert said in " ".join(stderr.replace("│", " ").split())


def test_input_that_is_not_utf_8_is_said_in_one_sentence(work: Path) -> None:
    command = [sys.executable, "-m", "codeunlearn", "translate", work / "model"]
    done = subprocess.run(command, input="a\n\xe9t\xe9\n".encode("latin-1"), capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("Error: Line 2 of the input is not UTF-8")


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
