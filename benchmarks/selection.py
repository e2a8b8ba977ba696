"""What each preset needs to make a topic go, and what that costs: sizes chosen on validation, reported on test.

    python benchmarks/selection.py --data tatoeba.en-fr.tsv.gz --out runs/selection

Codes are searched on the train pool. Of every preset the same sizes are tried, beginnings in the preset's own order. For each of
some losses of the topic's words the fewest codes that reach it on the validation pool are taken; only these meet the test pool.
Every finished topic and seed is kept in OUT as one JSON file, which a second call makes again only if its sentences have changed.
The tables are made by ``docs/fill_tables.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from codeunlearn.codebook import DeletionMode, load_model, load_tokenizer, model_identity, require_bottleneck
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import Pair, TopicSets, build_topic_sets, sample_pool
from codeunlearn.corpus.topics import Topic
from codeunlearn.evaluation.metrics.lexical import chrf
from codeunlearn.evaluation.protocol import TestSet
from codeunlearn.evaluation.retranslate import Retranslator
from codeunlearn.evaluation.topic import EvaluationConfig, ModelTranslator
from codeunlearn.evaluation.tradeoff import TradeOff, beginnings, trade_off
from codeunlearn.files import read_json_object, write_json
from codeunlearn.methods.placebo import code_usage, placebos
from codeunlearn.record import environment, public_name
from codeunlearn.unlearning import ForgetSet, make_recipe

TOPICS = ("Mary", "Boston", "love", "happy", "tired", "dog", "money", "school", "black", "doctor", "teacher", "wish")
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LOSSES = (25, 50, 75, 95)
GONE = LOSSES[-1]
PAPER_LEVELS = (8, 24, 72)
RETAINED = 400
PLACEBO_DRAWS = 20


@dataclass(frozen=True)
class Bench:
    """Model and text, read once.

    Attributes:
        sample: of the test pool, from which unrelated sentences are taken.
    """

    model: Any
    tokenizer: Any
    pools: Any
    vocabulary: Vocabulary
    sample: Sequence[Pair]
    about: dict[str, Any]

    @classmethod
    def open(cls, model_name: str, data: str) -> Bench:
        model, tokenizer = load_model(model_name).eval(), load_tokenizer(model_name)
        pools = split_pools(load_pairs(DataConfig(data)).dataset)
        vocabulary = Vocabulary.from_sentences(ParallelText.of(pools["train"]).sources)
        about = {
            "model": public_name(model_name),
            "fingerprint": model_identity(model),
            "data": public_name(data),
            "sizes": SIZES,
            "environment": environment(),
        }
        return cls(model, tokenizer, pools, vocabulary, sample_pool(pools["test"], 2 * RETAINED, 0), about)

    def sets(self, name: str, seed: int) -> TopicSets:
        sizes: dict[str, Any] = {"tune_size": 300, "eval_size": 300, "search_retain_size": 2000, "minimum": 5}
        return build_topic_sets(Topic.from_word(name), self.pools, seed=seed, vocabulary=self.vocabulary, **sizes)

    def texts(self, sets: TopicSets, seed: int) -> tuple[Texts, Texts]:
        """Of the validation and of the test pool; unrelated test sentences hold neither topic nor neighbours."""
        near = [sets.topic, *(Topic.from_word(other) for other in sets.neighbours)]
        held = {row for one in near for row in one.rows([pair.source for pair in self.sample])}
        rest = [pair for row, pair in enumerate(self.sample) if row not in held][:RETAINED]
        validation = TestSet("forget", sets.tune, sets.target_words), TestSet("retain", sets.tune_retain)
        test = TestSet("forget", sets.forget, sets.target_words), TestSet("retain", rest)
        return self.read(*validation, seed), self.read(*test, seed)

    def read(self, forget: TestSet, retain: TestSet, seed: int) -> Texts:
        translator = ModelTranslator(self.model, self.tokenizer, EvaluationConfig(seed=seed))
        sources = [*forget.sources, *retain.sources]
        return Texts(Retranslator(self.model, self.tokenizer, translator, sources), forget, retain)

    @cached_property
    def usage(self) -> Any:
        """[K] how often each code is used in the train pool."""
        return code_usage(self.model, self.tokenizer, ParallelText.of(self.pools["train"]).sources[:5000])


class Texts(NamedTuple):
    """A pool's sentences with the topic and unrelated ones, and their translations."""

    translations: Retranslator
    forget: TestSet
    retain: TestSet


def tried(forget_sets: Sequence[ForgetSet], on: Texts, mode: DeletionMode | None = None, seed: int = 0) -> TradeOff:
    """The curve of these sets, fewest codes first, up to the first at which the topic is gone."""
    in_order = sorted(forget_sets, key=len)
    return trade_off(on.translations, in_order, on.forget, on.retain, mode=mode, seed=seed, enough=GONE)


def smallest(curve: TradeOff, forget_sets: Sequence[ForgetSet], loss: float = GONE) -> ForgetSet:
    """The set with the fewest codes that reaches the loss on this curve; where none does, the one that takes most."""
    point = curve.at_loss(loss) or max(curve.points, key=lambda one: one.topic_loss)
    return next(one for one in forget_sets if (len(one), one.s_prime) == (point.codes, point.s_prime))


