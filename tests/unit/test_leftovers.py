"""After a commit, what still holds the topic is found near the model and named with what it holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from codeunlearn.codebook import model_identity
from codeunlearn.codebook.writing import save_model
from codeunlearn.unlearning import ForgetSet, commit, forget
from codeunlearn.unlearning.leftovers import DeletedRows, leftovers

IDS = (3, 8, 21)


class Scene:
    """A model in ``model`` that is committed into ``out``, with a forget set beside them."""

    def __init__(self, root: Path, model: Any, tokenizer: Any) -> None:
        self.root, self.model, self.tokenizer = root, model, tokenizer
        self.set = ForgetSet("love", IDS, model_identity(model), num_codes=64)
        save_model(model, tokenizer, root / "model")
        self.set.save(root / "love.json")

    def found(self) -> dict[str, str]:
        """Paths below the scene by what they hold."""
        forget(self.model, self.set)
        deleted = DeletedRows.of(self.model)
        assert deleted.ids == IDS
        commit(self.model)
        left = leftovers(deleted, str(self.root / "model"), self.root / "out", [self.root / "love.json"])
        return {str(Path(one.path).relative_to(self.root)): one.holds for one in left}


@pytest.fixture
def scene(tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> Scene:
    return Scene(tmp_path, tiny_model, tiny_tokenizer)


def test_the_model_itself_and_the_forget_set_hold_the_topic(scene: Scene) -> None:
    assert scene.found() == {
        "model": "a copy of the model that holds 3 of the 3 rows",
        "love.json": "a forget set, which holds the topic's forms and tokens",
    }


def test_copies_are_known_by_their_rows(scene: Scene, tiny_tokenizer: Any) -> None:
    root = scene.root
    shutil.copytree(root / "model", root / "renamed")
    save_model(scene.model.to(torch.bfloat16), tiny_tokenizer, root / "half")
    scene.model.float()
    shutil.copytree(root / "model", root / ".out.codeunlearn-new")  # of a killed save
    part = load_file(shutil.copytree(root / "model", root / "part") / "model.safetensors")
    (codes,) = (name for name in part if name.endswith("codebook.weight"))
    part[codes][8] += 1
    save_file(part, root / "part" / "model.safetensors", metadata={"format": "pt"})
    other = load_file(shutil.copytree(root / "model", root / "another") / "model.safetensors")
    other[codes] += 1
    save_file(other, root / "another" / "model.safetensors", metadata={"format": "pt"})
    found = scene.found()
    assert found["renamed"] == found[".out.codeunlearn-new"] == "a copy of the model that holds 3 of the 3 rows"
    assert found["part"] == "a copy of the model that holds 2 of the 3 rows"
    assert "half" in found
    assert "another" not in found


def test_a_model_that_lost_the_rows_before_is_none(scene: Scene, tiny_tokenizer: Any) -> None:
    found = scene.found()
    save_model(scene.model, tiny_tokenizer, scene.root / "committed")
    assert "committed" not in {**found, **scene_again(scene)}


def scene_again(scene: Scene) -> dict[str, str]:
    deleted = DeletedRows(IDS, torch.zeros(3, 12, dtype=torch.bfloat16), ("love",))
    left = leftovers(deleted, str(scene.root / "model"), scene.root / "out", [])
    return {Path(one.path).name: one.holds for one in left}


def test_what_lies_in_the_folder_of_the_model_is_looked_at(scene: Scene, tiny_base: Any, tiny_tokenizer: Any) -> None:
    model = scene.root / "model"
    (model / "checkpoints" / "checkpoint-10").mkdir(parents=True)
    save_model(tiny_base, tiny_tokenizer, model / "plain")
    (model / ".git").mkdir()
    (model / "pytorch_model.bin").touch()
    (model / "notes.txt").touch()
    found = scene.found()
    assert {name for name in found if name.startswith("model/")} == {
        "model/checkpoints",
        "model/plain",
        "model/.git",
        "model/pytorch_model.bin",
    }


def test_what_holds_the_topics_text_is_found_beside_it(scene: Scene) -> None:
    root = scene.root
    (root / "index").mkdir()  # of an older version
    for name in ("index.json", "codes-00000.arrow"):
        (root / "index" / name).touch()
    (root / "report").mkdir()
    shutil.copy(root / "love.json", root / "report" / "forget_set.json")
    shutil.copy(root / "love.json", root / "again.json")
    (root / "love.curve.json").write_text("{}")
    (root / "sweep").mkdir()
    (root / "sweep" / "sweep.json").write_text(json.dumps({"curves": [{"topic": "love"}], "details": {}}))
    (root / "old-sweep").mkdir()
    (root / "old-sweep" / "sweep.json").write_text(json.dumps({"rows": [{"topic": "love"}], "details": {}}))
    (root / "scores.json").write_text(json.dumps({"topic": "love"}))
    (root / "other.json").write_text(json.dumps({"topic": "dog"}))
    (root / "damaged.json").write_text("{")
    (root / "runs" / "stages").mkdir(parents=True)
    found = scene.found()
    assert set(found) == {
        *(
            "model",
            "love.json",
            "love.curve.json",
            "again.json",
            "index",
            "report",
            "sweep",
            "old-sweep",
            "scores.json",
            "runs",
        )
    }
    assert "in clear" in found["index"]


def test_the_model_from_which_it_was_trained_is_found_by_its_name(scene: Scene, tiny_base: Any) -> None:
    save_model(tiny_base, scene.tokenizer, scene.root / "base")
    save_model(tiny_base, scene.tokenizer, scene.root / "unrelated")
    (scene.root / "model" / "training.json").write_text(json.dumps({"base": "base"}))
    found = scene.found()
    assert "from which nothing was taken" in found["base"]
    assert "unrelated" not in found
