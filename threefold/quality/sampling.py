"""How sure a number is: intervals that hold for any metric, without a formula for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

GROUPS = 20
RESAMPLES = 200
WORK = 4_000_000  # rows times resamples that one interval may cost; beyond it, fewer resamples

Statistic = Callable[[np.ndarray], float]  # of the positions of some rows; NaN where it cannot be told


def block_error(statistic: Statistic, rows: int, groups: int = GROUPS) -> float:
    """Standard error of a statistic, by leaving out one block of neighbouring rows at a time.

    error² = (g - 1) / g * sum over blocks of (value without the block - mean of those)². Rows in order of time that
    resemble their neighbours (one storm makes a hundred flights late) stay together, so the error is not too small.
    Source: Künsch (1989), The Jackknife and the Bootstrap for General Stationary Observations.

    Args:
        statistic: of the positions of the rows that are kept.
        rows: how many there are; below two the error is NaN.

    >>> values = np.arange(10.0)
    >>> round(block_error(lambda kept: float(values[kept].mean()), 10, groups=10), 3)  # deviation / root of n
    0.957
    """
    count = min(groups, rows)
    if count < 2:
        return float("nan")
    everything = np.arange(rows)
    left_out = np.array_split(everything, count)
    values = np.array([statistic(np.delete(everything, block)) for block in left_out])
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan")
    size = len(values)
    return float(np.sqrt((size - 1) / size * np.sum((values - values.mean()) ** 2)))


def bootstrap(statistic: Statistic, rows: int, *, level: float = 0.95, seed: int = 7) -> tuple[float, float] | None:
    """Interval of a statistic from rows drawn anew with replacement (percentile method).

    Args:
        statistic: of the positions of the drawn rows; two models are compared on the same draw.
        level: share of the draws inside the interval.
    Returns:
        Lower and upper end; None where the statistic cannot be told for most draws.
    """
    if rows < 2:
        return None
    random = np.random.default_rng(seed)
    resamples = int(np.clip(WORK // rows, GROUPS, RESAMPLES))
    values = np.array([statistic(random.integers(0, rows, rows)) for _ in range(resamples)])
    values = values[np.isfinite(values)]
    if len(values) < resamples / 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
