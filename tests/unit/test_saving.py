"""A folder holds one whole model or none, whoever is killed, fails or saves there at the same time."""

from __future__ import annotations

import copy
import os
import resource
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import die, in_a_fork, killed_at_every_write

from codeunlearn import folders
from codeunlearn.codebook import load_model, model_identity
from codeunlearn.codebook.writing import write_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.folders import replacing_folder
from codeunlearn.saving import check_model_target, saving
from codeunlearn.unlearning import ForgetSet, commit, forget

LOVE = (3, 8, 21)


def forgetful(model: Any) -> Any:
    forget(model, ForgetSet("love", LOVE, model_identity(model)))
    return model


def save(model: Any, tokenizer: Any, out: Path) -> None:
    with saving(out) as folder:
        write_model(model, tokenizer, folder)
        (folder / "README.md").write_text("A card.")


def state(folder: Path) -> str:
    """What the folder's ledger says, after a check that its mask or its rows say the same."""
    model = load_model(folder)
    codebook, ledger = model.bottleneck.codebook, model.config.bottleneck.ledger
    claimed = {code for entry in ledger for code in entry["ids"]}
    if any(entry["committed"] for entry in ledger):
        assert not claimed & set(codebook.code_ids.tolist())
        return "committed"
    assert set(codebook.code_ids[codebook.deleted].tolist()) == claimed
    return "masked" if ledger else "whole"


