"""Slices: the same metric for each part of the rows, so that a good average cannot hide a bad corner."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from threefold.records import TaskSpec
from threefold.training import metrics

MIN_ROWS = 50  # of a slice; fewer say more about chance than about the model
FEW_VALUES = 20  # a numeric column with more different values is cut into quarters
MISSING = "(missing)"


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the rows and the metric on it."""

    name: str
    rows: int
    value: float


@dataclass(frozen=True, slots=True)
class Slices:
    """A metric over the slices of one column.

    Attributes:
        told: the slices that can be judged, worst first.
        skipped: slices with fewer than MIN_ROWS rows, with one class only, or where the metric is not defined.
    """

    column: str
    told: tuple[Slice, ...]
    skipped: int

    @property
    def gap(self) -> float:
        """Difference of the best and the worst slice; NaN with fewer than two."""
        values = [one.value for one in self.told]
        return max(values) - min(values) if len(values) > 1 else float("nan")


def across(
    column: pl.Series, metric: str, y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None
) -> Slices:
    """A metric on every slice of a column.

    Args:
        column: one value per row. Categories are slices; numbers with many values are cut at their quartiles.
    """
    names = slice_names(column)
    told, skipped = [], 0
    for name in names.unique().sort().to_list():
        rows = (names == name).to_numpy()
        value = _metric(metric, y[rows], scores[rows], task, threshold) if rows.sum() >= MIN_ROWS else None
        if value is None:
            skipped += 1
        else:
            told.append(Slice(name, int(rows.sum()), value))
    better = metrics.greater_is_better(metric)
    return Slices(column.name, tuple(sorted(told, key=lambda one: one.value if better else -one.value)), skipped)


def slice_names(column: pl.Series) -> pl.Series:
    """The slice of each row, as text."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
    if not column.dtype.is_numeric() or column.n_unique() <= FEW_VALUES:
        return column.cast(pl.String).fill_null(MISSING)
    cuts = sorted({float(column.quantile(share, "nearest") or 0.0) for share in (0.25, 0.5, 0.75)})
    edges = [f"{edge:g}" for edge in cuts]
    labels = [f"up to {edges[0]}", *(f"{a} to {b}" for a, b in pairwise(edges))]
    return column.cut(cuts, labels=[*labels, f"over {edges[-1]}"]).cast(pl.String).fill_null(MISSING)


def _metric(metric: str, y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None) -> float | None:
    if task.problem != "regression" and len(np.unique(y)) < 2:
        return None
    return metrics.compute([metric], y, scores, task, threshold).get(metric)
