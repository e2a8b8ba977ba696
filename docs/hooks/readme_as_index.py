"""A MkDocs hook: README.md is the site's first page, so that the overview is written once; other files of the root likewise."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
FILES = ("CITATION.cff", "LICENSE", "examples/one_topic.py")
MOVED = {"](docs/": "](", 'src="docs/': 'src="', "](examples/notebooks)": "](notebooks/forget_one_topic.md)"}
"""What the README links to, and where the site has it."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = Path(config.config_file_path).parent
    for name, page in PAGES.items():
        text = (root / name).read_text(encoding="utf-8")
        for link, here in MOVED.items():
            text = text.replace(link, here)
        files.append(File.generated(config, page, content=text))
    for name in FILES:
        files.append(File.generated(config, name, abs_src_path=str(root / name)))
    return files
