"""The backtest: how much windows of training differ from one another though nothing is wrong.

One day holds one weekday and one weather. Compared with a whole training set it looks like drift, and its metrics move
from day to day. What the days and weeks of training did themselves is therefore no reason to call anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from threefold.monitoring import bins, detectors
from threefold.monitoring.bins import NULLS, Column
from threefold.records import TaskSpec
from threefold.training import metrics

LENGTHS = (1 / 24, 1.0, 7.0)  # days: an hour, a day, a week
MIN_ROWS = 100  # a window with fewer says nothing about how much windows differ
MIN_WINDOWS = 8
MAX_WINDOWS = 366  # the newest ones
USUAL = 0.995  # quantile of the distances in training that still counts as usual
GAP = "calibration gap"  # mean prediction minus the share that came true, with its sign
MICROSECONDS = 86_400_000_000  # a day


@dataclass(frozen=True, slots=True)
class Scale:
    """What windows of one length did in training.

    Attributes:
        days: the length.
        windows: how many were looked at.
        mean: metric -> mean of its values in single windows. A short window holds less variety than a long one, so its
            roc_auc, for one, is lower though the model is the same.
        spread: metric -> standard deviation of these values.
        drift: column -> distance to all of training that few windows exceeded.
        nulls: column -> largest share of missing values in a window.
    """

    days: float
    windows: int
    mean: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, float] = field(default_factory=dict)
    nulls: Mapping[str, float] = field(default_factory=dict)


def scales(
    columns: Sequence[Column],
    frame: pl.DataFrame,
    moments: pl.Series,
    y: np.ndarray,
    scores: np.ndarray,
    task: TaskSpec,
) -> tuple[Scale, ...]:
    """The lengths of which training holds enough windows, shortest first; none where the project knows no time.

    Args:
        columns: with their counts in all of training.
        frame: the training rows, with these columns.
        moments: when each row was predicted; nulls are left out.
        y, scores: the encoded target and the model's scores, in the same order.
    """
    if moments.null_count() == moments.len():
        return ()
    time = moments.cast(pl.Datetime("us")).dt.epoch("us").fill_null(-1).to_numpy()
    numbered = [(days, _numbers(time, days)) for days in LENGTHS]
    return tuple(
        _scale(days, numbers, columns, frame, y, scores, task)
        for days, numbers in numbered
        if numbers.max(initial=-1) + 1 >= MIN_WINDOWS
    )


def fitting(scales: Sequence[Scale], days: float) -> Scale | None:
    """The scale for windows of a length: the longest that is not longer; the shortest where all are."""
    shorter = [one for one in scales if one.days <= days]
    return shorter[-1] if shorter else next(iter(scales), None)


def shift(scales: Sequence[Scale], metric: str, days: float) -> float:
    """By how much a metric is lower in windows of a length than in a week, though nothing is wrong.

    An acceptance test mostly covers a week or more. Zero for a week and longer, and where training cannot say.
    """
    own, week = fitting(scales, days), fitting(scales, LENGTHS[-1])
    if own is None or week is None or own.days >= week.days:
        return 0.0
    return week.mean.get(metric, 0.0) - own.mean.get(metric, 0.0) if metric in own.mean and metric in week.mean else 0.0


def spread(scales: Sequence[Scale], metric: str, days: float) -> float:
    """Standard deviation of a metric between windows of a length, while nothing is wrong; 0 where training cannot say."""
    scale = fitting(scales, days)
    if scale is None:
        return 0.0
    return float(scale.spread.get(metric, 0.0) * np.sqrt(min(1.0, scale.days / days)))


# ------------------------------------------------------------------------------------------------------- one length


def _numbers(time: np.ndarray, days: float) -> np.ndarray:
    """The number of the window of each row, 0, 1, 2 … in order of time; -1 for rows that do not count."""
    length = int(days * MICROSECONDS)
    windows, place, sizes = np.unique(np.where(time < 0, -1, time // length), return_inverse=True, return_counts=True)
    real = windows >= 0
    # The first and the last window of a period are mostly cut off: a Monday is no week.
    enough = max(MIN_ROWS, float(np.median(sizes[real])) / 2) if real.any() else MIN_ROWS
    kept = np.flatnonzero((sizes >= enough) & real)[-MAX_WINDOWS:]
    renamed = np.full(len(windows), -1)
    renamed[kept] = np.arange(len(kept))
    numbers: np.ndarray = renamed[place]
    return numbers


def _scale(
    days: float, numbers: np.ndarray, columns: Sequence[Column], frame: pl.DataFrame, y: np.ndarray,
    scores: np.ndarray, task: TaskSpec,
) -> Scale:  # fmt: skip
    count = int(numbers.max()) + 1
    mean, deviation = _performance(numbers, count, y, scores, task)
    drift, nulls = {}, {}
    for column in columns:
        counts = _counts(column, frame[column.name], numbers, count)
        # Not merged: merging never widens a distance, so this holds for live windows of any size.
        whole = np.array(column.counts)
        distances = [detectors.measure("js", whole, one).score for one in counts]
        drift[column.name] = round(float(np.quantile(distances, USUAL)), 4)
        nulls[column.name] = round(float((counts[:, NULLS] / counts.sum(axis=1)).max()), 4)
    return Scale(days, count, mean, deviation, drift, nulls)


def _counts(column: Column, values: pl.Series, numbers: np.ndarray, count: int) -> np.ndarray:
    """Rows per window and bin, shape (windows, bins)."""
    kept = numbers >= 0
    size = bins.width(column)
    flat = numbers[kept] * size + bins.place(column, values)[kept]
    return np.bincount(flat, minlength=count * size).reshape(count, size)


def _performance(
    numbers: np.ndarray, count: int, y: np.ndarray, scores: np.ndarray, task: TaskSpec
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and deviation of each metric over the windows."""
    found: dict[str, list[float]] = {}
    order = np.argsort(numbers, kind="stable")
    for rows in np.split(order, np.searchsorted(numbers[order], np.arange(count)))[1:]:
        told = metrics.compute(None, y[rows], scores[rows], task)
        if task.problem == "binary":
            told[GAP] = float(scores[rows].mean() - y[rows].mean())
        for name, value in told.items():
            found.setdefault(name, []).append(value)
    enough = {name: values for name, values in sorted(found.items()) if len(values) >= MIN_WINDOWS}
    mean = {name: round(float(np.mean(values)), 6) for name, values in enough.items()}
    return mean, {name: round(float(np.std(values, ddof=1)), 6) for name, values in enough.items()}
