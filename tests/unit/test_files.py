"""Files of ours are read with one sentence for what is wrong, and written whole or not at all."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from killing import in_a_fork, killed_at_every_write

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import (
    check_folder_target,
    check_target,
    named_after,
    read_json_object,
    replacing,
    write_json,
    write_text,
)
from codeunlearn.validation import NumberOrNan, read_state, validated


def bind(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


NO_FILES: dict[str, Callable[[Path], Any]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": bind,
    "link": lambda path: path.symlink_to(path.parent / "elsewhere"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_only_a_file_is_replaced(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    (tmp_path / "elsewhere").write_text("Mine.")
    path = tmp_path / "x"
    make(path)
    before = path.lstat()
    with pytest.raises(CodeUnlearnError, match="not a file that can be replaced; name another file"):
        write_text(path, "new")
    assert path.lstat() == before
    assert (tmp_path / "elsewhere").read_text() == "Mine."
    assert len(list(tmp_path.iterdir())) == 2


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(CodeUnlearnError, match="/dev/null is a device or socket, not a file"):
        check_target(Path("/dev/null"))
    with pytest.raises(CodeUnlearnError, match="/dev/null is a device or socket, not a folder"):
        check_folder_target(Path("/dev/null"))


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "y" / "x"):
        with pytest.raises(CodeUnlearnError, match="file is not a folder; choose another place"):
            check_target(path)
        with pytest.raises(CodeUnlearnError, match="file is not a folder; choose another place"):
            check_folder_target(path)
    for name in ("a\0b", "x" * 300):
        with pytest.raises(CodeUnlearnError, match="cannot be written"):
            check_target(tmp_path / name)
    check_target(tmp_path / "new" / "folder" / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    seen: list[Any] = []
    for _ in killed_at_every_write(lambda: write_json(path, {"new": 2}), tmp_path):
        seen.append(read_json_object(path))
    assert seen[0] == {"old": 1}
    assert read_json_object(path) == {"new": 2}
    assert {left.suffix for left in tmp_path.iterdir()} == {".json", ".part"}


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_text(path, "old")
    with suppress(ZeroDivisionError), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["x"]


def test_no_space_is_one_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_text(path, "old")

    def write_with_little_space() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(CodeUnlearnError, match=r"/x cannot be written \(File too large\)\.$"):
            write_text(path, "new" * 1000)

    assert in_a_fork(write_with_little_space, tmp_path) == 0
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["x"]


def test_names_with_dots_keep_them(tmp_path: Path) -> None:
    names = ("love.json", "love", "love.v2", "love.v2.json")
    assert [named_after(tmp_path / name, ".csv").name for name in names] == [
        "love.csv",
        "love.csv",
        "love.v2.csv",
        "love.v2.csv",
    ]


@dataclass(frozen=True)
class Inner:
    a: int
    b: NumberOrNan = 0.0


@dataclass(frozen=True)
class Outer:
    name: str
    rows: tuple[Inner, ...]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ('{"name": "x", "ro', "it is not JSON"),
        ("[]", r"must be of type mapping, not \[\]"),
        ('{"name": "x"}', "rows is missing"),
        ('{"name": 5, "rows": []}', "name must be of type str, not 5"),
        ('{"name": "x", "rows": [{"a": "1"}]}', "rows: a must be of type int, not '1'"),
        ('{"name": "x", "rows": [{"a": true}]}', "rows: a must be of type int, not True"),
        ('{"name": "\\ud800", "rows": []}', "holds something that is no text"),
        ("[" * 100_000, "it is not JSON"),
        (json.dumps({"name": "x", "rows": {"a": 1}}), "rows must be of type list, not {'a': 1}"),
    ],
)
def test_a_damaged_state_is_one_sentence_that_says_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(CodeUnlearnError, match=rf"state\.json.*{message}.*; remove it\.$"):
        read_state(Outer, path, "remove it")


def test_null_stands_for_what_json_cannot_hold() -> None:
    read = validated(Outer, {"name": "x", "rows": [{"a": 1, "b": None}, {"a": 2, "b": 3}]}, "x")
    assert str(read.rows[0].b) == "nan"
    assert read.rows[1].b == 3.0
