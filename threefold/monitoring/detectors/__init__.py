"""Detectors: how far two sets of shares lie apart, one distance per file.

Takes     rows per bin in training and in a window, bins in the same order.
Hands on  a Distance: the score, and the lower end of its interval.
Start in  js.py, the one that decides; the others are shown beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from threefold.training.family import Family


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a window lies from training.

    Attributes:
        score: 0 for equal shares; what sampling alone would give is taken off.
        low: lower end of its 95 % interval.
        noise: what sampling alone gives on average, on the scale of the score; were it near the limit, the window
            would be too small for a verdict.
    """

    score: float
    low: float
    noise: float


Detector = Callable[[np.ndarray, np.ndarray], Distance]

family: Family[Detector] = Family("detector", "threefold.monitoring.detectors")
add = family.add
names = family.names


def measure(name: str, reference: np.ndarray, current: np.ndarray) -> Distance:
    """The distance of two sets of counts.

    Args:
        name: of a detector.
        reference, current: rows per bin, shape (bins,), the bins in the same order.
    Raises:
        NotFound: no detector has this name.
    """
    return family.get(name).thing(reference, current)


def smoothed(counts: np.ndarray) -> np.ndarray:
    """Shares, with half a row added to each bin so that none is zero."""
    shares: np.ndarray = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return shares
