"""Population stability index: shown beside the distance for those who know it."""

from __future__ import annotations

from math import sqrt

import numpy as np

from threefold.monitoring import detectors
from threefold.monitoring.detectors import Distance, smoothed


@detectors.add("psi")
def population_stability(reference: np.ndarray, current: np.ndarray) -> Distance:
    """Population stability index, in nats; 0 for equal shares, without an upper end.

    psi = sum over bins of (q - p) * ln(q / p). Sampling alone gives (bins - 1) * (1/n + 1/m) on average, which is
    taken off. The limits 0.1 and 0.25 are a custom of credit scoring, not a test with a known false-alarm rate.
    Source: Yurdakul (2018), Statistical Properties of Population Stability Index.

    >>> population_stability(np.array([100, 100]), np.array([50, 50])).score
    0.0
    """
    n, m = max(reference.sum(), 1), max(current.sum(), 1)
    p, q = smoothed(reference), smoothed(current)
    noise = float((len(p) - 1) * (1 / n + 1 / m))
    score = max(0.0, float(np.sum((q - p) * np.log(q / p))) - noise)
    slope_q, slope_p = np.log(q / p) + 1 - p / q, np.log(p / q) + 1 - q / p
    error = sqrt(_variance(p, slope_p) / n + _variance(q, slope_q) / m)
    return Distance(score, max(0.0, score - 1.96 * error), noise)


def _variance(shares: np.ndarray, slope: np.ndarray) -> float:
    return max(0.0, float(np.sum(shares * slope**2) - np.sum(shares * slope) ** 2))
