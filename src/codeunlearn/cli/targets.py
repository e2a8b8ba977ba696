"""Where a command writes, looked at before it works: no work for a result that cannot be kept or would replace its input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, get_type_hints

import typer

from codeunlearn.cli.console import STDOUT, quiet_libraries
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import check_folder_target, check_target, exists, is_same
from codeunlearn.saving import is_model_file

_INPUTS = (
    *("model", "what", "base", "data", "base_data", "config", "sentences", "forget", "forget_sets"),
    *("plain", "zero_shot", "scorer", "bertscore", "bartscore"),
)
_OUT_OF_MEMORY = re.compile("allocate memory|out of memory", re.IGNORECASE)


def folder(name: str | Path) -> Path:
    """The value of an option for a folder; an empty name is none, and not the folder in which the command runs."""
    if not str(name):
        raise typer.BadParameter("the name is empty.")
    return Path(name)


def checked(run: Callable[..., None]) -> Callable[..., None]:
    """The subcommand, which first checks the targets among its options: ``out``, ``json`` and ``report``."""

    @wraps(run)
    def checking(**values: Any) -> None:
        files, folders = _targets(run, values)
        inputs = list(_inputs(values))
        for name, path in files.items():
            check_target(path)
            _check_file(name, path, {n: p for n, p in files.items() if n != name}, folders, inputs)
        for name, path in folders.items():
            check_folder_target(path)
            if any(is_same(path, given) for given in inputs):
                raise CodeUnlearnError(f"{name} {path} is what is read; choose another {name}, so that it stays.")
        if values.get("report") is not None:
            from codeunlearn.reporting.report import check_report_target

            check_report_target(values["report"])
        quiet_libraries()
        try:
            run(**values)
        except (MemoryError, RuntimeError) as error:
            if not (isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error))):
                raise
            raise CodeUnlearnError(
                "There is not enough memory for this; choose smaller sizes, such as fewer codes or tokens per batch."
            ) from error

    return checking


def _targets(run: Callable[..., None], values: dict[str, Any]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Files and folders that the options name."""
    files: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    if values.get("json") not in (None, STDOUT):
        files["--json"] = Path(values["json"])
    if values.get("report") is not None:
        folders["--report"] = values["report"]
    if "out" in signature(run).parameters:
        (option,) = get_type_hints(run, include_extras=True)["out"].__metadata__
        (folders if option.parser is folder else files)["--out"] = values["out"]
    return files, folders


def _inputs(values: dict[str, Any]) -> Iterator[Path]:
    """What the options name to be read, as far as it is on disk."""
    for name in _INPUTS:
        given = values.get(name)
        for one in given if isinstance(given, list | tuple) else [given]:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(one, str | Path) and exists(Path(one)):
                yield Path(one)


def _check_file(name: str, path: Path, others: dict[str, Path], folders: dict[str, Path], inputs: list[Path]) -> None:
    for given in inputs:
        if is_same(path, given):
            raise CodeUnlearnError(f"{name} {path} is also what is read and would be overwritten; name another file.")
    for other, theirs in others.items():
        if is_same(path, theirs):
            raise CodeUnlearnError(f"{name} and {other} both name {path}; name two files.")
    for folder in (*inputs, *folders.values()):
        if is_model_file(path.name) and is_same(path.parent, folder):
            raise CodeUnlearnError(f"{name} {path} would take the place of a model's file; name another file.")
