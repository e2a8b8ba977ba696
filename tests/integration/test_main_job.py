"""The main job on real text: find a topic, forget it, undo it, make it permanent, through the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeunlearn.codebook import find_bottleneck, load_model
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


ROOT = Path(__file__).parents[2]
MODEL, BASE = ROOT / "models" / "en-fr-mini", ROOT / "models" / "en-fr-base"
TEXT = ("--data", "tatoeba", "--limit", 8000, "--device", "cpu")
SEARCH = (*TEXT, "--topic", "dog", "--search-size", 60, "--minimum", 5)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a forget set of the model in the repository."""
    folder = tmp_path_factory.mktemp("main_job")
    codeunlearn("forget", MODEL, *SEARCH, "--out", folder / "dog.json", "--report", folder / "codes")
    return folder


def test_a_topic_is_forgotten_and_the_rest_is_kept(work: Path) -> None:
    codeunlearn(
        "evaluate", MODEL, "--topic", "dog", *TEXT, "--eval-size", 25, "--minimum", 5, "--neighbours", "",
        "--forget", work / "dog.json", "--bypass", "--plain", BASE,
        "--json", work / "scores.json", "--report", work / "report",
    )  # fmt: skip
    scores = Scores.load(work / "scores.json")
    before, after = (scores.value(system, "forget", "topic_word_recall") for system in ("codebook", "unlearned"))
    retained_before, retained_after = (scores.value(s, "retain", "chrf") for s in ("codebook", "unlearned"))
    assert before > 50
    assert after < before / 2
    assert retained_after > retained_before - 10
    assert scores.value("plain", "retain", "chrf") > 20
    assert (work / "report" / "index.html").read_text(encoding="utf-8").count("data:image/png;base64") >= 1
    cost = scores.details["token_cost"]
    assert set(cost) == {"codebook", "unlearned", "plain", "bypass", "fitted map"}
    assert cost["codebook"]["source_tokens"] == cost["bypass"]["source_tokens"] > 20


def test_one_command_trains_a_plain_model_and_then_one_with_a_codebook(tmp_path: Path) -> None:
    options = ("--data", "stories", "--limit", 1000, "--device", "cpu", "--batch-tokens", 1000, "--max-steps", 2)
    shape = ("--num-codes", 256, "--code-dim", 64)
    codeunlearn("train", *options, "--base", "tiny", *shape, "--out", tmp_path / "model")
    assert load_model(tmp_path / "model").bottleneck.codebook.num_codes == 256
    assert find_bottleneck(load_model(tmp_path / "model" / "plain")) is None
    assert "grammar" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_a_sweep_goes_on_where_it_stopped_and_only_with_the_same_settings(work: Path) -> None:
    options = ("--data", "tatoeba", "--eval-size", 10, "--minimum", 5, "--s-primes", "2,8", "--out", work / "sweep")
    sweep = ("sweep", MODEL, "--topics", "dog", "--preset", "paper")
    codeunlearn(*sweep, "--limit", 8000, *options)
    (curve,) = Curves.load(work / "sweep").curves
    first, second = curve.points
    assert [first.size, second.size] == [2, 8]
    assert first.codes < second.codes
    assert curve.recall_before > first.recall
    again = codeunlearn(*sweep, "--limit", 8000, *options)
    assert "steps done" not in again.stderr
    refused = codeunlearn(*sweep, "--limit", 7000, *options, fails=True)
    assert "was made with another data" in " ".join(refused.stderr.split())


def test_the_paper_deletes_more_codes_for_no_less_of_the_topic(work: Path) -> None:
    paper = ("--preset", "paper", "--s-prime", 24)
    codeunlearn("forget", MODEL, *SEARCH, *paper, "--out", work / "paper.json")
    recommended, by_paper = (ForgetSet.load(work / name) for name in ("dog.json", "paper.json"))
    assert recommended.preset == "recommended"
    assert 0 < len(recommended) < len(by_paper) / 2
    assert recommended.topic_left is not None
    assert recommended.topic_left < 0.5
    wrong = codeunlearn("forget", MODEL, *SEARCH, *paper, "--fdr", 0.1, "--out", work / "x.json", fails=True)
    assert "The preset paper has no --fdr" in " ".join(wrong.stderr.split())


