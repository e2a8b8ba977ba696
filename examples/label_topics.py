"""Sentences labelled by what they are about, for a classifier: `python examples/label_topics.py DATA OUT.jsonl`.

DATA is `tatoeba` for the sample in the package, or a file of sentence pairs with English on the first side.

A sentence that holds a word of one list and of no other gets that label. Nothing but the words decides, so a classifier can learn
it in a minute, and forgetting a class means forgetting its words.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from codeunlearn import load_pairs

WORDS = {
    "music": "music song songs sing sings sang piano guitar violin concert",
    "animals": "dog dogs cat cats horse horses bird birds animal animals",
    "food": "bread apple apples cake rice dinner lunch breakfast meat cheese",
    "school": "school teacher teachers student students class lesson exam university",
    "weather": "rain rains raining snow snowing weather wind storm sunny cloudy",
}


def label_of(sentence: str) -> str | None:
    """The one list of which the sentence holds a word; None for none or several."""
    held = set(re.findall(r"[a-z]+", sentence.lower()))
    found = [label for label, words in WORDS.items() if held.intersection(words.split())]
    return found[0] if len(found) == 1 else None


def main(data: str, out: Path) -> None:
    sentences = dict.fromkeys(load_pairs(data).dataset["source"])
    rows = [{"text": sentence, "label": label} for sentence in sentences if (label := label_of(sentence))]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} sentences in {out}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
