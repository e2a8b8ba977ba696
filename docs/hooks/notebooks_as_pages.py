"""A MkDocs hook: the notebooks of ``examples/notebooks`` as pages, with the text that their cells printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FOLDER = "examples/notebooks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path in sorted((Path(config.config_file_path).parent / FOLDER).glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        title, *rest = (part for cell in cells for part in parts_of(cell))
        page = "\n\n".join([title, f"*This page is the notebook `{FOLDER}/{path.name}`.*", *rest])
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page))
    return files


def parts_of(cell: dict[str, Any]) -> list[str]:
    """A cell and what it printed, as Markdown."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    return [
        f"```python\n{source}\n```",
        *(f"```text\n{text.rstrip()}\n```" for text in map(_text, cell["outputs"]) if text),
    ]


def _text(output: dict[str, Any]) -> str:
    return "".join(output["data"].get("text/plain", "") if "data" in output else output.get("text", ""))
