"""Times the search of topics, and what it takes to apply, undo and commit one."""

from __future__ import annotations

import argparse
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from measuring import Report, timed

from codeunlearn.codebook import load_model, load_tokenizer, require_bottleneck
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.record import public_name
from codeunlearn.unlearning import Paper, commit, forget, restore

TOPICS = ("love", "dog", "happy", "money", "school", "doctor", "teacher", "tired", "wish", "Boston")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for topics.json")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    pools = split_pools(load_pairs(DataConfig(options.data)).dataset)
    report = Report("topics", options.out)
    rows: list[dict[str, Any]] = []
    found: Any = None
    for name in options.topics.split(","):
        sets = build_topic_sets(Topic.from_word(name), pools, tune_size=0, eval_size=0, minimum=5, seed=options.seed)
        seconds, found = timed(lambda sets=sets: Paper().search(model, tokenizer, sets))
        codes = sum(len(step.forget_set) for step in found.steps)
        rows.append({"topic": name, "sentences": len(sets.search), "seconds": seconds, "codes": codes})
        print(f"{name}: {seconds:.1f} s", flush=True)
    report.save(
        model=public_name(options.model),
        data=public_name(options.data),
        num_codes=require_bottleneck(model).codebook.num_codes,
        topics=rows,
        forget_set=forget_set_times(model, found.forget_set),
        seed=options.seed,
    )
    print(f"written to {report.path}")


def forget_set_times(model: Any, forget_set: Any) -> dict[str, float]:
    """Seconds to apply, undo and commit one forget set, and the size of its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        forget_set.save(path)
        size = path.stat().st_size
    applying, _ = timed(lambda: forget(model, forget_set))
    undoing, _ = timed(lambda: restore(model))
    copied = deepcopy(model)
    forget(copied, forget_set)
    committing, _ = timed(lambda: commit(copied))
    return {"codes": len(forget_set), "bytes": size, "apply": applying, "undo": undoing, "commit": committing}


if __name__ == "__main__":
    main()
