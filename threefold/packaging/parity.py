"""Proof that the packaged model answers like the trained one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import polars as pl

from threefold.packaging.scoring import Scorer, columns_of
from threefold.records import TaskSpec


class Answering(Protocol):
    """A model before it was packaged."""

    @property
    def task(self) -> TaskSpec:
        """What it predicts."""

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """As TrainedModel.score."""


def parity(model: Answering, scorer: Scorer, frame: pl.DataFrame) -> float:
    """The largest difference over some rows between the model and its package.

    Returns:
        A difference of probabilities; for a regression the difference as a share of the larger of 1 and the value.
        0 for no rows; infinite where one of the two has no finite answer.
    """
    if frame.height == 0:
        return 0.0
    return difference(model.score(frame), scorer.score(columns_of(frame, model.task)), model.task)


def difference(one: np.ndarray, other: np.ndarray, task: TaskSpec) -> float:
    """The largest difference of two arrays of scores, as `parity` measures it."""
    if one.shape != other.shape:
        return float("inf")
    gaps = np.abs(one - other)
    if task.problem == "regression":
        gaps = gaps / np.maximum(1.0, np.abs(one))
    if not np.isfinite(gaps).all():
        return float("inf")
    return float(gaps.max(initial=0.0))