@pytest.fixture
def out(tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """A folder with a model that has forgotten love by a mask, and a note of its owner's."""
    save(forgetful(tiny_model), tiny_tokenizer, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("Mine.")
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_save_that_is_killed_at_any_write_leaves_the_old_model_or_the_new_one(
    out: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    before = shutil.copytree(out, out.parent / "before")
    commit(tiny_model)
    seen: list[str] = []
    for _ in killed_at_every_write(lambda: save(tiny_model, tiny_tokenizer, out), out.parent):
        seen.append(state(out))
        assert (out / "notes.txt").read_text() == "Mine."
        shutil.rmtree(out)
        shutil.copytree(before, out)
    assert set(seen) == {"masked", "committed"}
    assert state(out) == "committed"
    assert names(out.parent) == [".out.lock", "before", "out"]


def write_pair(out: Path, word: str) -> None:
    """A folder of two files that say the same."""
    with replacing_folder(out, {"a", "b"}.__contains__, "b") as folder:
        (folder / "a").write_text(word)
        (folder / "b").write_text(word)


def test_where_folders_cannot_be_exchanged_the_old_one_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two renames there is none; the next save finds the old one again before it does anything."""
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    out = tmp_path / "out"
    write_pair(out, "old")
    (out / "notes.txt").write_text("Mine.")
    seen: list[str] = []
    for _ in killed_at_every_write(lambda: write_pair(out, "new"), tmp_path):
        if not out.exists():
            with suppress(ZeroDivisionError), replacing_folder(out, {"a", "b"}.__contains__, "b"):
                raise ZeroDivisionError
            seen.append("away")
        assert (out / "a").read_text() == (out / "b").read_text() in ("old", "new")
        assert (out / "notes.txt").read_text() == "Mine."
        seen.append((out / "a").read_text())
        for left in tmp_path.glob(".out.*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        write_pair(out, "old")
    assert set(seen) == {"old", "away", "new"}


def test_in_a_folder_without_such_files_the_last_one_comes_last(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("Mine.")
    for _ in killed_at_every_write(lambda: write_pair(out, "new"), tmp_path):
        assert not (out / "b").exists() or (out / "a").exists()
        (out / "b").unlink(missing_ok=True)
    assert names(out) == ["a", "b", "notes.txt"]


def test_a_model_appears_beside_what_else_a_training_has_left(
    tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    (tmp_path / "out" / "checkpoints").mkdir(parents=True)
    (tmp_path / "out" / "run.json").write_text("{}")
    save(tiny_model, tiny_tokenizer, tmp_path / "out")
    assert state(tmp_path / "out") == "whole"
    assert {"checkpoints", "run.json", "README.md"} <= set(names(tmp_path / "out"))


def test_a_save_that_fails_changes_nothing(out: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    commit(tiny_model)
    with suppress(ZeroDivisionError), saving(out) as folder:
        write_model(tiny_model, tiny_tokenizer, folder)
        raise ZeroDivisionError
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    fresh = out.parent / "fresh"
    with suppress(ZeroDivisionError), saving(fresh):
        raise ZeroDivisionError
    assert names(out.parent) == [".fresh.lock", ".out.lock", "out"]


def test_no_space_is_one_sentence_and_changes_nothing(out: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    before = state(out), names(out.parent)

    def save_with_little_space() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        with pytest.raises(CodeUnlearnError, match=r"The model cannot be saved \(.*\)\.$"):
            save(tiny_model, tiny_tokenizer, out)

    assert in_a_fork(save_with_little_space, out.parent) == 0
    assert (state(out), names(out.parent)) == before


def test_what_is_not_the_models_goes_with_it_as_it_is(out: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    (out / ".git" / "objects").mkdir(parents=True)
    (out / ".git" / "objects" / "ab").write_bytes(b"\0")
    (out / ".git" / "objects" / "ab").chmod(0o444)
    (out / "link").symlink_to("notes.txt")
    os.mkfifo(out / "pipe")
    (out / "model-00001-of-00002.safetensors").touch()  # of an older model in two files, which the new one is not
    save(tiny_model, tiny_tokenizer, out)
    assert (out / ".git" / "objects" / "ab").read_bytes() == b"\0"
    assert (out / "link").readlink() == Path("notes.txt")
    assert (out / "pipe").is_fifo()
    assert "model-00001-of-00002.safetensors" not in names(out)


def test_a_link_to_a_model_stays_a_link(out: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    link = out.parent / "link"
    link.symlink_to(out)
    commit(tiny_model)
    save(tiny_model, tiny_tokenizer, link)
    assert link.is_symlink()
    assert state(out) == "committed"


def test_two_that_save_at_once_follow_one_another(out: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    committed = copy.deepcopy(tiny_model)
    commit(committed)

    def race(model: Any) -> int:
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            try:
                for _ in range(5):
                    save(model, tiny_tokenizer, out)
                os._exit(0)
            finally:
                os._exit(1)
        return child

    racing = [race(model) for model in (tiny_model, committed)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in racing] == [0, 0]
    assert state(out) in ("masked", "committed")
    assert names(out.parent) == [".out.lock", "out"]


def test_a_second_process_is_refused_when_it_has_waited(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "SAVING_SECONDS", 0.1)

    def second() -> None:
        with pytest.raises(CodeUnlearnError, match=r"Another process is writing to .*out; wait until"), saving(out):
            pass

    with folders.locked(out):
        assert in_a_fork(second, out.parent) == 0
        with saving(out):  # the one that has the lock may go on
            pass


def test_the_lock_of_a_killed_process_is_free(out: Path) -> None:
    def killed() -> None:
        with folders.locked(out):
            die()

    assert in_a_fork(killed, out.parent) == -signal.SIGKILL
    with folders.locked(out):
        pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda out: (out.mkdir(), (out / "README.md").touch()), "holds no model but a README.md"),
        (lambda out: (out.mkdir(), (out / "config.json").write_text("[]")), "config.json is of no model"),
        (lambda out: (out.mkdir(), (out / "config.json").write_text('{"key": 1}')), "config.json is of no model"),
        (lambda out: out.touch(), "is a file, not a folder"),
        (os.mkfifo, "is a pipe, not a folder"),
        (lambda out: out.symlink_to("nowhere"), "is a symbolic link, not a folder"),
    ],
    ids=["a card of something else", "no mapping", "another config", "file", "pipe", "dangling link"],
)
def test_a_place_that_is_no_models_is_refused(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "out")
    with pytest.raises(CodeUnlearnError, match=message):
        check_model_target(tmp_path / "out")


def test_where_nothing_can_be_made_beside_it_a_model_can_be_saved_but_not_replaced(
    tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the root of a volume, which cannot be renamed."""
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "volume")
    save(tiny_model, tiny_tokenizer, tmp_path / "volume")
    assert state(tmp_path / "volume") == "whole"
    with pytest.raises(CodeUnlearnError, match="cannot be replaced as a whole where it lies; name a new folder in it"):
        save(tiny_model, tiny_tokenizer, tmp_path / "volume")
    assert names(tmp_path) == ["volume"]


def model_folder(place: Path) -> Path:
    place.mkdir()
    (place / "config.json").write_text("{}")
    return place


def test_what_comes_into_a_folder_while_it_is_replaced_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, exchange = model_folder(tmp_path / "out"), folders._take_place

    def comes_first(new: Path, target: Path) -> None:
        (target / "notes.txt").write_text("mine")
        exchange(new, target)

    monkeypatch.setattr(folders, "_take_place", comes_first)
    with saving(out) as folder:
        (folder / "config.json").write_text("[]")
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "config.json").read_text() == "[]"


def test_a_folder_in_which_the_command_runs_is_not_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = model_folder(tmp_path / "out")
    monkeypatch.chdir(out)
    with pytest.raises(CodeUnlearnError, match="the command runs in it"), saving(Path(".")):
        pass
    assert (out / "config.json").read_text() == "{}"


def test_a_folder_that_may_not_be_written_to_stands_in_no_later_saves_way(tmp_path: Path) -> None:
    out = model_folder(tmp_path / "out")
    (out / "theirs").mkdir()
    (out / "theirs" / "file").touch()
    (out / "theirs").chmod(0o555)
    for content in ("[1]", "[2]"):
        with saving(out) as folder:
            (folder / "config.json").write_text(content)
    assert (out / "config.json").read_text() == "[2]"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["out"]
