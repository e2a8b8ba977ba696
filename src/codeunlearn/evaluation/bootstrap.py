"""Bootstrap intervals over sentences, for any metric that is a function of sums over sentences.

Every metric of this package reduces a sentence to a row of numbers and a corpus to the sum of its rows
(`SentenceSums`). A bootstrap sample is then a matrix product: 1,000 samples of 500 sentences take
milliseconds, not minutes.

Comparisons are paired: two systems resampled on the same sentences with the same seed see the same sample in
every draw, so `before - after` cancels what the sentences have in common. The same holds for ratios, of which
the normalised improvement drop (paper, section 3.7) is one: numerator and denominator come from one joint
bootstrap.

    before, after, zero_shot = (resample(score.sums, seed=0) for score in (...))
    interval(before - after)                     # the raw delta
    ratio(before - after, before - zero_shot)    # the normalised drop

All intervals are percentile intervals (Efron and Tibshirani 1993, section 13.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from codeunlearn.errors import CodeUnlearnError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

DRAWS = 1000
LEVEL = 0.95
_DRAWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class SentenceSums:
    """What a metric needs to know of each sentence, and the metric as a function of the sum of these rows.

    Attributes:
        rows: One row per sentence, shape [sentences, columns].
        score: Sums of rows [..., columns] -> scores [...]; called with many bootstrap samples at once.
    """

    rows: Floats
    score: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def value(self) -> float:
        """The score of all sentences together."""
        return float(self.score(self.rows.sum(axis=0)))

    @property
    def per_sentence(self) -> list[float]:
        """The score of each sentence alone; nan for one that does not enter the metric."""
        return [float(value) for value in self.score(self.rows)]


@dataclass(frozen=True)
class Interval:
    """An observed value with its percentile bootstrap interval."""

    value: float
    low: float
    high: float
    level: float
    draws: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain numbers for JSON; infinite and undefined ones become None."""
        return {key: number if math.isfinite(number) else None for key, number in asdict(self).items()}


