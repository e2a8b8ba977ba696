"""Control against control: how many codes each preset finds where there is no topic.

    python benchmarks/null_control.py --data tatoeba.en-fr.tsv.gz --out runs/selection

Two random replacements of the topic's word are set against each other, so every code that is found is an accident.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from selection import PAPER_LEVELS, TOPICS

from codeunlearn.codebook import load_model, load_tokenizer, model_identity, require_bottleneck
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.files import write_json
from codeunlearn.record import environment, public_name
from codeunlearn.unlearning import make_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/selection"), help="folder for null_control.json")
    options = parser.parse_args()
    model, tokenizer = load_model(options.model).eval(), load_tokenizer(options.model)
    pools = split_pools(load_pairs(DataConfig(options.data)).dataset)
    vocabulary = Vocabulary.from_sentences(ParallelText.of(pools["train"]).sources)
    levels = (require_bottleneck(model).config.top_s, *PAPER_LEVELS)
    rows: list[dict[str, Any]] = []
    for name in options.topics.split(","):
        sets = build_topic_sets(
            Topic.from_word(name), pools, tune_size=0, eval_size=0, draws=2, search_retain_size=500, seed=options.seed,
            minimum=5, vocabulary=vocabulary,
        )  # fmt: skip
        one, other = sets.controls
        null = replace(
            sets, search=[replace(p, source=text) for p, text in zip(sets.search, one, strict=True)], controls=[other]
        )
        row: dict[str, Any] = {"topic": name, "sentences": len(one)}
        for preset in ("paper", "paired"):
            found = make_recipe(preset).search(model, tokenizer, null, steps=levels)
            row[preset] = {str(step.size): len(step.forget_set) for step in found.steps}
        row["recommended"] = len(
            make_recipe("recommended").search(model, tokenizer, null, seed=options.seed).forget_set
        )
        rows.append(row)
        print(row, flush=True)
    about = {
        "model": public_name(options.model),
        "fingerprint": model_identity(model),
        "data": public_name(options.data),
    }
    write_json(
        options.out / "null_control.json", {**about, "seed": options.seed, "topics": rows, "environment": environment()}
    )


if __name__ == "__main__":
    main()