def scored(
    curve: TradeOff, forget_sets: Sequence[ForgetSet], on: Texts, mode: DeletionMode | None = None, seed: int = 0
) -> TradeOff:
    """The curve of the sets that were chosen on another, for every loss one."""
    chosen = {(len(one), one.s_prime): one for one in (smallest(curve, forget_sets, loss) for loss in LOSSES)}
    in_order = [chosen[key] for key in sorted(chosen)]
    return trade_off(on.translations, in_order, on.forget, on.retain, mode=mode, seed=seed)


class Found(NamedTuple):
    """What a preset offers: its sets, the processor seconds of their search, and their curve on validation."""

    forget_sets: Sequence[ForgetSet]
    seconds: float
    curve: TradeOff


def searches(bench: Bench, sets: TopicSets, validation: Texts, seed: int) -> dict[str, Found]:
    """By preset.

    The rules of ``paper`` and ``paired`` delete whole sets, one for each S'. Here they may stop at any size, with the S' of which
    the whole set is the smallest that makes the topic go on validation, or takes most there.
    """
    found: dict[str, Found] = {}
    own = require_bottleneck(bench.model).config.top_s
    for preset, levels in (("paper", PAPER_LEVELS), ("paired", (own, *PAPER_LEVELS[:2]))):
        began = time.process_time()
        results = make_recipe(preset).search(bench.model, bench.tokenizer, sets, steps=levels, seed=seed)
        seconds = time.process_time() - began
        whole = [step.forget_set for step in results.steps if len(step.forget_set)]
        if whole:
            curve = tried(whole, validation, seed=seed)
            found[f"{preset}, whole sets"] = Found(whole, seconds, curve)
            parts = beginnings(smallest(curve, whole), SIZES)
            found[preset] = Found(parts, seconds, tried(parts, validation, seed=seed))
    began = time.process_time()
    path = make_recipe("recommended").search(bench.model, bench.tokenizer, sets, seed=seed).forget_set
    seconds = time.process_time() - began
    if len(path):
        parts = beginnings(path, SIZES)
        found["recommended"] = Found(parts, seconds, tried(parts, validation, seed=seed))
    return found


def measure(bench: Bench, sets: TopicSets, seed: int) -> dict[str, Any]:
    """All presets on one topic; for the first seed also neighbours, placebos and examples."""
    validation, test = bench.texts(sets, seed)
    found = searches(bench, sets, validation, seed)
    presets = {
        preset: {
            "seconds": one.seconds,
            "validation": asdict(one.curve),
            "test": asdict(scored(one.curve, one.forget_sets, test, seed=seed)),
        }
        for preset, one in found.items()
    }
    if seed:
        return {"presets": presets}
    gone = {preset: smallest(one.curve, one.forget_sets) for preset, one in found.items()}
    shown = range(min(6, len(test.forget.pairs)))
    examples = {"source": test.forget.sources, "before": test.translations.before}
    examples |= {preset: test.translations.after(one) for preset, one in gone.items()}
    return {
        "presets": presets,
        "neighbours": neighbours(bench, sets, gone, seed),
        "placebo": placebo(bench, gone["recommended"], test, seed) if "recommended" in gone else [],
        "examples": {name: [texts[i] for i in shown] for name, texts in examples.items()},
    }


def changes(on: Texts, forget_sets: Iterable[ForgetSet]) -> list[float]:
    """Change of chrF on the unrelated sentences, one for each set."""

    def value(texts: Sequence[str]) -> float:
        return chrf(texts[len(on.forget.pairs) :], on.retain.references).value

    before = value(on.translations.before)
    return [value(on.translations.after(one)) - before for one in forget_sets]


def neighbours(bench: Bench, sets: TopicSets, chosen: dict[str, ForgetSet], seed: int) -> dict[str, Any]:
    """Change of chrF on every neighbour, by preset."""
    found: dict[str, Any] = {}
    for name, pairs in sets.neighbours.items():
        if pairs:
            near = bench.read(TestSet("none", []), TestSet(name, pairs), seed)
            found[name] = {
                "sentences": len(pairs),
                **dict(zip(chosen, changes(near, chosen.values()), strict=True)),
            }
    return found


def placebo(bench: Bench, chosen: ForgetSet, test: Texts, seed: int) -> list[float]:
    """Change of chrF on unrelated sentences, one for each draw of random codes."""
    code_ids = require_bottleneck(bench.model).codebook.code_ids.cpu().numpy()
    return changes(test, placebos(chosen, bench.usage, code_ids, draws=PLACEBO_DRAWS, seed=seed))


def digest(sets: TopicSets) -> str:
    """Of all sentences and words that a result depends on."""
    content = {**asdict(sets), "topic": sets.topic.to_dict()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini")
    parser.add_argument("--data", required=True, help="the model's parallel text")
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/selection"))
    options = parser.parse_args()
    bench = Bench.open(options.model, options.data)
    for seed in range(options.seeds):
        for name in options.topics.split(","):
            began = time.process_time()
            sets, path = bench.sets(name, seed), options.out / f"{name}-{seed}.json"
            about = {"topic": name, "seed": seed, "sentences": digest(sets), **bench.about}
            known = read_json_object(path) if path.exists() else {}
            if all(known.get(key) == about[key] for key in ("sentences", "fingerprint")):
                continue
            write_json(path, {**about, "search": len(sets.search), **measure(bench, sets, seed)})
            print(f"{name}, seed {seed}: {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