@dataclass(frozen=True)
class Ratio:
    """A ratio with its interval, and the interval of the denominator it depends on.

    Attributes:
        interval: The ratio. Its bounds are infinite where the denominator is within noise: near a denominator
            of zero a ratio can be anything (Fieller 1954), and the spread of the draws would understate that.
        denominator: The denominator alone.
        denominator_within_noise: The denominator is not above 0 with its whole interval, so the ratio says
            nothing; look at the raw difference.
    """

    interval: Interval
    denominator: Interval
    denominator_within_noise: bool

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            **self.interval.to_dict(),
            "denominator": self.denominator.to_dict(),
            "denominator_within_noise": self.denominator_within_noise,
        }


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic on the observed sentences and on every bootstrap sample of them.

    Attributes:
        value: The observed statistic.
        draws: The statistic in each bootstrap sample, shape [draws].
        plan: Number of sentences, and the seed of the samples; statistics of one plan are paired.
    """

    value: float
    draws: Floats
    plan: tuple[int, int]

    def __sub__(self, other: Resampled) -> Resampled:
        """The paired difference: same sentences, same seed, same number of draws."""
        _require_paired(self, other)
        return Resampled(self.value - other.value, self.draws - other.draws, self.plan)

    def minus_independent(self, other: Resampled) -> Resampled:
        """The difference of statistics of two different sets of sentences (a difference in differences).

        Resample the two sets with different seeds: with one seed their samples would be dependent.
        """
        if self.plan[1] == other.plan[1]:
            raise CodeUnlearnError("Two independent sets of sentences need two different bootstrap seeds.")
        if len(self.draws) != len(other.draws):
            raise CodeUnlearnError(
                f"Both statistics need the same draws, not {len(self.draws)} and {len(other.draws)}."
            )
        return Resampled(self.value - other.value, self.draws - other.draws, self.plan)


def resample(sums: SentenceSums, *, draws: int = DRAWS, seed: int = 0) -> Resampled:
    """The metric on the observed sentences and on `draws` bootstrap samples of them."""
    n = len(sums)
    samples = [sums.score(_weights(indices, n) @ sums.rows) for indices in _samples(n, draws, seed)]
    return Resampled(sums.value, np.concatenate(samples), (n, seed))


def resample_statistic(
    statistic: Callable[[Indices], float], n: int, *, draws: int = DRAWS, seed: int = 0
) -> Resampled:
    """As `resample`, for any statistic of `n` sentences given by their indices [n]; one call per draw.

    The samples are those of `resample`, so the two kinds can be compared with each other.
    """
    values = [statistic(sample) for indices in _samples(n, draws, seed) for sample in indices]
    return Resampled(float(statistic(np.arange(n))), np.array(values, dtype=np.float64), (n, seed))


def interval(resampled: Resampled, *, level: float = LEVEL) -> Interval:
    """The percentile interval of a resampled statistic or difference.

    Draws in which the statistic is undefined (nan: no sentence of the sample enters it) are left out.
    """
    if not 0 < level < 1:
        raise CodeUnlearnError(f"The level of an interval must lie between 0 and 1, not {level}.")
    defined = resampled.draws[~np.isnan(resampled.draws)]
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail]) if len(defined) else (math.nan, math.nan)
    return Interval(resampled.value, float(low), float(high), level, len(resampled.draws))


def wilson_interval(share: float, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The score interval of a share of ``n`` independent sentences (Wilson 1927).

    It has a width at 0 and 1 too, where every bootstrap sample is the same and its interval would claim certainty.
    """
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def ratio(numerator: Resampled, denominator: Resampled, *, level: float = LEVEL) -> Ratio:
    """The ratio of two statistics of the same sentences, from one joint bootstrap.

    See `Ratio` for what happens when the interval of the denominator reaches 0 or below.
    """
    _require_paired(numerator, denominator)
    below = interval(denominator, level=level)
    within_noise = not below.low > 0
    value = numerator.value / denominator.value if denominator.value else math.nan
    if within_noise:
        unbounded = Interval(value, -math.inf, math.inf, level, len(denominator.draws))
        return Ratio(unbounded, below, True)
    # A draw far in the tail may still hit 0 exactly; it counts as undefined, like an empty sample.
    divisors = np.where(denominator.draws == 0, np.nan, denominator.draws)
    quotients = Resampled(value, numerator.draws / divisors, numerator.plan)
    return Ratio(interval(quotients, level=level), below, False)


def sentence_mean(values: Sequence[float]) -> SentenceSums:
    """The sums of a metric that is the mean of its sentence values, as most neural metrics are."""
    column = np.asarray(values, dtype=np.float64)
    return SentenceSums(np.stack([column, np.ones_like(column)], axis=1), quotient)


def quotient(rows: Floats) -> Floats:
    """First column over second, nan where the second is 0; [..., 2] -> [...]."""
    above, below = rows[..., 0], rows[..., 1]
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)


def _require_paired(one: Resampled, other: Resampled) -> None:
    if one.plan != other.plan or len(one.draws) != len(other.draws):
        raise CodeUnlearnError(
            "A paired comparison needs the same sentences, seed and draws on both sides, not "
            f"(sentences, seed) = {one.plan} with {len(one.draws)} draws and "
            f"{other.plan} with {len(other.draws)}."
        )


def _samples(n: int, draws: int, seed: int) -> Iterator[Indices]:
    """The bootstrap samples of `n` sentences, some draws at a time; each [draws here, n]."""
    if n < 1 or draws < 1:
        raise CodeUnlearnError(f"A bootstrap needs at least one sentence and one draw, not {n} and {draws}.")
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        yield generator.integers(0, n, size=(min(_DRAWS_AT_ONCE, draws - start), n), dtype=np.int64)


def _weights(indices: Indices, n: int) -> Floats:
    """How often each of the `n` sentences is in each sample; [draws, n]."""
    flat = indices + n * np.arange(len(indices))[:, None]
    counts = np.bincount(flat.ravel(), minlength=n * len(indices))
    return counts.reshape(len(indices), n).astype(np.float64)
