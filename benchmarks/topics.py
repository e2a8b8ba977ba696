"""Times the search of topics with and without a corpus index, and what it takes to apply, undo and commit one.

Both searches of a topic run right after each other, so that their ratio sees the same machine. An index was read in batches of
its own, and float32 activations depend a little on the batch, so codes that are nearly equal may change places at the last
ranks; the number of codes that only one of the two forget sets has is reported.
"""

from __future__ import annotations

import argparse
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from measuring import Report, ratio, timed

from codeunlearn.codebook import load_model, load_tokenizer, require_bottleneck
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.device import keep_freed_memory
from codeunlearn.record import public_name
from codeunlearn.unlearning import CorpusIndex, build_index, commit, forget, restore, search_s_primes

TOPICS = ("love", "dog", "happy", "money", "school", "doctor", "teacher", "tired", "wish", "Boston")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--index", type=Path, help="a finished index; made anew, and timed, when absent")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for topics.json")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keep_freed_memory()
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
    report = Report("topics", options.out)
    rows: list[dict[str, Any]] = []
    found: Any = None
    for name in options.topics.split(","):
        sets = build_topic_sets(Topic.from_word(name), pools, tune_size=0, eval_size=0, minimum=5, seed=options.seed)
        sentences = [pair.prompt for pair in sets.search]

        def search(known: CorpusIndex | None, sentences: list[str] = sentences, sets: Any = sets) -> Any:
            return search_s_primes(model, tokenizer, sentences, sets.controls, topic_name=sets.topic.name, known=known)

        without, found = timed(lambda search=search: search(None))
        with_index, again = timed(lambda search=search: search(index))
        sets_of = {s: (set(found[s].forget_set.ids), set(again[s].forget_set.ids)) for s in found}
        rows.append(
            {
                "topic": name,
                "sentences": len(sentences),
                "seconds": without,
                "with_index": with_index,
                "codes": sum(len(one) for one, _ in sets_of.values()),
                "differing": sum(len(one ^ other) for one, other in sets_of.values()),
            }
        )
        report.add(f"{name}: time without over with the index", ratio([without], [with_index]))
    report.save(
        model=public_name(options.model),
        data=public_name(options.data),
        num_codes=require_bottleneck(model).codebook.num_codes,
        index={"bytes": info.bytes, "tokens": info.tokens, "seconds": info.seconds, "opening": opening},
        topics=rows,
        forget_set=forget_set_times(model, found[72].forget_set),
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
