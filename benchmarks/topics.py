"""Times the search of topics with and without a corpus index, and what it takes to apply, undo and commit one.

Both searches of a topic run right after each other, so that their ratio sees the same machine. Writes ``topics.json``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

from codeunlearn.codebook import load_model, load_tokenizer, require_bottleneck
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.record import environment, public_name, write_json
from codeunlearn.unlearning import CorpusIndex, build_index, commit, forget, restore, search_s_primes

TOPICS = ("love", "dog", "happy", "money", "school", "doctor", "teacher", "tired", "wish", "Boston")


def timed(action: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--index", type=Path, help="a finished index; made anew, and timed, when absent")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for topics.json")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    pools = split_pools(load_pairs(DataConfig(options.data)).dataset)
    folder = options.index or options.out / "index"
    if not (folder / "index.json").exists():
        print("Reading the corpus ...", flush=True)
        build_index(model, tokenizer, pools["train"]["source"], folder)
    index = CorpusIndex.open(folder, model)
    opening, _ = timed(lambda: index.holds(["open it"]))
    info = index.info
    print(
        f"index: {info.sentences:,} sentences, {info.tokens:,} tokens, {info.bytes / 1e6:.0f} MB, built in {info.seconds:.0f} s, "
        f"opened in {opening:.1f} s"
    )
    rows: list[dict[str, Any]] = []
    found: Any = None
    for name in options.topics.split(","):
        sets = build_topic_sets(Topic.from_word(name), pools, tune_size=0, eval_size=0, minimum=5, seed=options.seed)
        sentences = [pair.source for pair in sets.search]

        def search(known: CorpusIndex | None, sentences: list[str] = sentences, sets: Any = sets) -> Any:
            return search_s_primes(model, tokenizer, sentences, sets.controls, topic_name=sets.topic.name, known=known)

        without, found = timed(lambda search=search: search(None))
        with_index, again = timed(lambda search=search: search(index))
        same = all(found[s].forget_set.ids == again[s].forget_set.ids for s in found)
        rows.append(
            {"topic": name, "sentences": len(sentences), "seconds": without, "with_index": with_index, "same": same}
        )
        print(
            f"{name:10} {len(sentences):4} sentences   {without:.2f} s, with the index {with_index:.2f} s", flush=True
        )
    write_json(
        options.out / "topics.json",
        {
            "model": public_name(options.model),
            "data": public_name(options.data),
            "num_codes": require_bottleneck(model).codebook.num_codes,
            "index": {"bytes": info.bytes, "tokens": info.tokens, "seconds": info.seconds, "opening": opening},
            "topics": rows,
            "forget_set": forget_set_times(model, found[72].forget_set),
            "seed": options.seed,
            "environment": environment(),
        },
    )
    print(f"written to {options.out / 'topics.json'}")


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
