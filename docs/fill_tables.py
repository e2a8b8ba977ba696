"""Fills the tables in README and docs from Markdown files that commands and benchmarks wrote: no figure in them is typed.

    python docs/fill_tables.py

What stands between ``<!-- table: FILE -->`` and ``<!-- end -->`` becomes the text of FILE, a path from ``docs``, without its
pictures and comments.
"""

from __future__ import annotations

import re
from pathlib import Path

from codeunlearn.evaluation.scores import Scores
from codeunlearn.reporting.overview import overview_table, write_overview

DOCS = Path(__file__).parent
EIGHT = DOCS / "results/eight-topics"
TOPICS = ("dog", "Boston", "love", "music", "wine", "doctor", "teacher", "happy")  # of README's picture, in its order
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(match: re.Match[str]) -> str:
    paragraphs = (DOCS / match[2]).read_text(encoding="utf-8").strip().split("\n\n")
    shown = "\n\n".join(paragraph for paragraph in paragraphs if not paragraph.startswith(("![", "<!--")))
    return f"{match[1]}\n{shown}\n\n{match[3]}"


def main() -> None:
    scores = [Scores.load(EIGHT / f"{name}.json") for name in TOPICS]
    overview_table(scores).save(EIGHT)
    write_overview(scores, EIGHT / "overview.svg")
    for page in (DOCS.parent / "README.md", *DOCS.glob("*.md"), *DOCS.glob("results/*.md")):
        text = page.read_text(encoding="utf-8")
        page.write_text(MARKED.sub(filled, text), encoding="utf-8")


if __name__ == "__main__":
    main()
