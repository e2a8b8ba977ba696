"""Importing the package costs nothing, using a saved model needs little, and the folders build on one another."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import codeunlearn

PACKAGE = Path(codeunlearn.__file__).parent
ORDER = [
    "codebook", "tasks", "corpus", "training", "unlearning", "evaluation", "methods", "audit", "reporting", "experiments", "cli"
]  # fmt: skip
ANYWHERE = {
    "device",
    "errors",
    "extras",
    "files",
    "folders",
    "markdown",
    "reading",
    "record",
    "registry",
    "saving",
    "validation",
}


def run(code: str) -> None:
    """Runs code in a fresh interpreter that sees this package and no network."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "HF_HUB_OFFLINE": "1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr


def test_importing_the_package_imports_no_heavy_library() -> None:
    heavy = {"torch", "transformers", "datasets", "scipy", "nltk", "numpy", "pandas"}
    run(f"import sys, codeunlearn; found = {heavy} & set(sys.modules); assert not found, found")


def test_the_command_answers_a_question_about_itself_without_heavy_libraries() -> None:
    heavy = {"torch", "transformers", "datasets", "scipy", "nltk", "numpy", "pandas"}
    run(f"import sys, codeunlearn.cli.app; found = {heavy} & set(sys.modules); assert not found, found")


def test_the_mechanism_works_where_the_other_libraries_are_not_installed() -> None:
    """transformers imports scipy when it is there, so "not needed" is tested by taking it away."""
    absent = [
        "datasets",
        "accelerate",
        "scipy",
        "nltk",
        "pandas",
        "sacrebleu",
        "matplotlib",
        "wordfreq",
        "HanTa",
        "typer",
    ]
    run(f"import sys; sys.modules.update(dict.fromkeys({absent})); import codeunlearn.codebook")


def test_the_top_level_names_are_there() -> None:
    for name in codeunlearn.__all__:
        value = getattr(codeunlearn, name)
        assert name.isupper() or value.__name__ == name
    assert set(codeunlearn.__all__) <= set(dir(codeunlearn))
    with pytest.raises(AttributeError, match="has no attribute 'forgte'"):
        codeunlearn.forgte  # noqa: B018


def imported(path: Path) -> Iterator[str]:
    """Parts of the package that a module imports, as ``corpus.loading`` or ``errors``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("codeunlearn.") for name in names if name.startswith("codeunlearn."))


def modules() -> list[Path]:
    return sorted(p for folder in ORDER for p in (PACKAGE / folder).rglob("*.py"))


def test_every_folder_has_its_place_in_the_order() -> None:
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders <= set(ORDER)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_only_backward(path: Path) -> None:
    own = ORDER.index(path.relative_to(PACKAGE).parts[0])
    for name in imported(path):
        folder = name.partition(".")[0]
        if folder in ORDER:
            assert ORDER.index(folder) <= own, f"{folder} comes after {ORDER[own]}"
        else:
            assert folder in ANYWHERE | {"__version__"}, f"{name} is no part that may be imported from anywhere"


@pytest.mark.parametrize("name", sorted(ANYWHERE))
def test_what_may_be_imported_from_anywhere_imports_no_folder(name: str) -> None:
    assert not [part for part in imported(PACKAGE / f"{name}.py") if part.partition(".")[0] in ORDER]


def test_the_mechanism_imports_only_torch_transformers_and_safetensors() -> None:
    """Triton too, where it is there: its kernels have a module of their own, which nothing imports without trying."""
    always = {"torch", "transformers", "safetensors", "codeunlearn", *sys.stdlib_module_names}
    for path in (PACKAGE / "codebook").rglob("*.py"):
        allowed = always | {"triton"} if path.stem in ("fused", "kernels") else always
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path


def test_the_package_runs_as_a_module() -> None:
    run("import runpy, sys; sys.argv[1:] = ['--version']; runpy.run_module('codeunlearn', run_name='__main__')")
