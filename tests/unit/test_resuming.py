"""A training goes on with what it was begun with, known by content, and a damaged state is one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from killing import in_a_fork

from codeunlearn.codebook.writing import save_model
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.folders import locked
from codeunlearn.training import run
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.resuming import begin, check_out, is_finished, other_files_digest, read_record, weights_digest

REQUEST: dict[str, Any] = {
    "kind": "joint",
    "data": {"data": "text.tsv", "pairs": 3, "sha256": "a"},
    "base": "plain",
    "base's weights": "w",
    "base's other files": "o",
    "config": {"seed": 0, "device": "auto"},
}
RECORD: dict[str, Any] = {
    "kind": "joint",
    "base": "plain",
    "pairs": {"data": "text.tsv", "kept": 3},
    "environment": {"codeunlearn": "0.1.0", "torch": "2", "transformers": "5"},
    "log": [],
}


def changed(**changes: Any) -> dict[str, Any]:
    return {
        name: {**REQUEST[name], **v} if isinstance(v := changes.get(name, REQUEST[name]), dict) else v
        for name in REQUEST
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A training that was begun and has a checkpoint."""
    begin(tmp_path, REQUEST)
    (tmp_path / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    return tmp_path


def test_equal_text_under_another_name_goes_on(out: Path) -> None:
    begin(out, changed(data={"data": "copy.tsv"}, base="copy of plain"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"data": {"sha256": "b"}}, "data.sha256"),
        ({"base's weights": "x"}, "base's weights"),
        ({"base's other files": "x"}, "base's other files"),
        ({"config": {"seed": 1}}, "seed"),
    ],
)
def test_other_content_under_the_same_name_is_refused(out: Path, changes: dict[str, Any], name: str) -> None:
    with pytest.raises(CodeUnlearnError, match=f"was begun with {name} = .*choose another --out"):
        begin(out, changed(**changes))


def test_a_training_begun_by_an_older_version_goes_on_with_a_warning(out: Path) -> None:
    path = out / "run.json"
    known = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("data.sha256", "base's other files")}
    path.write_text(json.dumps(known))
    with pytest.warns(UserWarning, match="noted data and base by name and size: make sure"):
        begin(out, REQUEST)
    older = pytest.warns(UserWarning, match="noted data and base by name")
    with older, pytest.raises(CodeUnlearnError, match=r"data\.data = text\.tsv, not other\.tsv"):
        begin(out, changed(data={"data": "other.tsv"}))


@pytest.mark.parametrize("content", ["", '{"kind": "jo', "[]", "5"])
def test_a_damaged_request_is_one_sentence(out: Path, content: str) -> None:
    (out / "run.json").write_text(content)
    with pytest.raises(CodeUnlearnError, match=r"run\.json.*; remove .* and train again"):
        begin(out, REQUEST)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        "{",
        {**RECORD, "kind": "else"},
        {**RECORD, "base": {"a": 1}},
        {**RECORD, "pairs": {"kept": "3", "data": "x"}},
        {k: v for k, v in RECORD.items() if k != "environment"},
    ],
)
def test_a_damaged_record_is_one_sentence(tmp_path: Path, record: Any) -> None:
    path = tmp_path / "training.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record))
    with pytest.raises(CodeUnlearnError, match=r"training\.json.*; get the model again, or remove the file"):
        read_record(path)


def test_a_folder_is_finished_when_it_has_model_and_record(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps(RECORD))
    assert not is_finished(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    assert is_finished(tmp_path)
    with pytest.raises(CodeUnlearnError, match="already holds a finished model"):
        check_out(tmp_path)
    check_out(tmp_path, reuse=True)


def test_a_model_from_elsewhere_is_not_trained_over(tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    save_model(tiny_model, tiny_tokenizer, tmp_path)
    with pytest.raises(CodeUnlearnError, match="already holds a finished model"):
        check_out(tmp_path)


def test_a_base_is_its_weights_its_configuration_and_its_tokenizer(
    tmp_path: Path, tiny_base: Any, tiny_tokenizer: Any
) -> None:
    base, copy = tmp_path / "base", tmp_path / "copy"
    save_model(tiny_base, tiny_tokenizer, base)
    shutil.copytree(base, copy)
    (copy / "README.md").write_text("A card.")
    assert (weights_digest(str(base)), other_files_digest(str(base))) == (
        weights_digest(str(copy)),
        other_files_digest(str(copy)),
    )
    for name in ("config.json", "tokenizer.json"):
        before = (copy / name).read_text()
        (copy / name).write_text(before + " ")
        assert other_files_digest(str(copy)) != other_files_digest(str(base))
        (copy / name).write_text(before)
    assert other_files_digest("tiny") is None


def test_two_processes_do_not_train_into_one_folder(tmp_path: Path) -> None:
    def second() -> None:
        with pytest.raises(CodeUnlearnError, match="Another process is writing to"):
            run.train_plain(DataConfig("stories", limit=50), "tiny", tmp_path / "out", TrainConfig(max_steps=1))

    with locked(tmp_path / "out"):
        assert in_a_fork(second, tmp_path) == 0
