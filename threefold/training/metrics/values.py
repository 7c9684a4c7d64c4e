"""Metrics of predicted values, in the unit of the target."""

from __future__ import annotations

import numpy as np

from threefold.records import TaskSpec
from threefold.training import metrics


@metrics.add("rmse", greater_is_better=False, problems=("regression",))
def rmse(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Root of the mean squared error, in the unit of the target; large errors weigh most."""
    return float(np.sqrt(np.mean((scores - y) ** 2)))


@metrics.add("mae", greater_is_better=False, problems=("regression",))
def mae(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Mean absolute error, in the unit of the target."""
    return float(np.mean(np.abs(scores - y)))


@metrics.add("r2", greater_is_better=True, problems=("regression",))
def r2(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Share of the variance explained: 1 - squared errors / squared distances from the mean.

    0 is what the mean itself gets, below 0 is worse. Not defined for fewer than two different values.
    """
    spread = float(np.sum((y - np.mean(y)) ** 2))
    return 1.0 - float(np.sum((scores - y) ** 2)) / spread if spread > 0 else float("nan")
