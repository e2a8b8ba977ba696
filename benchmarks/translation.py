"""Times translation: with the bottleneck and deleted codes against without, in bf16, and against one sentence at a time.

The first two ratios are of a T5-small with random weights and K = 25,000 codes, whose outputs all have the same length, so
that only speed differs. The last is of a saved model and its sentences, as people would call it first: a pipeline in a loop.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from measuring import Report, ratio, rounds, timed
from random_models import CODES, small_t5
from transformers import pipeline

from codeunlearn.codebook import load_model, load_tokenizer
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import sample_pool
from codeunlearn.device import has_fast_bf16
from codeunlearn.tasks.generating import DecodingConfig, translate_counted
from codeunlearn.tasks.translation_pipeline import register_translation

NEW_TOKENS = 24
DELETED = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/en-fr-mini", help="for its tokenizer and the last ratio")
    parser.add_argument("--data", default="stories", help="parallel text; sentences of its test pool")
    parser.add_argument("--sentences", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for translation.json")
    options = parser.parse_args()
    tokenizer = load_tokenizer(options.model)
    pool = split_pools(load_pairs(DataConfig(options.data)).dataset)["test"]
    sentences = [pair.source for pair in sample_pool(pool, options.sentences, 0)]
    fixed = DecodingConfig(max_new_tokens=NEW_TOKENS)
    low = DecodingConfig(max_new_tokens=NEW_TOKENS, autocast=torch.bfloat16)
    models = {"plain": small_t5(), "unlearned": small_t5(CODES, DELETED)}
    saved = load_model(options.model)
    register_translation()
    loop = pipeline("translation", model=saved, tokenizer=tokenizer)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def run(model: Any, config: DecodingConfig | None = None) -> float:
        seconds, found = timed(lambda: translate_counted(model, tokenizer, sentences, config))
        if config is not None and found.cost.output_tokens != len(sentences) * NEW_TOKENS:
            raise SystemExit("The outputs differ in length, so their times cannot be compared.")
        return seconds

    def one_by_one() -> float:
        return timed(lambda: [loop(text, num_beams=1, max_new_tokens=2 * len(text) + 10) for text in sentences])[0]

    report = Report("translation", options.out, sentences=len(sentences), new_tokens=NEW_TOKENS, deleted=DELETED)
    contenders = {
        "plain": lambda: run(models["plain"], fixed),
        "unlearned": lambda: run(models["unlearned"], fixed),
        "batched": lambda: run(saved),
        "one by one": one_by_one,
    }
    if has_fast_bf16(saved.device):
        contenders["unlearned, bf16"] = lambda: run(models["unlearned"], low)
    rounds(contenders, 1)
    seconds = rounds(contenders, options.rounds)
    report.add("speed of unlearned over plain, T5-small", ratio(seconds["plain"], seconds["unlearned"]))
    if "unlearned, bf16" in seconds:
        report.add("speed of bf16 over float32, T5-small", ratio(seconds["unlearned"], seconds["unlearned, bf16"]))
    report.add("speed of batches over a pipeline loop", ratio(seconds["one by one"], seconds["batched"]))
    report.save(seconds=seconds)
    print(f"written to {report.path}")


if __name__ == "__main__":
    main()
