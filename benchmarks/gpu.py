"""Times a GPU's search of codes, training steps, topic search and translation, with their peak memory; nothing is downloaded.

All contenders run in this process, once per round and in turn, between CUDA events; the search takes several inputs in turn, so
that none stays in a cache. ``gpu.json`` is written anew after each part:

    python benchmarks/gpu.py --parts search,profile,training,topic,translation
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from measuring import Report, ratio, rounds, timed
from random_models import CODES, random_sentences, small_t5
from search import CHECKED_ROWS, Size, encodings
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook import PreparedCodes, load_tokenizer, top_s, top_s_reference
from codeunlearn.codebook.selecting import fused as fused_search

Action = Callable[[], Any]
SIZES = tuple(Size(n, k, s) for s in (8, 104) for k in (4096, 25_000, 100_000) for n in (256, 1024, 4096, 16_384))
PROFILED = (Size(1024, 25_000, 8), Size(16_384, 25_000, 8), Size(16_384, 25_000, 104))
TRAINED_ROWS = (64, 512)
SENTENCES, TOKENS, NEW_TOKENS, DELETED = 500, 39, 24, 200
MEGABYTE = 1024 * 1024


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def on_gpu(action: Action) -> float:
    """Seconds between two events around an action."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    action()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000


def peak_megabytes(action: Action) -> float:
    """The most memory that an action takes on top of what there is."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    action()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / MEGABYTE


def without_kernel(action: Action) -> Any:
    """An action whose searches use library calls only."""
    least, fused_search.LEAST_ROWS = fused_search.LEAST_ROWS, sys.maxsize
    try:
        return action()
    finally:
        fused_search.LEAST_ROWS = least


def contenders_of_search(size: Size, codes: Tensor) -> dict[str, Callable[[Tensor], Tensor | None]]:
    """What each does with N activations; the ids it finds, where it finds any."""
    prepared, others = PreparedCodes(codes), PreparedCodes(codes)
    unit = F.normalize(codes, dim=-1)
    low = unit.bfloat16()

    def naive_low(h: Tensor) -> Tensor:
        return (F.normalize(h, dim=-1).bfloat16() @ low.T).topk(size.s, dim=-1).indices

    def product(h: Tensor, rows: int) -> None:
        for part in h.bfloat16().split(rows):
            _ = part @ low.T

    return {
        "fused": lambda h: top_s(h, prepared, size.s).ids,
        "library": lambda h: without_kernel(lambda: top_s(h, others, size.s).ids),
        "naive": lambda h: (F.normalize(h, dim=-1) @ unit.T).topk(size.s, dim=-1).indices,
        "naive bf16": naive_low,
        "product": lambda h: product(h, size.n),
        "product in parts": lambda h: product(h, 1024),
    }


def search(report: Report, options: argparse.Namespace) -> None:
    fused_search.LEAST_ROWS = fused_search.LEAST_CODES = 1  # used everywhere, to see where it is worth it
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        row = measure(size, options.rounds, options.seed)
        rows.append(row)
        seconds = row["seconds"]
        report.add(f"{size}: fused over the product", ratio(seconds["fused"], seconds["product"]))
        for name in ("library", "naive", "naive bf16", "product in parts"):
            report.add(f"{size}: {name} over fused", ratio(seconds[name], seconds["fused"]))
        say(
            f"  ids {row['ids_as_reference']}, first call {row['first_seconds']:.2f} s, {row['uncertain_rows']} uncertain"
        )
        say("  MB " + ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in row["peak_megabytes"].items()))
        report.save(search=rows, configs=chosen_configs())


def measure(size: Size, number: int, seed: int) -> dict[str, Any]:
    """Seconds of one search of N activations, round by round, and what each contender finds and needs."""
    say(str(size))
    inputs, codes = encodings(size, 4 if size.n * size.k <= 10**8 else 2, seed, torch.device("cuda"))
    first, (_, uncertain) = timed(lambda: fused_search.fused_top_s(inputs[0], PreparedCodes(codes).fused, size.s))
    expected = top_s_reference(inputs[0][:CHECKED_ROWS], codes, size.s).ids
    same: dict[str, float | None] = {}
    memory: dict[str, float] = {}

    def run(find: Callable[[Tensor], Any]) -> float:
        return on_gpu(lambda: [find(h) for h in inputs]) / len(inputs)

    contenders = contenders_of_search(size, codes)
    for name, find in contenders.items():
        found = find(inputs[0])
        same[name] = None if found is None else float((found[:CHECKED_ROWS] == expected).all(1).float().mean())
        found = None
        memory[name] = peak_megabytes(partial(find, inputs[0]))
    seconds = rounds({name: partial(run, find) for name, find in contenders.items()}, number)
    row = {"ids_as_reference": same, "peak_megabytes": memory, "seconds": seconds, "first_seconds": first}
    return {**asdict(size), **row, "uncertain_rows": len(uncertain)}


def chosen_configs() -> dict[str, str]:
    """The fastest way to do the product, by what it was found for."""
    kernels = fused_search.kernels()
    return {} if kernels is None else {str(k): str(v) for k, v in kernels.tuned_gather_above.cache.items()}


def profile(report: Report, options: argparse.Namespace) -> None:
    """Microseconds of each kernel of a fused search, all calls of it together."""
    found: dict[str, dict[str, float]] = {}
    fused_search.LEAST_ROWS = fused_search.LEAST_CODES = 1
    for size in PROFILED:
        (h,), codes = encodings(size, 1, options.seed, torch.device("cuda"))
        prepared = PreparedCodes(codes)
        run = partial(top_s, h, prepared, size.s)
        run()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
            run()
            torch.cuda.synchronize()
        events: list[Any] = [*profiler.key_averages()]
        times = {event.key: float(event.device_time_total) for event in events if event.device_time_total}
        found[str(size)] = dict(sorted(times.items(), key=lambda item: -item[1]))
        say(f"{size}: " + ", ".join(f"{name[:40]} {time:.0f} us" for name, time in list(found[str(size)].items())[:12]))
    report.save(profile=found)


def training(report: Report, options: argparse.Namespace) -> None:
    from training import LENGTH, make_trainer, step_of

    measured: dict[str, Any] = {}
    for rows in TRAINED_ROWS:
        steps: dict[str, Action] = {}
        memory: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("plain", "joint"):
                before = torch.cuda.memory_allocated()
                steps[kind] = step_of(make_trainer(kind, Path(folder) / kind, rows, "cuda"))
                steps[kind]()
                start = torch.cuda.memory_allocated()
                memory[kind] = peak_megabytes(steps[kind]) + (start - before) / MEGABYTE
            steps["joint, library"] = partial(without_kernel, steps["joint"])
            contenders = {kind: partial(on_gpu, step) for kind, step in steps.items()}
            rounds(contenders, 3)
            seconds = rounds(contenders, options.rounds)
        label = f"{rows} x {LENGTH} tokens"
        report.add(f"{label}: joint step over plain", ratio(seconds["joint"], seconds["plain"]))
        report.add(f"{label}: joint step, library over fused", ratio(seconds["joint, library"], seconds["joint"]))
        report.add(f"{label}: memory of joint over plain", ratio([memory["joint"]], [memory["plain"]]))
        measured[label] = {"seconds": seconds, "peak_megabytes": memory}
        report.save(training=measured)


def topic(report: Report, options: argparse.Namespace) -> None:
    from codeunlearn.corpus.topic_sets import TopicSets
    from codeunlearn.training.initialise import BuildConfig, initialise_from_data
    from codeunlearn.unlearning import Paper

    tokenizer = load_tokenizer(options.tokenizer)
    model = small_t5(CODES).cuda()
    texts = random_sentences(tokenizer, 1000, TOKENS, seed=1)
    initialise_from_data(model, tokenizer, texts, BuildConfig(fit_tokens=2_000, new_basis=False))
    columns = [random_sentences(tokenizer, SENTENCES, TOKENS, seed) for seed in (2, 3)]

    def run() -> Any:
        return Paper().search(model, tokenizer, TopicSets.from_sentences("topic", columns[0], [columns[1]]))

    counts = run().counts
    actions: dict[str, Action] = {"fused": run, "library": partial(without_kernel, run)}
    memory = {name: peak_megabytes(action) for name, action in actions.items()}
    seconds = rounds({name: partial(on_gpu, action) for name, action in actions.items()}, options.rounds)
    tokens = counts.n_topic_tokens + counts.n_control_tokens
    say(f"topic: {tokens} tokens, seconds {seconds}")
    report.add("topic search, library over fused", ratio(seconds["library"], seconds["fused"]))
    report.save(topic={"sentences": SENTENCES, "tokens": tokens, "seconds": seconds, "peak_megabytes": memory})


def translation(report: Report, options: argparse.Namespace) -> None:
    from codeunlearn.tasks.generating import DecodingConfig, translate_counted

    tokenizer = load_tokenizer(options.tokenizer)
    sentences = random_sentences(tokenizer, SENTENCES, TOKENS // 2)
    models = {"plain": small_t5().cuda(), "unlearned": small_t5(CODES, DELETED).cuda()}
    actions: dict[str, Action] = {}
    for suffix, autocast in (("", None), (", bf16", torch.bfloat16)):
        config = DecodingConfig(max_new_tokens=NEW_TOKENS, autocast=autocast)
        for name, model in models.items():
            actions[name + suffix] = partial(translate_counted, model, tokenizer, sentences, config)
    outputs = {name: action().cost.output_tokens for name, action in actions.items()}
    seconds = rounds({name: partial(on_gpu, action) for name, action in actions.items()}, options.rounds)
    say(f"translation: output tokens {outputs}, K = {CODES}, seconds {seconds}")
    for suffix in ("", ", bf16"):
        label = f"speed of unlearned over plain, T5-small{suffix}"
        report.add(label, ratio(seconds["plain" + suffix], seconds["unlearned" + suffix]))
    report.save(translation={"sentences": SENTENCES, "output_tokens": outputs, "seconds": seconds})


PARTS: dict[str, Callable[[Report, argparse.Namespace], None]] = {
    "search": search,
    "profile": profile,
    "training": training,
    "topic": topic,
    "translation": translation,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts to measure, in this order")
    parser.add_argument("--tokenizer", default="models/en-fr-mini", help="model whose tokenizer is used")
    parser.add_argument("--rounds", type=int, default=7, help="of searches and training steps")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for gpu.json")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("No CUDA device can be seen here.")
    torch.backends.cuda.matmul.allow_tf32 = False
    report = Report("gpu", options.out, of_gpu=True, rounds=options.rounds, seed=options.seed)
    failed: dict[str, str] = {}
    for name in options.parts.split(","):
        say(name)
        least = fused_search.LEAST_ROWS, fused_search.LEAST_CODES
        try:
            PARTS[name](report, options)
        except Exception as error:  # the other parts are worth having; the file and the exit status say what is missing
            traceback.print_exc()
            failed[name] = repr(error)
        fused_search.LEAST_ROWS, fused_search.LEAST_CODES = least
        torch.cuda.empty_cache()
        report.save(failed=failed)
    say(f"written to {report.path}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
