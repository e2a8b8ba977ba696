"""What each preset costs: topics on the test pool, the curve of topic loss against retained loss, neighbours and a placebo.

    python benchmarks/selection.py --data tatoeba.en-fr.tsv.gz --out runs/selection

Every finished topic and seed is kept in OUT as one JSON file; a second call goes on with the rest. Search reads the train pool
only. The table is made by ``docs/fill_tables.py``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from codeunlearn.codebook import load_model, load_tokenizer, model_identity, require_bottleneck
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.target_words import ParallelText
from codeunlearn.corpus.topic_sets import Pair, TopicSets, build_topic_sets, sample_pool
from codeunlearn.corpus.topics import Topic
from codeunlearn.corpus.vocabulary import Vocabulary
from codeunlearn.evaluation.metrics import chrf
from codeunlearn.evaluation.protocol import TestSet
from codeunlearn.evaluation.retranslate import Retranslator
from codeunlearn.evaluation.topic import EvaluationConfig, ModelTranslator
from codeunlearn.evaluation.tradeoff import beginnings, trade_off
from codeunlearn.files import write_json
from codeunlearn.record import environment, public_name
from codeunlearn.unlearning import ForgetSet, search_recommended, search_s_primes
from codeunlearn.unlearning.code_batches import CodeReader
from codeunlearn.unlearning.code_lists import CodeLists

TOPICS = ("Mary", "Boston", "love", "happy", "tired", "dog", "money", "school", "black", "doctor", "teacher", "wish")
PAPER_LEVELS = (8, 24, 72)
RETAINED = 400
PLACEBO_DRAWS = 20


def shrinking(forget_set: ForgetSet) -> list[ForgetSet]:
    """The set, and its first half, quarter and eighth: what fewer codes of the same search would do."""
    size = len(forget_set)
    return beginnings(forget_set, [size // 8, size // 4, size // 2]) if size else []


def searches(model: Any, tokenizer: Any, sets: TopicSets, seed: int) -> dict[str, tuple[list[ForgetSet], float]]:
    """The forget sets of every preset, fewest codes first, and the seconds of the search."""
    found: dict[str, tuple[list[ForgetSet], float]] = {}
    sources = [pair.source for pair in sets.search]
    named: dict[str, Any] = {"topic_name": sets.topic.name, "seed": seed, "paired": sets.paired}
    for preset, levels in (
        ("paper", PAPER_LEVELS),
        ("paired", (require_bottleneck(model).config.top_s, *PAPER_LEVELS[:2])),
    ):
        began = time.perf_counter()
        results = search_s_primes(model, tokenizer, sources, sets.controls, preset=preset, s_primes=levels, **named)
        seconds = time.perf_counter() - began
        first, *others = (result.forget_set for result in results.values())
        found[preset] = [*shrinking(first), *(one for one in others if len(one))], seconds
    began = time.perf_counter()
    path = search_recommended(model, tokenizer, sets, seed=seed).forget_set
    sizes = sorted({2, 4, 6, 8, 12, 16, 24, 32})
    found["recommended"] = beginnings(path, sizes), time.perf_counter() - began
    return found


def usage(model: Any, tokenizer: Any, sentences: Sequence[str]) -> Any:
    """[K] tokens of these sentences that select each code."""
    bottleneck = require_bottleneck(model)
    reader = CodeReader(model, tokenizer, bottleneck.config.top_s, 4096)
    lists = CodeLists.read(reader, sentences, bottleneck.codebook.num_codes)
    return np.bincount(lists.ids.ravel(), minlength=bottleneck.codebook.num_codes)


def placebo(chosen: ForgetSet, used: Any, code_ids: Any, generator: np.random.Generator) -> ForgetSet:
    """As many random codes, each used about as often as the one it stands for."""
    row_of = {int(code): row for row, code in enumerate(code_ids)}
    rows = [row_of[code] for code in chosen.ids]
    order = np.argsort(used, kind="stable")
    place = {int(row): i for i, row in enumerate(order)}
    taken = set(rows)
    drawn: list[int] = []
    for row in rows:
        near = [int(r) for r in order[max(0, place[row] - 50) : place[row] + 51] if int(r) not in taken]
        drawn.append(int(generator.choice(near)))
        taken.add(drawn[-1])
    return replace(chosen, ids=tuple(int(code_ids[row]) for row in drawn), evidence=(), preset="placebo")


def neighbours_of(
    model: Any, tokenizer: Any, translator: Any, sets: TopicSets, chosen: dict[str, ForgetSet]
) -> dict[str, Any]:
    """Change of chrF on every neighbour, by preset."""
    found: dict[str, Any] = {}
    for name, pairs in sets.neighbours.items():
        if not pairs:
            continue
        sources, references = [p.source for p in pairs], [p.references for p in pairs]
        translations = Retranslator(model, tokenizer, translator, sources)
        before = chrf(translations.before, references).value
        found[name] = {"sentences": len(pairs)}
        for preset, forget_set in chosen.items():
            found[name][preset] = chrf(translations.after(forget_set), references).value - before
    return found


def prepare(
    name: str, pools: Any, vocabulary: Vocabulary, sample: Sequence[Pair], seed: int
) -> tuple[TopicSets, TestSet]:
    """The topic's sets, and what of the sample holds neither the topic nor its neighbours."""
    topic = Topic.from_word(name)
    sizes = {"tune_size": 0, "eval_size": 300, "search_retain_size": 2000, "minimum": 5}
    sets = build_topic_sets(topic, pools, seed=seed, vocabulary=vocabulary, **sizes)
    near = [topic, *(Topic.from_word(other) for other in sets.neighbours)]
    held = {row for one in near for row in one.rows([pair.source for pair in sample])}
    return sets, TestSet("retain", [pair for row, pair in enumerate(sample) if row not in held][:RETAINED])


