"""Slices: the same metric for each part of the rows, so that a good average cannot hide a bad corner."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from threefold.records import TaskSpec
from threefold.training import metrics

MIN_ROWS = 50  # of a slice; fewer say more about chance than about the model
FEW_VALUES = 24  # a numeric column with more different values (hours of the day still fit) is cut into quarters
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
        small: how many were left out for having fewer than MIN_ROWS rows, or, in a binary problem, one class only.
        untold: how many are large enough, but the metric is not defined there (precision without a "yes").
    """

    column: str
    told: tuple[Slice, ...]
    small: int
    untold: int

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
    names, codes = cut(column)
    counts = np.bincount(codes, minlength=len(names))
    order = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1]) if len(names) else []
    large = [(name, rows) for name, rows in zip(names, order, strict=True) if _enough(y[rows], task)]
    found = [(name, rows, metrics.compute([metric], y[rows], scores[rows], task, threshold)) for name, rows in large]
    told = [Slice(name, len(rows), values[metric]) for name, rows, values in found if metric in values]
    sign = 1.0 if metrics.greater_is_better(metric) else -1.0
    small = int(np.sum(counts > 0)) - len(large)
    return Slices(column.name, tuple(sorted(told, key=lambda one: sign * one.value)), small, len(large) - len(told))


def cut(column: pl.Series) -> tuple[list[str], np.ndarray]:
    """Names of the slices of a column, and the number of the slice of each row, shape (n,).

    What is missing is a slice of its own.
    """
    if column.dtype.is_float():
        column = column.fill_nan(None)
    if column.dtype.is_numeric() and column.drop_nulls().n_unique() > FEW_VALUES:
        return _quarters(column.cast(pl.Float64).to_numpy())
    texts = [MISSING if value is None else _text(value) for value in column.to_list()]
    numbers = {name: number for number, name in enumerate(sorted(set(texts)))}
    return list(numbers), np.array([numbers[text] for text in texts], dtype=np.int64)


def _quarters(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    edges = np.unique(np.quantile(values[np.isfinite(values)], [0.0, 0.25, 0.5, 0.75, 1.0]))
    names = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    codes = np.where(np.isnan(values), len(names), np.searchsorted(edges[1:-1], values, side="right"))
    return [*names, MISSING], codes


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _enough(y: np.ndarray, task: TaskSpec) -> bool:
    return len(y) >= MIN_ROWS and (task.problem != "binary" or len(np.unique(y)) == 2)
