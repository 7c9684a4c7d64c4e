"""How sure a number is: intervals that hold for any metric, without a formula for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

GROUPS = 20
RESAMPLES = 200
MAX_ROWS = 10_000  # drawn per resample, so that an interval costs under half a second whatever the size of the test set

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
    """Interval of a statistic from rows drawn anew with replacement.

    Args:
        statistic: of the positions of the drawn rows; two models are compared on the same draw.
        level: share of the draws inside the interval.
    Returns:
        Lower and upper end; None where the statistic cannot be told for most draws.
    """
    values = [statistic(drawn) for drawn in draws(rows, seed)]
    return interval(values, statistic(np.arange(rows)), rows, level) if values else None


def draws(rows: int, seed: int = 7) -> list[np.ndarray]:
    """Positions of the rows of each resample; the same for the same number of rows. None for fewer than two rows."""
    if rows < 2:
        return []
    random = np.random.default_rng(seed)
    pool = random.choice(rows, MAX_ROWS, replace=False) if rows > MAX_ROWS else np.arange(rows)
    return [pool[random.integers(0, len(pool), len(pool))] for _ in range(RESAMPLES)]


def interval(values: Sequence[float], value: float, rows: int, level: float = 0.95) -> tuple[float, float] | None:
    """Interval around a value from what the resamples of `draws` gave: their quantiles, centred on the value.

    Where the resamples are smaller than the whole, their spread is scaled by the root of the ratio of the rows.
    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13; Bickel, Götze, van Zwet (1997)
    for the smaller resamples.

    Args:
        values: one per resample; NaN where the statistic could not be told there.
        value: on all the rows.
    """
    told = np.array([one for one in values if np.isfinite(one)])
    if len(told) == 0 or len(told) < len(values) / 2 or not np.isfinite(value):
        return None
    spread = np.quantile(told, [(1 - level) / 2, (1 + level) / 2]) - told.mean()
    low, high = value + spread * np.sqrt(min(1.0, MAX_ROWS / rows))
    return float(low), float(high)