def measure(
    model: Any, tokenizer: Any, sets: TopicSets, retain: TestSet, used: Any, seed: int, placebos: int
) -> dict[str, Any]:
    translator = ModelTranslator(model, tokenizer, EvaluationConfig(seed=seed))
    forget = TestSet("forget", sets.forget, sets.target_words)
    translations = Retranslator(model, tokenizer, translator, [*forget.sources, *retain.sources])
    before = translations.before
    curves: dict[str, Any] = {}
    chosen: dict[str, ForgetSet] = {}
    for preset, (forget_sets, seconds) in searches(model, tokenizer, sets, seed).items():
        if not forget_sets:
            continue
        curve = trade_off(translations, forget_sets, forget, retain, seed=seed)
        reached = curve.at_loss(95)
        chosen[preset] = next((one for one in forget_sets if reached and len(one) == reached.codes), forget_sets[-1])
        curves[preset] = {**asdict(curve), "seconds": seconds}
    base = chrf(before[len(forget.pairs) :], retain.references).value
    generator = np.random.default_rng(seed)
    code_ids = require_bottleneck(model).codebook.code_ids.cpu().numpy()
    deltas: list[float] = []
    for _ in range(placebos):
        after = translations.after(placebo(chosen["recommended"], used, code_ids, generator))
        deltas.append(chrf(after[len(forget.pairs) :], retain.references).value - base)
    examples = [p.source for p in forget.pairs[:6]]
    shown = {"before": before[: len(examples)]}
    for preset, forget_set in chosen.items():
        shown[preset] = translations.after(forget_set)[: len(examples)]
    return {
        "curves": curves,
        "neighbours": neighbours_of(model, tokenizer, translator, sets, chosen),
        "placebo": deltas,
        "examples": {"source": examples, **shown},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/selection"))
    options = parser.parse_args()
    model, tokenizer = load_model(options.model).eval(), load_tokenizer(options.model)
    pools = split_pools(load_pairs(DataConfig(options.data)).dataset)
    text = {name: ParallelText.of(pool) for name, pool in pools.items()}
    vocabulary = Vocabulary.from_sentences(text["train"].sources)
    sample = sample_pool(pools["test"], 2 * RETAINED, 0)
    used = usage(model, tokenizer, text["train"].sources[:5000])
    about = {
        "model": public_name(options.model),
        "fingerprint": model_identity(model),
        "data": public_name(options.data),
    }
    for seed in range(options.seeds):
        for name in options.topics.split(","):
            path = options.out / f"{name}-{seed}.json"
            if path.exists():
                if json.loads(path.read_text("utf-8"))["fingerprint"] != about["fingerprint"]:
                    raise SystemExit(f"{path} was made with another model; choose another --out.")
                continue
            began = time.perf_counter()
            sets, retain = prepare(name, pools, vocabulary, sample, seed)
            result = measure(model, tokenizer, sets, retain, used, seed, PLACEBO_DRAWS if seed == 0 else 0)
            row = {
                "topic": name,
                "seed": seed,
                **about,
                **result,
                "search": len(sets.search),
                "environment": environment(),
            }
            write_json(path, row)
            print(f"{name}, seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)
            for preset, curve in result["curves"].items():
                line = "  ".join(
                    f"{p['codes']}: {p['topic_loss']:.0f} % {p['retain_chrf_delta']:+.2f}" for p in curve["points"]
                )
                print(f"  {preset:12} {line}", flush=True)


if __name__ == "__main__":
    main()
