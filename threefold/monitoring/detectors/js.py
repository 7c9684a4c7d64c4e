"""Jensen-Shannon distance: the one measure that decides, for numbers, categories and predictions alike."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from threefold.monitoring import detectors
from threefold.monitoring.detectors import Distance, smoothed


@detectors.add("js")
def jensen_shannon(reference: np.ndarray, current: np.ndarray) -> Distance:
    """Root of the Jensen-Shannon divergence in bits: 0 for equal shares, 1 for ones that do not touch.

    divergence = H((p + q) / 2) - (H(p) + H(q)) / 2, with p and q the shares of training and window, H the entropy.
    A shift by 0.2 deviations gives 0.08, by 0.5 deviations 0.20. Sampling alone gives (bins - 1) / (8 ln 2) *
    (1/n + 1/m) on average, which is taken off; the interval is that of the delta method.
    Source: Lin (1991), Divergence Measures Based on the Shannon Entropy.

    >>> jensen_shannon(np.array([100, 100]), np.array([50, 50])).score
    0.0
    """
    n, m = max(reference.sum(), 1), max(current.sum(), 1)
    p, q = smoothed(reference), smoothed(current)
    middle = (p + q) / 2
    slope_p, slope_q = np.log2(p / middle), np.log2(q / middle)
    divergence = float(np.sum(p * slope_p) + np.sum(q * slope_q)) / 2
    noise = (len(p) - 1) / (8 * log(2)) * (1 / n + 1 / m)
    error = sqrt(_variance(p, slope_p / 2) / n + _variance(q, slope_q / 2) / m)
    score = max(0.0, divergence - noise)
    return Distance(sqrt(score), sqrt(max(0.0, score - 1.96 * error)), sqrt(noise))


def _variance(shares: np.ndarray, slope: np.ndarray) -> float:
    return max(0.0, float(np.sum(shares * slope**2) - np.sum(shares * slope) ** 2))
