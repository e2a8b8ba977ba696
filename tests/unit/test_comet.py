"""COMET through its own command, here a stand-in that counts letters."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.comet import Comet

STAND_IN = """#!{python}
import json, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
columns = [open(given[side], encoding="utf-8").read().splitlines() for side in ("-s", "-t", "-r")]
assert len({{len(column) for column in columns}}) == 1
assert given["--model"] == "Unbabel/wmt22-comet-da" and given["--gpus"] == "0"
rows = [{{"src": s, "mt": t, "ref": r, "COMET": (len(s) + 10 * len(t) + 100 * len(r)) / 1000}} for s, t, r in zip(*columns)]
json.dump({{given["-t"]: rows}}, open(given["--to_json"], "w"))
"""


def command(folder: Path, script: str = STAND_IN) -> str:
    path = folder / "comet-score"
    path.write_text(script.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_every_sentence_has_the_score_of_its_source_output_and_first_reference(tmp_path: Path) -> None:
    metric = Comet(command=command(tmp_path)).on(["a\nb", ""])
    score = metric(["un deux", ""], [["un", "un deux"], ["l\u2019\u00e9t\u00e9"]])
    assert score.per_sentence == pytest.approx([(3 + 70 + 200) / 10, (0 + 0 + 500) / 10])
    assert score.value == pytest.approx(38.65)
    assert score.name == "comet"
    assert "model:Unbabel/wmt22-comet-da" in score.signature


def test_one_sentence_says_how_to_get_the_command() -> None:
    with pytest.raises(CodeUnlearnError, match=r"pipx install unbabel-comet\.$"):
        Comet(command="no-such-comet-score")


def test_a_checkpoint_in_a_file_is_not_opened(tmp_path: Path) -> None:
    for model in (str(tmp_path), "model.ckpt", "../model"):
        with pytest.raises(CodeUnlearnError, match="pickles"):
            Comet(model, command=command(tmp_path))


def test_a_failure_is_passed_on(tmp_path: Path) -> None:
    broken = command(tmp_path, "#!{python}\nraise SystemExit('no model of that name')\n")
    with pytest.raises(CodeUnlearnError, match="comet-score failed: no model of that name"):
        Comet(command=broken).on(["a"])(["b"], [["c"]])
    with pytest.raises(CodeUnlearnError, match="as many sources"):
        Comet(command=broken).on([])(["b"], [["c"]])
