"""A MkDocs hook: the API reference, one page for each room of the package, from its docstrings.

The modules are found in the source tree and read, never imported, so that nothing has to be installed and none is forgotten.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOMS = (
    "codebook",
    "tasks",
    "corpus",
    "training",
    "unlearning",
    "evaluation",
    "methods",
    "audit",
    "reporting",
    "experiments",
)
DATA = ("stories",)  # sentences, not functions


def on_files(files: Files, config: MkDocsConfig) -> Files:
    package = Path(config.config_file_path).parent / "src" / "codeunlearn"
    pages = {room: modules_of(package, (package / room).rglob("*.py")) for room in ROOMS}
    pages["files"] = modules_of(package, (path for path in package.glob("*.py") if not path.name.startswith("__")))
    for name, modules in pages.items():
        heading = f"# codeunlearn.{name}" if name in ROOMS else "# Files and records"
        about = ast.get_docstring(ast.parse((package / name / "__init__.py").read_text())) if name in ROOMS else None
        sections = [heading, about or "", *(f"::: {module}" for module in modules)]
        files.append(File.generated(config, f"api/{name}.md", content="\n\n".join(sections)))
    return files


def modules_of(package: Path, paths: Iterable[Path]) -> list[str]:
    """Dotted names of the modules that define something public, packages first."""
    names: list[str] = []
    for path in sorted(paths):
        parts = path.relative_to(package).with_suffix("").parts
        if not set(parts) & set(DATA) and _defines(path):
            names.append(".".join(["codeunlearn", *parts]).removesuffix(".__init__"))
    return names


def _defines(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, kinds) and not node.name.startswith("_") for node in body)
