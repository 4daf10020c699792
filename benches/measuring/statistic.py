"""Paired ratios and what to say of them. Numbers in, numbers out: how they are printed is `tables`' business."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import asdict, dataclass
from typing import Sequence

RESAMPLES = 10_000
# With fewer pairs an interval would say more than they can.
LEAST_PAIRS = 3
# Student's t at 97.5 %, for 2, 3, … 30 degrees of freedom; beyond it is within 2 % of the normal distribution's.
STUDENT = (
    4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
NORMAL = 1.960


@dataclass(frozen=True)
class Ratio:
    """The geometric mean of paired ratios, with its 95 % interval where there are enough of them."""

    mean: float
    low: float | None
    high: float | None
    pairs: int

    def as_json(self) -> dict[str, float | int | None]:
        return asdict(self)


def ratio(pairs: Sequence[tuple[float, float]]) -> Ratio | None:
    """Of pairs (ours, theirs), each from one round; nothing where there is no pair."""
    logs = [math.log(ours / theirs) for ours, theirs in pairs]
    if not logs:
        return None
    mean, ends = statistics.fmean(logs), interval(logs)
    low, high = (None, None) if ends is None else (math.exp(ends[0]), math.exp(ends[1]))
    return Ratio(math.exp(mean), low, high, len(logs))


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The mean's 95 % interval by the percentile bootstrap, widened for few values; always the same for the same values.

    Percentiles of so few values lie too close to their mean, by √((n−1)/n) for the variance and by normal/Student for its not
    being known (Hesterberg, What Teachers Should Know About the Bootstrap, 2015), so their distances are multiplied by that.
    """
    n = len(values)
    if n < LEAST_PAIRS:
        return None
    rng = random.Random(0)
    means = sorted(statistics.fmean(rng.choices(values, k=n)) for _ in range(RESAMPLES))
    mean = statistics.fmean(values)
    low, high = means[RESAMPLES * 25 // 1000], means[RESAMPLES * 975 // 1000 - 1]
    student = STUDENT[n - 3] if n - 3 < len(STUDENT) else NORMAL
    wider = math.sqrt(n / (n - 1)) * student / NORMAL
    return mean + (low - mean) * wider, mean + (high - mean) * wider


@dataclass(frozen=True)
class Spread:
    """The median of what was measured, its least and its most."""

    median: float
    least: float
    most: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def spread(values: Sequence[float]) -> Spread | None:
    return Spread(statistics.median(values), min(values), max(values)) if values else None
