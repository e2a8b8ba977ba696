"""What decides joint training: short runs that differ in one thing each, scored on the validation pool.

    python benchmarks/joint_training.py --base runs/tatoeba-plain --data tatoeba.en-fr.tsv.gz --out runs/joint-training

Variants stand in ``joint_training.yaml``. Every finished one is kept in OUT/results.json, and a second call goes on with
the rest; the table is in OUT/results.md. Models are not kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from datasets import Dataset

from codeunlearn.codebook import find_bottleneck, load_model, load_tokenizer
from codeunlearn.codebook.basis import SignedPermutation
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.topic_sets import sample_pool
from codeunlearn.evaluation.protocol import TopicEvaluation
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.evaluation.topic import evaluate_topic
from codeunlearn.files import write_json
from codeunlearn.record import environment, public_name
from codeunlearn.tasks.batches import PadToStep, ShapeBatchSampler, tokenize_pairs
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.cross_entropy import cross_entropy
from codeunlearn.training.health import HealthMonitor
from codeunlearn.training.initialise import BuildConfig
from codeunlearn.training.losses import LossWeights
from codeunlearn.training.run import build, train_joint, train_plain

Row = dict[str, Any]
COLUMNS = {
    "bleu": "BLEU (95 %)",
    "chrf": "chrF (95 %)",
    "bypass_bleu": "BLEU, bottleneck skipped",
    "cross_entropy": "cross-entropy",
    "unexplained_variance": "variance unexplained",
    "code_unexplained_variance": "the same of codes",
    "dead_share": "codes unused",
    "usage_entropy": "entropy of use",
    "seconds": "seconds",
}


def train(variant: Row, settings: Row, data: DataConfig, base: str, out: Path) -> Row:
    """Makes the variant's model in ``out``; returns its training record."""
    shape = {**settings["model"], **variant.get("model", {})}
    options = {**settings["train"], **variant.get("train", {})}
    if isinstance(options.get("losses"), dict):
        options["losses"] = LossWeights(**options["losses"])
    config = TrainConfig.joint(**options)
    kind = variant.get("kind", "joint")
    if kind == "plain":
        return train_plain(data, base, out, config)
    if kind == "built":
        return build(data, base, out, BuildConfig(seed=config.seed), shape)
    return train_joint(data, base, out, config, BuildConfig(seed=config.seed), shape)


@torch.inference_mode()
def measure(folder: Path, pool: Dataset, seed: int) -> Row:
    """Cross-entropy per token on (at most) 5,000 pairs, and the codebook's health, without dropout."""
    model, tokenizer = load_model(str(folder)).eval(), load_tokenizer(str(folder))
    pairs = tokenize_pairs(pool.shuffle(seed=seed).take(min(5000, len(pool))), tokenizer, max_tokens=128)
    lengths = list(zip(map(len, pairs["input_ids"]), map(len, pairs["labels"]), strict=True))
    collate = PadToStep(cast(int, tokenizer.pad_token_id))
    bottleneck = find_bottleneck(model)
    basis = SignedPermutation.random(model.config.d_model, seed)
    monitor = HealthMonitor(bottleneck.config.num_codes) if bottleneck is not None else None
    total, tokens = 0.0, 0
    for rows in ShapeBatchSampler(lengths, 6000, seed):
        batch = collate([pairs[row] for row in rows])
        output = model(**batch, **({"output_bottleneck": True} if monitor else {}))
        count = int((batch["labels"] != -100).sum())
        total, tokens = total + count * float(cross_entropy(output.logits, batch["labels"])), tokens + count
        if monitor is not None:
            monitor.update(output.bottleneck, batch["attention_mask"], basis)
    return {"cross_entropy": total / tokens, **(monitor.report().to_dict() if monitor else {})}


def score(folder: Path, tests: list[TestSet]) -> Row:
    """BLEU and chrF with their intervals, and BLEU with the bottleneck skipped."""
    evaluation: TopicEvaluation = evaluate_topic(str(folder), "no topic", tests, bypass=True)
    found: Row = {}
    for entry in evaluation.scores:
        if entry.metric in ("bleu", "chrf"):
            prefix = "bypass_" if entry.system == "bypass" else ""
            found[prefix + entry.metric] = [entry.value, entry.low, entry.high]
    return found


def as_markdown(rows: list[Row]) -> str:
    lines = ["| variant | steps | " + " | ".join(COLUMNS.values()) + " |", "|---|" + "---:|" * (len(COLUMNS) + 1)]
    for row in rows:
        cells = [_cell(row.get(name), name) for name in COLUMNS]
        lines.append(f"| {row['name']} | {row['steps']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        centre, low, high = value
        return f"{centre:.1f}" if name.startswith("bypass") else f"{centre:.1f} ({low:.1f} to {high:.1f})"
    return f"{value:.0f}" if name == "seconds" else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="a trained model without a bottleneck")
    parser.add_argument("--data", required=True, help="parallel text")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_suffix(".yaml"))
    parser.add_argument("--only", help="names of variants, separated by semicolons")
    arguments = parser.parse_args()

    settings: Row = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    wanted = [name.strip() for name in arguments.only.split(";")] if arguments.only else None
    results = arguments.out / "results.json"
    rows: list[Row] = json.loads(results.read_text(encoding="utf-8"))["rows"] if results.exists() else []
    data, seed = DataConfig(arguments.data), settings["train"]["seed"]
    pool = split_pools(load_pairs(data).dataset)[settings["score"]["pool"]]
    tests = [TestSet(settings["score"]["pool"], sample_pool(pool, settings["score"]["sentences"], seed))]
    for variant in settings["variants"]:
        name: str = variant["name"]
        if (wanted and name not in wanted) or any(row["name"] == name for row in rows):
            continue
        print(f"{name} ...", flush=True)
        folder = arguments.out / "model"
        shutil.rmtree(folder, ignore_errors=True)
        record = train(variant, settings, data, arguments.base, folder)
        seconds = record.get("seconds", record.get("seconds_since_last_start"))
        row = {"name": name, "steps": record.get("steps", 0), "seconds": seconds, "variant": variant}
        rows.append({**row, **measure(folder, pool, seed), **score(folder, tests)})
        content = {"base": public_name(arguments.base), "data": public_name(arguments.data), "settings": settings}
        write_json(results, {**content, "environment": environment(), "rows": rows})
        results.with_suffix(".md").write_text(as_markdown(rows), encoding="utf-8")
        print(as_markdown(rows[-1:]).splitlines()[-1], flush=True)
    shutil.rmtree(arguments.out / "model", ignore_errors=True)


if __name__ == "__main__":
    main()
