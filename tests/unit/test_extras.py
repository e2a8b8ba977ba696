"""Using a model and forgetting need the core of the package only; what needs an extra names the command that brings it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import codeunlearn
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.extras import needs

PACKAGE = Path(codeunlearn.__file__).parent
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = packages_distributions()
OF_EXTRAS = ("accelerate", "tensorboard", "matplotlib")
USING = ("translate", "apply", "restore", "show", "forget", "evaluate", "sweep")


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=]", one)[0].lower() for one in requirements}


def brought_by(package: str) -> set[str]:
    found = {name.lower() for name in DISTRIBUTIONS.get(package, [package])}
    return found | {name.replace("_", "-") for name in found}


def imports(node: ast.AST, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """Every imported module with the extras that the imports around it are said to need."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, extras) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield str(node.module), extras
    if isinstance(node, ast.With):
        calls = [item.context_expr for item in node.items]
        extras |= {
            ast.literal_eval(c.args[0]) for c in calls if isinstance(c, ast.Call) and ast.unparse(c.func) == "needs"
        }
    for child in ast.iter_child_nodes(node):
        yield from imports(child, extras)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_is_imported_is_required_by_the_core_or_by_the_extra_that_is_named(path: Path) -> None:
    known = {*sys.stdlib_module_names, "codeunlearn", "triton"}  # triton comes with torch, where there is a GPU
    for module, extras in imports(ast.parse(path.read_text(encoding="utf-8"))):
        package = module.partition(".")[0]
        required = named(PROJECT["dependencies"]).union(*(named(PROJECT["optional-dependencies"][e]) for e in extras))
        required |= {"pydantic_core"} if "pydantic" in required else set()
        required |= {"tokenizers", "huggingface-hub"}  # without which there is no transformers
        assert package in known or brought_by(package) & required, f"{path.name} imports {module}"


def test_a_missing_extra_is_one_sentence_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    sentence = r"^This needs matplotlib: pip install 'codeunlearn\[reports\]'\.$"
    with pytest.raises(CodeUnlearnError, match=sentence), needs("reports"):
        import matplotlib  # noqa: F401


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has all that this one has but for the extras."""
    folder = tmp_path_factory.mktemp("core")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (inside,) = folder.glob("lib/python*/site-packages")
    for entry in Path(pytest.__file__).parents[1].iterdir():
        if not entry.name.startswith((*OF_EXTRAS, "mpl_toolkits", "peft")) and entry.suffix != ".pth":
            (inside / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "HF_HUB_OFFLINE": "1"}
    return subprocess.run([python, *arguments], capture_output=True, text=True, env=environment, check=False)


def test_commands_that_use_a_model_and_forget_need_no_extra(core: Path) -> None:
    wanted = {m for name in USING for m, _ in imports(ast.parse((PACKAGE / "cli" / f"{name}.py").read_text("utf-8")))}
    wanted.discard("codeunlearn.reporting.report")  # for --report
    code = f"import sys, importlib; [importlib.import_module(name) for name in {sorted(wanted)}]"
    result = run(core, "-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (("train", "--data", "stories", "--base", "tiny"), "accelerate", "train"),
        (("evaluate", "no-such-model", "--data", "stories", "--report"), "matplotlib", "reports"),
    ],
)
def test_a_command_that_needs_an_extra_says_so_before_it_works(
    core: Path, tmp_path: Path, command: tuple[str, ...], package: str, extra: str
) -> None:
    out = ("--out",) if command[0] == "train" else ()
    result = run(core, "-m", "codeunlearn", *command, *out, str(tmp_path / "out"))
    assert result.returncode == 1
    assert f"This needs {package}: pip install 'codeunlearn[{extra}]'." in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
