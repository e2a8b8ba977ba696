"""A file of options says what the command line could say, key by key and type by type, or one sentence why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from codeunlearn.cli import options
from codeunlearn.cli.app import app as whole
from codeunlearn.errors import CodeUnlearnError

app = typer.Typer()


@app.command()
def command(
    out: Annotated[Path | None, typer.Option()] = None,
    words: Annotated[str, typer.Option()] = "love",
    size: Annotated[int, typer.Option(min=1)] = 3,
    rate: Annotated[float | None, typer.Option()] = None,
    deep: Annotated[bool, typer.Option("--deep")] = False,
    forget_sets: Annotated[list[Path] | None, typer.Option("--forget-sets")] = None,
    mode: Annotated[Literal["drop", "refill"], typer.Option()] = "drop",
    config: options.Config = None,
) -> None:
    typer.echo([str(out), words, size, rate, deep, [str(path) for path in forget_sets or []], mode])


def run(tmp_path: Path, text: str, *arguments: str) -> Any:
    (tmp_path / "o.yaml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, ["--config", str(tmp_path / "o.yaml"), *arguments])


def test_every_kind_of_option_can_stand_in_the_file(tmp_path: Path) -> None:
    text = "out: a/b\nwords: no\nsize: 5\nrate: 2\ndeep: yes\nforget-sets: [x, y]\nmode: refill\n"
    assert run(tmp_path, text).stdout == "['a/b', 'no', 5, 2.0, True, ['x', 'y'], 'refill']\n"
    assert run(tmp_path, "forget_sets: one\nrate:\n").stdout == "['None', 'love', 3, None, False, ['one'], 'drop']\n"
    assert run(tmp_path, "").stdout == "['None', 'love', 3, None, False, [], 'drop']\n"


def test_the_command_line_overrules_the_file(tmp_path: Path) -> None:
    assert run(tmp_path, "words: sea\nsize: 5\n", "--words", "dog").stdout.startswith("['None', 'dog', 5")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("word: x", "sets 'word', which this command does not have"),
        ("config: x", "sets 'config', which this command does not have"),
        ("forget-sets: x\nforget_sets: y", "sets 'forget_sets' twice"),
        ("words: [a, b]", r"words must be of type str, not \['a', 'b'\]"),
        ("words: 5", "words must be of type str, not 5; put it in quotes"),
        ("words: true", "words must be of type str, not True; put it in quotes"),
        ("words:", "words must be of type str, not None"),
        ("words: {a: b}", "words must be of type str"),
        ("size: '5'", "size must be of type int, not '5'"),
        ("size: 5.5", "size must be of type int, not 5.5"),
        ("size: true", "size must be of type int, not True"),
        ("size: [5]", "size must be of type int"),
        ("rate: .nan", "rate must be a number"),
        ("rate: 1e-3", "rate must be of type float, not '1e-3'; write 0.001"),
        ("deep: 1", "deep must be of type bool, not 1; write true or false"),
        ("deep: maybe", "deep must be of type bool, not 'maybe'"),
        ("mode: skip", "mode is 'skip'; choose one of drop, refill"),
        ("forget-sets: [x, 5]", "forget-sets must be of type str, not 5"),
        ("out: 5", "out must be of type str, not 5"),
        ("5: x", "a key is no text"),
        ("words: a\nwords: b", "a second time"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    result = run(tmp_path, text)
    assert isinstance(result.exception, CodeUnlearnError)
    with pytest.raises(CodeUnlearnError, match=said):
        raise result.exception


@pytest.mark.parametrize("name", sorted(set(typer.main.get_command(whole).commands) - {"reproduce"}))  # pyright: ignore[reportAttributeAccessIssue]
def test_every_command_reads_a_file_of_options(name: str, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("no-such-option: 5\n", encoding="utf-8")
    result = CliRunner().invoke(whole, [name, "--config", str(tmp_path / "o.yaml")])
    assert "sets 'no-such-option', which this command does not have" in str(result.exception)


@dataclass(frozen=True)
class Place:
    where: Annotated[str, typer.Option()]
    how_far: Annotated[int, typer.Option(min=1)] = 3


def walk(*, loud: Annotated[bool, typer.Option("--loud")] = False, place: Place) -> None:
    typer.echo([loud, place.where, place.how_far])


def test_a_dataclass_among_the_parameters_stands_for_an_option_a_field(tmp_path: Path) -> None:
    walking = typer.Typer()
    walking.command()(options.spread(walk))
    (tmp_path / "o.yaml").write_text("how-far: 7\nloud: true\n", encoding="utf-8")
    from_file = ["--config", str(tmp_path / "o.yaml")]
    assert CliRunner().invoke(walking, ["--where", "sea"]).stdout == "[False, 'sea', 3]\n"
    assert CliRunner().invoke(walking, [*from_file, "--where", "sea"]).stdout == "[True, 'sea', 7]\n"
    assert CliRunner().invoke(walking, [*from_file, "--where", "sea", "--how-far", "2"]).stdout == "[True, 'sea', 2]\n"
    assert CliRunner().invoke(walking, []).exit_code == 2, "the field without a default is required"
    assert CliRunner().invoke(walking, ["--where", "sea", "--how-far", "0"]).exit_code == 2
