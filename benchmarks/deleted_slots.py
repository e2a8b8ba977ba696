"""What happens to a deleted slot: the next best code, nothing, a neutral code, or the code's neighbours gone as well.

    python benchmarks/deleted_slots.py --data tatoeba.en-fr.tsv.gz --out runs/selection

Codes are searched for every mode by the recommended recipe as that mode will use them; ``neighbourhood`` deletes, with the codes
found for ``refill``, the codes nearest to each. Scored on the test pool.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from selection import RETAINED, prepare
from torch.nn import functional as F

from codeunlearn.codebook import DELETION_MODES, load_model, load_tokenizer, model_identity, require_bottleneck
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.target_words import ParallelText
from codeunlearn.corpus.topic_sets import TopicSets, sample_pool
from codeunlearn.corpus.vocabulary import Vocabulary
from codeunlearn.evaluation.protocol import TestSet
from codeunlearn.evaluation.retranslate import Retranslator
from codeunlearn.evaluation.topic import EvaluationConfig, ModelTranslator
from codeunlearn.evaluation.tradeoff import beginnings, trade_off
from codeunlearn.files import write_json
from codeunlearn.record import environment, public_name
from codeunlearn.unlearning import ForgetSet, RecommendedPreset, search_recommended

NAMES = ("Boston", "dog", "black", "school", "Mary", "love")
SIZES = (2, 4, 8, 12, 16, 24, 32, 48)
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


def measure(model: Any, tokenizer: Any, sets: TopicSets, retain: TestSet, seed: int) -> dict[str, Any]:
    translator = ModelTranslator(model, tokenizer, EvaluationConfig(seed=seed))
    forget = TestSet("forget", sets.forget, sets.target_words)
    translations = Retranslator(model, tokenizer, translator, [*forget.sources, *retain.sources])
    paths = {
        mode: search_recommended(model, tokenizer, sets, preset=RecommendedPreset(mode=mode), seed=seed).forget_set
        for mode in DELETION_MODES
    }
    found: dict[str, Any] = {}
    for mode, path in paths.items():
        variants = {mode: beginnings(path, SIZES)}
        if mode == "refill":
            variants["neighbourhood"] = [with_neighbours(model, one, NEIGHBOURS) for one in variants["refill"]]
        for name, forget_sets in variants.items():
            curve = trade_off(translations, forget_sets, forget, retain, mode=mode, seed=seed)
            reached = curve.at_loss(95)
            at = next((one for one in forget_sets if reached and len(one) == reached.codes), forget_sets[-1])
            found[name] = {**asdict(curve), "examples": translations.after(at, mode)[:EXAMPLES]}
    return {"sources": forget.sources[:EXAMPLES], "before": translations.before[:EXAMPLES], "modes": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/selection"), help="folder for deleted_slots.json")
    options = parser.parse_args()
    model, tokenizer = load_model(options.model).eval(), load_tokenizer(options.model)
    pools = split_pools(load_pairs(DataConfig(options.data)).dataset)
    vocabulary = Vocabulary.from_sentences(ParallelText.of(pools["train"]).sources)
    sample = sample_pool(pools["test"], 2 * RETAINED, 0)
    about = {
        "model": public_name(options.model),
        "fingerprint": model_identity(model),
        "data": public_name(options.data),
    }
    rows: list[dict[str, Any]] = []
    for name in options.topics.split(","):
        sets, retain = prepare(name, pools, vocabulary, sample, options.seed)
        rows.append({"topic": name, **measure(model, tokenizer, sets, retain, options.seed)})
        for mode, curve in rows[-1]["modes"].items():
            line = "  ".join(
                f"{p['codes']}: {p['topic_loss']:.0f} % {p['retain_chrf_delta']:+.2f}" for p in curve["points"]
            )
            print(f"{name} {mode:14} {line}", flush=True)
        write_json(
            options.out / "deleted_slots.json",
            {**about, "seed": options.seed, "topics": rows, "environment": environment()},
        )


if __name__ == "__main__":
    main()
