"""A command looks at where it writes before it works, and shows every name as it is."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from killing import in_a_fork
from rich.table import Table
from rich.text import Text

from codeunlearn.cli import console
from codeunlearn.cli.app import app, main
from codeunlearn.codebook import load_model, model_identity
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet

NAMES = ("x[/b]", "x[old]", "[red]x", ":smile:", "[link=x]", "a`b`", "$x$")


@pytest.fixture
def place(tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model saved from Python, which has no record of a training, and a forget set of it."""
    save_model(tiny_model, tiny_tokenizer, tmp_path / "model")
    ForgetSet("love", (3, 8, 21), model_identity(tiny_model), num_codes=64).save(tmp_path / "love.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> None:
    app(arguments, standalone_mode=False)


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".lock")


def test_a_model_without_a_record_is_applied_to_with_a_card_that_leaves_its_training_out(place: Path) -> None:
    run("apply", "model", "love.json", "--out", "out")
    card = (place / "out" / "README.md").read_text()
    assert "How it was trained is not known here." in card
    assert "| love | 3 |" in card
    assert "## Training" not in card
    assert load_model(place / "out").bottleneck.codebook.deleted.sum() == 3


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "json is the forget set": (
        ("--out", "out", "--json", "love.json"),
        "is also what is read and would be overwritten",
    ),
    "json is a link to it": (("--out", "out", "--json", "link"), "is a symbolic link"),
    "json by another path": (("--out", "out", "--json", "model/../love.json"), "is also what is read"),
    "json is a file of the model": (("--out", "out", "--json", "model/config.json"), "the place of a model's file"),
    "json is a file of the result": (("--out", "out", "--json", "out/config.json"), "the place of a model's file"),
    "json is a folder": (("--out", "out", "--json", "."), "is a folder"),
    "json is a device": (("--out", "out", "--json", "/dev/null"), "is a device"),
    "json is empty": (("--out", "out", "--json", ""), "is a folder"),
    "out is the model": (("--out", "model/../model"), "is what is read; choose another --out"),
    "out is a link to the model": (("--out", "same"), "is what is read; choose another --out"),
    "out is a file": (("--out", "love.json"), "is a file, not a folder"),
    "out is below a file": (("--out", "love.json/x"), "is not a folder"),
    "out holds other things": (("--out", "other"), "holds no model but a README.md"),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD)
def test_a_target_that_cannot_be_is_refused_before_the_work(
    place: Path, options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "link").symlink_to("love.json")
    (place / "same").symlink_to("model")
    (place / "other").mkdir()
    (place / "other" / "README.md").write_text("Mine.")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}

    def work(*_: Any, **__: Any) -> None:
        raise AssertionError("it should not have begun")

    monkeypatch.setattr("codeunlearn.codebook.load_model", work)
    with pytest.raises(CodeUnlearnError, match=message):
        run("apply", "model", "love.json", *options)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_command_that_fails_at_its_end_leaves_no_model(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise CodeUnlearnError("no space")

    for name in ("codeunlearn.cli.opening.write_model_card", "codeunlearn.cli.apply.emit_json"):
        with monkeypatch.context() as patch:
            patch.setattr(name, fail)
            with pytest.raises(CodeUnlearnError, match="no space"):
                run("apply", "model", "love.json", "--out", "out", "--json", "result.json")
        assert entries(place) == ["love.json", "model"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_clears_away_what_it_began(
    place: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), number)
        time.sleep(10)

    def stopped() -> None:
        monkeypatch.setattr("codeunlearn.cli.opening.write_model_card", stop)
        monkeypatch.setattr(sys, "argv", ["codeunlearn", "apply", "model", "love.json", "--out", "out"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 128 + number

    assert in_a_fork(stopped, place) == 0
    assert entries(place) == ["love.json", "model"]


def test_json_may_lie_in_the_folder_of_the_result(place: Path) -> None:
    for _ in range(2):  # into a new folder, and over an older model
        run("apply", "model", "love.json", "--out", "out", "--json", "out/result.json")
        assert json.loads((place / "out" / "result.json").read_text())["newly_deleted"] == 3
        assert load_model(place / "out").bottleneck.codebook.deleted.sum() == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("apply", "model", "love.json", "--out", name)
    assert f"The model is in {name}." in capsys.readouterr().err
    run("show", name)
    assert "love" in capsys.readouterr().out
    run("restore", name, "--out", "restored")
    assert "3 codes are back" in capsys.readouterr().err


def shown(what: Any) -> str:
    screen = console.PlainConsole()
    screen.file = io.StringIO()
    screen.print(what, soft_wrap=True)
    return screen.file.getvalue()


@pytest.mark.parametrize("name", [*NAMES, "\x1b[31mred", "a\rb", "\x9b31m", "bell\x07"])
def test_no_text_commands_the_screen(name: str) -> None:
    table = Table(name)
    table.add_row(name)
    table.add_row(Text(name))
    for what in (name, Text(name), table):
        text = shown(what)
        assert not set(text) & {chr(code) for code in (*range(32), *range(127, 160)) if code != 10}
    if name in NAMES:
        assert all(name in shown(what) for what in (name, Text(name), table))


def test_a_long_name_is_not_broken_into_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(f"The model is in {'x' * 300}.")
    assert f"The model is in {'x' * 300}." in capsys.readouterr().err


def test_a_label_of_a_progress_bar_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console.screen, "_force_terminal", True)
    monkeypatch.setattr(console.screen, "is_interactive", True)
    monkeypatch.setattr(console.screen, "_file", stream)
    with console.progress("x[/b]") as show:
        show(1, 2)
    assert "x[/b]" in stream.getvalue()
