"""Options that contradict one another, or the model, are refused in one sentence that names them; none is ignored in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from case import Accepted, Case, Either, Refused, expect, made_always, refused, some
from outcome import Outcome
from place import Place
from test_outputs import SIZES, apply, build, evaluate, forget, show, sweep, topics, train

Command = Callable[[Any], tuple[object, ...]]


def given(command: Command, *more: object, out: str | None = "target") -> Callable[[Place], Outcome]:
    """The command with further options; the last of two that are equal counts."""

    def do(place: Place) -> Outcome:
        place.write("sentences.txt", "They love music.\n")
        target = ("--out", out) if out else ()
        return place.run(*command(place.world), *target, *more)

    return do


def searching(*more: object) -> Callable[[Place], Outcome]:
    """`forget` with the recommended recipe and no options but these."""

    def do(place: Place) -> Outcome:
        place.write("sentences.txt", "They love music.\n")
        data = ("--data", place.world.pairs, "--minimum", 5, "--out", "target")
        return place.run("forget", place.world.model, "--topic", "love", *data, *more)

    return do


CASES = [
    *some(Case(f"{name} --device {device}", given(command, "--device", device, out=out), refused("device|CUDA")) for name, command, out in (
        ("forget", forget, "target"), ("evaluate", evaluate, None), ("sweep", sweep, "target"), ("build", build, "target"), ("train", train, "target"),
    ) for device in ("tpu", "cuda:99", "")),
    *some(Case(f"forget {option} {value}", searching(option, value), refused(option.removeprefix("--").replace("-", "")[:5] + f"|{option}|{option.removeprefix('--')}")) for option, values in {
        "--alpha": [-1, 0, 2, "nan", "x"], "--fdr": [-1, 0, 2, "nan"], "--max-codes": [0, -1, "x"], "--s-prime": [0, 8], "--preset": ["", "x", "Paper"],
        "--retain-budget": [-1, "nan", "x"], "--minimum": [0, -5], "--search-size": [0, -1], "--draws": [0, -1], "--limit": [0, -1, "x"], "--mode": ["", "keep"], "--seed": ["x", 1.5],
    }.items() for value in values),
    Case("forget --forms beside --sentences", searching("--forms", "love,loves", "--sentences", "sentences.txt"), refused("--forms", "--sentences")),
    Case("evaluate --forms beside --sentences", given(evaluate, "--forms", "love", "--sentences", "sentences.txt", out=None), refused("--forms", "--sentences")),
    Case("forget --forms that are empty", searching("--forms", " , "), refused()),
    Case("forget --target-words that are empty", searching("--target-words", " , "), refused("target")),
    Case("forget --source-column alone", searching("--source-column", "1"), refused("--target-column")),
    Case("forget paper with --max-codes", given(forget, "--max-codes", 5), refused("--max-codes")),
    Case("forget paper with --fdr", given(forget, "--fdr", 0.1), refused("--fdr")),
    Case("forget paper with S' above the codebook", given(forget, "--s-prime", 65), refused()),
    Case("forget on a plain model", lambda p: p.run("forget", p.world.base, "--topic", "love", "--data", p.world.pairs, "--minimum", 5, "--out", "target"), refused("bottleneck")),
    Case("forget a topic that is not there", lambda p: p.run("forget", p.world.model, "--topic", "zebra", "--data", p.world.pairs, "--out", "target"), refused("zebra")),
    Case("forget with a --data-config for a file", searching("--data-config", "en-fr"), refused("--data-config")),
    Case("evaluate a topic-only option without a topic", lambda p: p.run("evaluate", p.world.model, "--data", p.world.pairs, *SIZES, "--target-words", "aime"), refused("--target-words")),
    Case("evaluate --neighbours without a topic", lambda p: p.run("evaluate", p.world.model, "--data", p.world.pairs, *SIZES, "--neighbours", "like"), refused("--neighbours")),
    Case("evaluate --zero-shot-prefix alone", given(evaluate, "--zero-shot-prefix", "x: ", out=None), refused("--zero-shot")),
    Case("evaluate --bertscore-layer alone", given(evaluate, "--bertscore-layer", 3, out=None), refused("--bertscore")),
    Case("evaluate --neighbours that are not there", given(evaluate, "--neighbours", "zebra", out=None), refused("zebra")),
    Case("evaluate --bypass on a plain model", lambda p: p.run("evaluate", p.world.base, "--topic", "love", "--data", p.world.pairs, *SIZES, "--bypass"), refused("bottleneck")),
    Case("evaluate --forget on a plain model", lambda p: p.run("evaluate", p.world.base, "--topic", "love", "--data", p.world.pairs, *SIZES, "--forget", p.world.love), refused("bottleneck")),
    Case("evaluate --eval-size below --minimum", given(evaluate, "--eval-size", 3, "--minimum", 20, out=None), refused("minimum|needed")),
    Case("evaluate --beams 0", given(evaluate, "--beams", 0, out=None), refused("--beams")),
    *some(Case(f"sweep --s-primes {value!r}", given(sweep, "--s-primes", value), refused("--s-primes|S'")) for value in ("0", "-1", "65", "2,2", "x", "2;4", "1.5", "999999")),
    Case("sweep --s-primes ''", given(sweep, "--s-primes", ""), refused("--s-primes|S'")),
    *some(Case(f"sweep --topics {value!r}", lambda p, v=value: p.run(*("sweep", p.world.model, "--topics", v, "--data", p.world.pairs, "--s-primes", "2", *SIZES, "--out", "target")), refused("topic")) for value in ("", ",", " , ")),
    Case("sweep --topics twice the same", lambda p: p.run("sweep", p.world.model, "--topics", "love,love", "--data", p.world.pairs, "--target-words", "love=aimer,aime", "--s-primes", "2", *SIZES, "--out", "target"),
         Either(refused("love"), Accepted(lambda o, _: o.shown.count("| love |") == 1))),
    Case("sweep --target-words of another topic", given(sweep, "--target-words", "hate=haine"), refused("hate")),
    Case("sweep --target-words without words", given(sweep, "--target-words", "love="), refused("--target-words")),
    *some(Case(f"sweep --preset {value!r}", given(sweep, "--preset", value), refused(value or "preset")) for value in ("", "x")),
    *some(Case(f"build {option} {value}", given(build, option, value), refused()) for option, value in (
        ("--num-codes", 0), ("--num-codes", 10**9), ("--code-dim", 0), ("--code-dim", -1), ("--top-s", 0), ("--top-s", 33), ("--layer", 9), ("--layer", -1), ("--fit-tokens", 0), ("--base", "none"), ("--base", "tiny"))),
    Case("build on a model with a bottleneck", lambda p: p.run("build", "--data", p.world.pairs, "--base", p.world.model, "--num-codes", 32, "--code-dim", 8, "--layer", 1, "--out", "target"), refused("bottleneck")),
    *some(Case(f"train {option} {value}", given(train, option, value), refused(option.removeprefix("--"))) for option, value in (
        ("--max-steps", 0), ("--max-steps", -1), ("--batch-tokens", 0), ("--max-tokens", 0), ("--learning-rate", -1), ("--learning-rate", "nan"), ("--epochs", -1), ("--epochs", "nan"), ("--warmup-share", 2),
        ("--dropout", 1), ("--label-smoothing", -1), ("--optimizer", "sgd"), ("--save-steps", 0), ("--log-steps", 0), ("--gradient-accumulation-steps", 0))),
    *some(Case(f"train --plain {option}", given(train, option, value), refused(option)) for option, value in (
        ("--num-codes", 32), ("--top-s", 2), ("--layer", 1), ("--code-dim", 8), ("--losses", "paper"), ("--frozen", "base"), ("--revive-steps", 5), ("--bottleneck-learning-rate", 0.1))),
    Case("train --plain on a model with a bottleneck", lambda p: p.run("train", "--plain", "--data", p.world.pairs, "--limit", 100, "--base", p.world.model, "--max-steps", 1, "--device", "cpu", "--out", "target"), refused("bottleneck")),
    Case("train --losses x", lambda p: p.run("train", "--data", p.world.pairs, "--limit", 100, "--base", p.world.base, "--losses", "x", "--num-codes", 32, "--code-dim", 8, "--layer", 1, "--device", "cpu", "--out", "target"), refused("losses")),
    *some(Case(f"topics {option} {value}", given(topics, option, value, out=None), refused("part of speech|pos" if option == "--pos" else option.removeprefix("--"))) for option, value in (("--at-least", 0), ("--at-most", 0), ("--at-most", "x"), ("--pos", "XYZ"), ("--at-most", 3))),
    Case("show --limit 0", given(show, "--limit", 0, out=None), refused("--limit")),
    Case("apply --mode keep", given(apply, "--mode", "keep"), refused("--mode")),
    Case("apply no forget set", lambda p: p.run("apply", p.world.model, "--out", "target"), refused("FORGET")),
    Case("translate --beams -1", lambda p: p.run("translate", p.world.model, "--beams", -1, stdin=b"a\n"), refused("--beams")),
    Case("translate --batch-tokens 0", lambda p: p.run("translate", p.world.model, "--batch-tokens", 0, stdin=b"a\n"), refused("--batch-tokens")),
    Case("translate --forget on a plain model", lambda p: p.run("translate", p.world.base, "--forget", p.world.love, stdin=b"a\n"), refused("bottleneck")),
    Case("an unknown command", lambda p: p.run("delete"), refused("delete")),
    Case("an unknown option", lambda p: p.run("show", p.world.model, "--colour"), refused("--colour")),
    Case("no topic", lambda p: p.run("forget", p.world.model, "--data", p.world.pairs, "--out", "target"), refused("--topic")),
    *some(Case(f"seed {seed}", lambda p, s=seed: p.run(*forget(p.world), "--seed", s, "--out", "target"), Either(refused("seed"), Accepted())) for seed in (-1, 2**31, 2**63, 10**30)),
    *some(Case(f"train with seed {seed}", given(train, "--seed", seed), Either(Refused(("seed",)), Accepted())) for seed in (-1, 2**32, 10**30)),
    *some(Case(f"sweep with seed {seed}", given(sweep, "--seed", seed), Either(Refused(("seed",)), Accepted())) for seed in (-1, 2**32, 10**30)),
]  # fmt: skip


@pytest.mark.parametrize("case", made_always(CASES), ids=lambda case: case.name)
def test_options_that_contradict_are_refused(case: Case, place: Place) -> None:
    expect(case, place)
