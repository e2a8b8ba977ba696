"""What happens to a deleted slot: the next best code, nothing, a neutral code, or the code's neighbours gone as well.

    python benchmarks/deleted_slots.py --data tatoeba.en-fr.tsv.gz --out runs/selection

Codes are searched for every mode by the recommended recipe as that mode will use them; ``neighbourhood`` deletes, with the codes
found for ``refill``, the codes nearest to each. Sizes are chosen on the validation pool and scored on the test pool, as in
``selection.py``.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from selection import SIZES, Bench, scored, smallest, tried
from torch.nn import functional as F

from codeunlearn.codebook import DELETION_MODES, require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.evaluation.tradeoff import beginnings
from codeunlearn.files import write_json
from codeunlearn.unlearning import ForgetSet, Recommended

NAMES = ("Boston", "dog", "black", "school", "Mary", "love")
NEIGHBOURS = 2
EXAMPLES = 6


def with_neighbours(model: Any, forget_set: ForgetSet, number: int) -> ForgetSet:
    """Each code followed by the ``number`` codes most similar to it that are not in the set yet."""
    codebook = require_bottleneck(model).codebook
    code_ids: list[int] = codebook.code_ids.tolist()
    unit = F.normalize(codebook.weight.detach(), dim=-1)
    rows = [code_ids.index(code) for code in forget_set.ids]
    kept = dict.fromkeys(rows)
    wide: dict[int, None] = {}
    for row in rows:
        near = torch.argsort(unit @ unit[row], descending=True).tolist()
        wide |= dict.fromkeys([row, *[other for other in near if other not in kept and other not in wide][:number]])
    return replace(forget_set, ids=tuple(code_ids[row] for row in wide), evidence=(), preset="neighbourhood")


def measure(bench: Bench, sets: TopicSets, seed: int) -> dict[str, Any]:
    validation, test = bench.texts(sets, seed)
    found: dict[str, Any] = {}
    for mode in DELETION_MODES:
        recipe = Recommended(mode=mode)
        path = recipe.search(bench.model, bench.tokenizer, sets, seed=seed).forget_set
        variants = {mode: beginnings(path, SIZES)}
        if mode == "refill":
            variants["neighbourhood"] = [with_neighbours(bench.model, one, NEIGHBOURS) for one in variants["refill"]]
        for name, forget_sets in variants.items():
            curve = tried(forget_sets, validation, mode, seed)
            found[name] = {
                "validation": asdict(curve),
                "test": asdict(scored(curve, forget_sets, test, mode, seed)),
                "examples": test.translations.after(smallest(curve, forget_sets), mode)[:EXAMPLES],
            }
    shown = {"sources": test.forget.sources[:EXAMPLES], "before": test.translations.before[:EXAMPLES]}
    return {**shown, "modes": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/selection"), help="folder for deleted_slots.json")
    options = parser.parse_args()
    bench = Bench.open(options.model, options.data)
    rows: list[dict[str, Any]] = []
    for name in options.topics.split(","):
        rows.append({"topic": name, **measure(bench, bench.sets(name, options.seed), options.seed)})
        print(name, flush=True)
        write_json(options.out / "deleted_slots.json", {**bench.about, "seed": options.seed, "topics": rows})


if __name__ == "__main__":
    main()
