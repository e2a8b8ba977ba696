"""How near each preset comes to the codes that really hold a planted topic.

    python benchmarks/planted_truth.py --model runs/demo/model --out runs/selection

The corpus of stories says exactly which sentences hold a topic. On those of the test pool, which no preset reads, every code is
deleted alone: one that takes at least 1 % of the probability of the topic's words, and more of it than unrelated sentences
lose in nats, is a *topic code*. Two sets are chosen on these very sentences, which no search that has to generalise can do:
*greedy* deletes, one after the other and among all codes, what takes most, until 5 % are left; *reference* is the smallest of all
sets that leaves 5 % or less, without every code that can be spared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tables import table

from codeunlearn.codebook import load_model, load_tokenizer, model_identity, require_bottleneck
from codeunlearn.corpus.loading import load_pairs
from codeunlearn.corpus.pools import split_pools
from codeunlearn.corpus.samples import planted_topics
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.files import write_json
from codeunlearn.record import environment, public_name
from codeunlearn.tasks.base import Example
from codeunlearn.unlearning import CodeReader, make_recipe
from codeunlearn.unlearning.evidence.effects import Deletion, DeletionEffects

NAMES = ("captain", "white", "Julien", "poor")
PAPER_LEVELS = (8, 24, 72)
DEPTH = 104
LEAST = 0.01
LEFT = 0.05
MOST_CODES = 40


class Judge:
    """What deletions do to the topic's words, or to all words, of some sentences."""

    def __init__(self, model: Any, tokenizer: Any, pairs: list[Example], words: Iterable[str] = ()) -> None:
        self.lists = CodeReader(model, tokenizer, DEPTH, 4096).read([pair.prompt for pair in pairs])
        self.effects = DeletionEffects(
            model, tokenizer, self.lists, [pair.answer for pair in pairs], words=tuple(words)
        )
        self.sentences = self.effects.usable()
        self.s = require_bottleneck(model).config.top_s

    def log_probabilities(self, deleted: Any) -> Any:
        """[sentences] with these rows deleted."""
        return self.effects.log_probabilities([Deletion(sentence, None) for sentence in self.sentences], deleted)

    def one_more(self, deleted: Any) -> tuple[list[Deletion], Any]:
        """Every code that a sentence selects, deleted on top, and the log probabilities then."""
        keys = self.lists.presence(self.lists.firing(deleted, self.s))
        tries = [Deletion(int(key // self.lists.num_codes), int(key % self.lists.num_codes)) for key in keys]
        tries = [one for one in tries if one.sentence in set(self.sentences)]
        return tries, self.effects.log_probabilities(tries, deleted)


def taken(judge: Judge, deleted: Any) -> Any:
    """[K] probability of the topic's words that each code takes on top, summed over the sentences."""
    before = dict(zip(judge.sentences, np.exp(judge.log_probabilities(deleted)), strict=True))
    found = np.zeros(judge.lists.num_codes)
    for one, after in zip(*judge.one_more(deleted), strict=True):
        found[one.row] += before[one.sentence] - np.exp(after)
    return found


def lost(judge: Judge) -> Any:
    """[K] nats that a sentence loses by each code, on average over all of them."""
    before = dict(zip(judge.sentences, judge.log_probabilities(np.zeros(judge.lists.num_codes, bool)), strict=True))
    found = np.zeros(judge.lists.num_codes)
    for one, after in zip(*judge.one_more(np.zeros(judge.lists.num_codes, bool)), strict=True):
        found[one.row] += before[one.sentence] - after
    return found / len(judge.sentences)


def greedy(judge: Judge, at_first: float) -> list[int]:
    """One after the other, what takes most on the sentences on which it is judged."""
    deleted, rows = np.zeros(judge.lists.num_codes, bool), list[int]()
    while np.exp(judge.log_probabilities(deleted)).sum() > LEFT * at_first and len(rows) < MOST_CODES:
        rows.append(int(taken(judge, deleted).argmax()))
        deleted[rows[-1]] = True
    return rows


def left(judge: Judge, rows: Iterable[int], at_first: float) -> float:
    """Share of the probability of the topic's words with these rows deleted."""
    deleted = np.zeros(judge.lists.num_codes, bool)
    deleted[list(rows)] = True
    return float(np.exp(judge.log_probabilities(deleted)).sum()) / at_first


def without_spare_codes(judge: Judge, rows: list[int], at_first: float) -> list[int]:
    """The rows that are needed to leave 5 % or less, tried from the last to the first."""
    kept = list(rows)
    for row in reversed(rows):
        fewer = [one for one in kept if one != row]
        if left(judge, fewer, at_first) <= LEFT:
            kept = fewer
    return kept


def chosen_rows(model: Any, tokenizer: Any, sets: TopicSets, seed: int) -> dict[str, list[int]]:
    """The rows of every preset's set."""
    code_ids = require_bottleneck(model).codebook.code_ids.tolist()
    row_of = {code: row for row, code in enumerate(code_ids)}
    s = require_bottleneck(model).config.top_s
    found = {
        f"{preset}, {step.label}": step.forget_set
        for preset, levels in (("paper", PAPER_LEVELS), ("paired", (s, PAPER_LEVELS[0])))
        for step in make_recipe(preset).search(model, tokenizer, sets, steps=levels).steps
    }
    found["recommended"] = make_recipe("recommended").search(model, tokenizer, sets, seed=seed).forget_set
    return {name: [row_of[code] for code in forget_set.ids] for name, forget_set in found.items()}


def measure(model: Any, tokenizer: Any, pools: Any, name: str, seed: int) -> dict[str, Any]:
    story = planted_topics()[name]
    sets = build_topic_sets(
        Topic.from_forms(name, story.forms),
        pools,
        tune_size=0,
        eval_size=40,
        search_retain_size=2000,
        minimum=5,
        seed=seed,
    )
    judge = Judge(model, tokenizer, sets.forget, story.target_forms)
    nothing = np.zeros(judge.lists.num_codes, bool)
    at_first = float(np.exp(judge.log_probabilities(nothing)).sum())
    gains = taken(judge, nothing) / at_first
    truth = set(np.flatnonzero((gains >= LEAST) & (gains > lost(Judge(model, tokenizer, sets.retain)))).tolist())
    sets_of = {"greedy": greedy(judge, at_first), **chosen_rows(model, tokenizer, sets, seed)}
    enough = [rows for rows in sets_of.values() if left(judge, rows, at_first) <= LEFT]
    smallest = min(enough, key=len) if enough else sorted({row for rows in sets_of.values() for row in rows})
    reference = without_spare_codes(judge, smallest, at_first)
    found: dict[str, Any] = {}
    for preset, chosen in {"reference": reference, **sets_of}.items():
        hits = truth & set(chosen)
        found[preset] = {
            "codes": len(chosen),
            "topic_left": left(judge, chosen, at_first),
            "precision": len(hits) / len(chosen) if chosen else None,
            "recall": len(hits) / len(truth) if truth else None,
            "of_reference": len(set(reference) & set(chosen)) / len(reference),
        }
    return {"topic": name, "sentences": len(judge.sentences), "topic_codes": len(truth), "presets": found}


def tables(topics: list[dict[str, Any]]) -> dict[str, str]:
    """Markdown by the name of its file: codes of every set and what it leaves; and how many of them are topic codes.

    The reference is shown only where it leaves 5 % or less.
    """
    names = ("paper, S'=8", "paper, S'=72", "paired, S'=4", "recommended")
    leaves: list[list[str]] = []
    right: list[list[str]] = []
    for topic in topics:
        sets = topic["presets"]
        reference = sets["reference"]
        smallest = f"{reference['codes']}" if reference["topic_left"] <= LEFT else "none"
        left_over = [f"{sets[n]['codes']} ({100 * sets[n]['topic_left']:.0f} %)" for n in ("greedy", *names)]
        leaves.append([topic["topic"], smallest, *left_over])
        hits = [f"{100 * sets[n]['precision']:.0f} % / {100 * sets[n]['recall']:.0f} %" for n in names]
        right.append([topic["topic"], str(topic["topic_codes"]), *hits])
    return {
        "planted_truth": table(["topic", "reference", "greedy", *names], leaves),
        "planted_precision": table(["topic", "topic codes", *names], right),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", required=True, help="a model trained on the stories, such as that of `codeunlearn demo --train`"
    )
    parser.add_argument("--topics", default=",".join(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/selection"), help="folder for planted_truth.json")
    options = parser.parse_args()
    model, tokenizer = load_model(options.model).eval(), load_tokenizer(options.model)
    pools = split_pools(load_pairs("stories").dataset)
    found: list[dict[str, Any]] = []
    for name in options.topics.split(","):
        found.append(measure(model, tokenizer, pools, name, options.seed))
        print(found[-1], flush=True)
    about = {"model": public_name(options.model), "fingerprint": model_identity(model), "seed": options.seed}
    write_json(options.out / "planted_truth.json", {**about, "topics": found, "environment": environment()})
    for name, text in tables(found).items():
        (options.out / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
