"""The reference: what training looked like, in a few kilobytes that travel with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from threefold.errors import StoreError
from threefold.monitoring import bins
from threefold.monitoring.bins import Column, Kind
from threefold.records import TaskSpec, from_json, to_json
from threefold.training import metrics
from threefold.training.task import encode_target

VERSION = 1
AT = "_at"
PREDICTION = "prediction"  # how the column of the scores is called
DAY_ROWS = 100  # a day of training with fewer rows says nothing about how much days differ
MIN_DAYS = 10
MAX_DAYS = 366
GAP = "calibration gap"  # mean prediction minus the share that came true, with its sign


@dataclass(frozen=True, slots=True)
class Reference:
    """What the monitors compare with.

    Attributes:
        columns: one for each feature.
        prediction: the scores (binary, regression), or the class that was named.
        metrics: of the candidate in cross-validation; the acceptance test has better ones.
        positive_rate: binary: share of the positive label in training.
        spread: metric -> deviation of its values from day to day in training. A window may differ by as much without
            anything being wrong. Empty where the project knows no time.
    """

    version: int
    rows: int
    columns: tuple[Column, ...]
    prediction: Column
    metrics: Mapping[str, float]
    positive_rate: float | None = None
    spread: Mapping[str, float] = field(default_factory=dict)


def build_reference(frame: pl.DataFrame, task: TaskSpec, scores: np.ndarray, metrics: Mapping[str, float]) -> bytes:
    """The reference of a model as JSON; equal training sets give equal bytes.

    Args:
        frame: the training rows: the features, `_target`, and `_at` where the project knows time.
        scores: of the model on these rows, as TrainedModel.score.
        metrics: of the candidate, cross-validated.
    """
    y = encode_target(frame, task)
    columns = tuple(
        _weighed(bins.learn(spec.name, spec.kind, frame[spec.name]), frame, scores) for spec in task.features
    )
    reference = Reference(
        VERSION,
        frame.height,
        columns,
        bins.learn(PREDICTION, *_predictions(task, scores)),
        {name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        float(y.mean()) if task.problem == "binary" and len(y) else None,
        _spread(frame, y, scores, task),
    )
    return to_json(reference)


def read_reference(data: bytes) -> Reference | None:
    """The reference of a bundle; None where it carries an empty one.

    Raises:
        StoreError: a newer Threefold wrote it.
    """
    if data == b"{}":
        return None
    reference = from_json(data, Reference)
    if reference.version > VERSION:
        raise StoreError(
            f"the reference has version {reference.version}; this Threefold reads up to {VERSION}",
            "reference.json of the bundle",
            "install the newer Threefold",
        )
    return reference


def predictions(task: TaskSpec, scores: np.ndarray) -> pl.Series:
    """What is compared of the scores: the score itself, or for several classes the one that was named."""
    return _predictions(task, scores)[1]


def _predictions(task: TaskSpec, scores: np.ndarray) -> tuple[Kind, pl.Series]:
    if task.problem == "multiclass":
        named = np.array(task.classes, dtype=object)[np.argmax(scores, axis=1)] if len(scores) else []
        return "category", pl.Series(PREDICTION, list(named), dtype=pl.String)
    return "number", pl.Series(PREDICTION, np.asarray(scores, dtype=np.float64))


def _weighed(column: Column, frame: pl.DataFrame, scores: np.ndarray) -> Column:
    """The column with its importance: variance of the mean score per bin over the variance of the score.

    Source: the correlation ratio of Pearson (1905). It sees what the model does with a column, whatever the model.
    """
    outcome = scores.reshape(len(scores), -1).astype(np.float64)
    total = outcome.var(axis=0).sum()
    if not len(outcome) or total <= 0:
        return column
    places = bins.place(column, frame[column.name])
    size = bins.width(column)
    rows = np.maximum(np.bincount(places, minlength=size), 1)
    between = 0.0
    for scored in outcome.T:
        means = np.bincount(places, scored, size) / rows
        between += float(np.average((means[places] - scored.mean()) ** 2))
    return replace(column, importance=round(min(1.0, between / float(total)), 4))


def _spread(frame: pl.DataFrame, y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> dict[str, float]:
    if AT not in frame.columns or frame[AT].null_count() == frame.height:
        return {}
    day = frame[AT].cast(pl.Datetime("us")).dt.epoch("d").fill_null(-1).to_numpy()
    days, sizes = np.unique(day, return_counts=True)
    chosen = days[(sizes >= DAY_ROWS) & (days >= 0)][-MAX_DAYS:]
    if len(chosen) < MIN_DAYS:
        return {}
    told = [_day_metrics(y[day == one], scores[day == one], task) for one in chosen]
    found = {name: [one[name] for one in told if name in one] for name in sorted({key for one in told for key in one})}
    return {name: float(np.std(values, ddof=1)) for name, values in found.items() if len(values) >= MIN_DAYS}


def _day_metrics(y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> dict[str, float]:
    told = metrics.compute(None, y, scores, task)
    if task.problem == "binary":
        told[GAP] = float(scores.mean() - y.mean())
    return told