def test_a_budget_shortens_the_set_and_keeps_the_curve(work: Path) -> None:
    budget = ("--retain-budget", 100, "--max-codes", 6)
    done = codeunlearn("forget", MODEL, *SEARCH, *budget, "--out", work / "budget.json")
    curve, kept = Curve.load(work / "budget.curve.json"), ForgetSet.load(work / "budget.json")
    sizes = [point.codes for point in curve.points]
    assert sizes == [*(2**power for power in range(len(sizes) - 1)), sizes[-1]]
    assert len(kept) in sizes
    assert sizes[-1] <= 6
    assert kept.ids == ForgetSet.load(work / "dog.json").ids[: len(kept)]
    assert "validation sentences" in done.stderr


def test_what_a_user_can_get_wrong_is_said_in_one_sentence(work: Path) -> None:
    (work / "a_file").write_text("", encoding="utf-8")
    options = ("--topic", "dog", "--data", "tatoeba")
    few = (*options, "--limit", 8000, "--eval-size", 5, "--minimum", 2)
    sweep = ("sweep", MODEL, "--topics", "dog", "--data", "tatoeba", "--out", work / "none")
    for said, arguments in {
        "is a directory": ("forget", MODEL, *options, "--out", work),
        "is a file": ("apply", MODEL, work / "dog.json", "--out", work / "a_file"),
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
        "no bottleneck": ("forget", BASE, *options, "--out", work / "x.json"),
        "a_file": ("evaluate", MODEL, *few, "--json", work / "a_file" / "x.json"),
    }.items():
        stderr = codeunlearn(*arguments, fails=True).stderr
        assert "Traceback" not in stderr
        assert said in " ".join(stderr.replace("│", " ").split())


def test_input_that_is_not_utf_8_is_said_in_one_sentence(work: Path) -> None:
    command = [sys.executable, "-m", "codeunlearn", "translate", MODEL]
    done = subprocess.run(command, input="a\n\xe9t\xe9\n".encode("latin-1"), capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("Error: Line 2 of the input is not UTF-8")


def test_an_applied_forget_set_changes_translations_and_can_be_undone(work: Path) -> None:
    line = "The dog is tired.\n\nMy dog is old.\n"
    codeunlearn("apply", MODEL, work / "dog.json", "--out", work / "forgotten")
    codeunlearn("restore", work / "forgotten", "--topic", "dog", "--out", work / "restored")
    original, forgotten, restored = (
        codeunlearn("translate", folder, stdin=line).stdout for folder in (MODEL, work / "forgotten", work / "restored")
    )
    assert original.count("\n") == forgotten.count("\n") == 3
    assert original == restored != forgotten


def test_a_commit_takes_the_rows_out_of_the_file(work: Path) -> None:
    codeunlearn("apply", MODEL, work / "dog.json", "--out", work / "gone", "--commit")
    codes = len(json.loads((work / "dog.json").read_text(encoding="utf-8"))["ids"])
    kept, full = (load_model(work / name).bottleneck.codebook.num_codes for name in ("gone", MODEL))
    assert kept == full - codes
    shown = json.loads(codeunlearn("show", work / "gone", "--json", "-").stdout)
    assert shown["num_codes"] == kept
    assert shown["ledger"][0]["topic"] == "dog"
    codeunlearn("restore", work / "gone", "--out", work / "never", fails=True)


def test_a_forget_set_of_another_model_is_refused_in_one_sentence(work: Path) -> None:
    codeunlearn("build", *TEXT, "--base", BASE, "--out", work / "other",
                "--num-codes", 512, "--code-dim", 128, "--seed", 5)  # fmt: skip
    refused = codeunlearn("apply", work / "other", work / "dog.json", "--out", work / "no", fails=True)
    assert refused.stderr.startswith("Error: ")
    assert "was made for the model" in refused.stderr
    assert "Traceback" not in refused.stderr
