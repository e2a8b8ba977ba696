"""Entries by name, from this package and from others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeunlearn import registry
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.registry import Registry


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which another package is installed that names the module ``addition``."""
    about = tmp_path / "other_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[codeunlearn]\nmine = addition\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.load_plugins.cache_clear()
    yield tmp_path
    registry.load_plugins.cache_clear()
    sys.modules.pop("addition", None)


def test_an_entry_is_found_by_its_name() -> None:
    colours = Registry[str]("colour")
    assert colours.register("red")("#f00") == "#f00"
    assert (colours.get("red"), colours.names()) == ("#f00", ["red"])


def test_an_unknown_name_is_answered_with_those_that_are_known() -> None:
    colours = Registry[str]("colour")
    colours.register("red")("#f00")
    colours.register("blue")("#00f")
    with pytest.raises(CodeUnlearnError, match=r"^Unknown colour 'green'; choose one of red, blue\.$"):
        colours.get("green")


def test_a_name_is_given_once() -> None:
    colours = Registry[str]("colour")
    colours.register("red")("#f00")
    colours.register("red")("#f00")
    with pytest.raises(CodeUnlearnError, match="There is a colour 'red' already"):
        colours.register("red")("#e00")


def test_own_entries_are_loaded_once_and_when_they_are_asked_for() -> None:
    loaded: list[int] = []
    colours = Registry[str]("colour", lambda: loaded.append(1))
    assert not loaded
    colours.names(), colours.names()
    assert loaded == [1]


def test_another_package_adds_entries(installed: Path) -> None:
    (installed / "addition.py").write_text("import codeunlearn.errors\ncodeunlearn.errors.added = True\n")
    Registry[str]("colour").names()
    import codeunlearn.errors

    assert vars(codeunlearn.errors).pop("added")


def test_a_package_that_cannot_be_imported_is_named(installed: Path) -> None:
    (installed / "addition.py").write_text("import no_such_module\n")
    with pytest.raises(CodeUnlearnError, match="The package other-package adds to codeunlearn and cannot be imported"):
        Registry[str]("colour").names()
