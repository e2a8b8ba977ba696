"""Times lexical and residual codes against a search of all codes in every slot, round by round, new activations in each.

Codes and activations are made up at the size of SmolLM2-135M's codebook: an activation is a lexical code, some residual codes and
noise, frequent codes as frequent as words are. ``cold`` begins with nothing of what codes have in common, as the first texts that
a process reads do. Run it on an idle machine: ``make bench``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from measuring import Report, ratio, timed
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook.selecting.fast import top_s
from codeunlearn.codebook.selecting.gram import Gram
from codeunlearn.codebook.selecting.pursuit import PreparedKinds, pursue
from codeunlearn.codebook.selecting.reference import Selection

LEXICAL, RESIDUAL, WIDTH, SLOTS = 49_153, 40_000, 576, 9


def codes_of(seed: int) -> Tensor:
    """[K, F]: lexical codes as long as states are, then residual codes of length 1."""
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
    return torch.cat([4 * draw(LEXICAL, WIDTH), F.normalize(draw(RESIDUAL, WIDTH), dim=-1)])


def activations(codes: Tensor, number: int, seed: int) -> Tensor:
    """[number, F] near to a lexical code and sums of residual ones."""
    generator = torch.Generator().manual_seed(seed)

    def frequent(most: int, shape: tuple[int, ...]) -> Tensor:
        """Places that are the more frequent the lower they are (Zipf)."""
        return (most ** torch.rand(shape, generator=generator)).long().clamp_max(most) - 1

    lexical = codes[frequent(LEXICAL, (number,))]
    residual = codes[LEXICAL + frequent(RESIDUAL, (number, SLOTS - 1))]
    strength = 40 * torch.rand(number, SLOTS - 1, 1, generator=generator)
    return lexical + (strength * residual).sum(1) + torch.randn(number, WIDTH, generator=generator)


def every_slot_alone(h: Tensor, codes: Tensor, prepared: PreparedKinds) -> Selection:
    """The definition with a fast search for each slot."""
    left, found = h, list[Tensor]()
    for slot in range(SLOTS):
        found.append(top_s(left, prepared.residual if slot else prepared.lexical, 1).ids[:, 0])
        chosen = codes[found[-1]]
        step = (left * chosen).sum(-1) / chosen.square().sum(-1) if slot else torch.ones(len(h))
        left = left - step.clamp_min(0)[:, None] * chosen
    return Selection(torch.stack(found, 1), torch.empty(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--tokens", type=int, default=2048, help="activations of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    codes = codes_of(options.seed)
    prepared = PreparedKinds.of(codes, torch.arange(len(codes)) < LEXICAL, None)
    _ = prepared.lexical.unit, prepared.residual.unit, prepared.gram.codes.unit
    seconds: dict[str, list[float]] = {name: [] for name in ("slots", "product", "cold", "warm")}
    same = True
    for number in range(options.rounds + 1):
        h = activations(codes, options.tokens, options.seed + number + 1)
        fresh = replace(prepared, gram=Gram(prepared.gram.codes))
        taken = {
            "slots": timed(partial(every_slot_alone, h, codes, prepared)),
            "product": timed(partial(torch.matmul, h, prepared.residual.unit.T)),
            "cold": timed(partial(pursue, h, codes, fresh, SLOTS)),
            "warm": timed(partial(pursue, h, codes, prepared, SLOTS)),
        }
        same = same and all(torch.equal(taken["slots"][1].ids, taken[name][1].ids) for name in ("cold", "warm"))
        if number:  # the first round warms up
            for name, (round_seconds, _) in taken.items():
                seconds[name].append(round_seconds)
    report = Report("pursuit", options.out, tokens=options.tokens, rounds=options.rounds, seed=options.seed)
    for name in ("cold", "warm"):
        report.add(f"every slot alone / {name}", ratio(seconds["slots"], seconds[name]))
        report.add(f"{name} / one product", ratio(seconds[name], seconds["product"]))
    report.save(identical=same)
    print(f"  the same codes in every round: {'yes' if same else 'no'}")


if __name__ == "__main__":
    main()
