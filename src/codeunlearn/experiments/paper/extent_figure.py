"""Ablations that differ in the extent of their training, drawn: what a codebook keeps against how far it forgets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeunlearn.evaluation.systems import BEFORE
from codeunlearn.evaluation.test_sets import WHOLE
from codeunlearn.experiments.ablations import AblationResult, variants
from codeunlearn.experiments.results import Results
from codeunlearn.extras import needs
from codeunlearn.reporting.figures import BLUE, DPI, GREEN, GREY, ORANGE, PURPLE, STYLE, VERMILION
from codeunlearn.reporting.labels import count_noun

with needs("reports"):
    from matplotlib import rc_context
    from matplotlib.figure import Figure

DRAWN = (
    "The figure has a line for each codebook, from short to long training: how far topics are closed (mean; every topic as a "
    "small dot) over chrF with nothing forgotten."
)
_EXTENTS = {"max_steps": "step", "epochs": "epoch"}
"""Options of a training that say how long it is; the first that is given counts."""
_SYMBOLS = {"num_codes": "K", "top_s": "S", "code_dim": "F"}
_STYLES = ((BLUE, "o"), (VERMILION, "D"), (GREEN, "s"), (ORANGE, "^"), (PURPLE, "v"), (GREY, "P"))
_Line = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Trained:
    """One variant.

    Attributes:
        extent: of its training, in words.
        chrf: with nothing forgotten.
        closed: of every topic, per cent.
    """

    extent: str
    chrf: float
    closed: Sequence[float]


def trained_for(results: Results, size: int) -> dict[str, list[Trained]]:
    """Variants that were trained for different times and are equal otherwise, by what tells them from others, shortest first."""
    scored = {variant.name: variant for variant in results.ablations}
    lines: dict[_Line, list[tuple[float, Trained]]] = {}
    for variant in variants(results.config):
        joint = results.config.joint_of(variant)
        extent = next((name for name in _EXTENTS if name in joint.train), None)
        if variant.mode is not None or extent is None or variant.name not in scored:
            continue
        others = {name: option for name, option in joint.train.items() if name not in _EXTENTS}
        line = tuple(
            sorted((name, str(value)) for name, value in {**joint.bottleneck, **joint.build, **others}.items())
        )
        value, unit = joint.train[extent], _EXTENTS[extent]
        if (trained := _trained(scored[variant.name], count_noun(value, unit), size)).closed:
            lines.setdefault((*line, ("in", f"{unit}s")), []).append((value, trained))
    several = {line: sorted(found, key=lambda one: one[0]) for line, found in lines.items() if len(found) > 1}
    shared = set[tuple[str, str]].intersection(*map(set, several)) if len(several) > 1 else set[tuple[str, str]]()
    return {_label(line, shared): [trained for _, trained in found] for line, found in several.items()}


def _trained(variant: AblationResult, extent: str, size: int) -> Trained:
    points = [point for curve in variant.curves if (point := curve.at(size)) is not None]
    closed = [point.closed for point in points if point.closed is not None]
    return Trained(extent, variant.quality.value(BEFORE, WHOLE, "chrf"), closed)


def _label(line: _Line, shared: set[tuple[str, str]]) -> str:
    return ", ".join(f"{_SYMBOLS.get(name, name)} = {value}" for name, value in line if (name, value) not in shared)


def extent_figure(lines: Mapping[str, Sequence[Trained]]) -> Figure:
    """A line for each codebook."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.2), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        for place, (label, line) in enumerate(lines.items()):
            color, marker = _STYLES[place % len(_STYLES)]
            chrf, means = [one.chrf for one in line], [statistics.fmean(one.closed) for one in line]
            axes.plot(chrf, means, color=color, marker=marker, markersize=6, linewidth=1.4, label=label)
            for one, mean in zip(line, means, strict=True):
                axes.plot([one.chrf] * len(one.closed), one.closed, ".", color=color, markersize=4, alpha=0.5)
                axes.annotate(one.extent, (one.chrf, mean), (5, 5), textcoords="offset points", fontsize=8, color=color)
        axes.axhline(100, color="#555555", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xlabel("chrF with nothing forgotten")
        axes.set_ylabel("closed, %")
        axes.margins(x=0.1, y=0.1)
        axes.grid(color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=4, frameon=False)
        return figure
