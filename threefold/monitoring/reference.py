"""The reference: what training looked like, in a few kilobytes that travel with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from threefold.errors import StoreError
from threefold.monitoring import backtest, bins
from threefold.monitoring.backtest import Scale
from threefold.monitoring.bins import Column
from threefold.records import TaskSpec, from_json, to_json
from threefold.training.task import encode_target

VERSION = 1
AT = "_at"
PREDICTION = "the prediction"  # how the column of the scores is called; no feature has such a name


@dataclass(frozen=True, slots=True)
class Reference:
    """What the monitors compare with.

    Attributes:
        columns: one for each feature.
        prediction: the scores (binary, regression), or the class that was named.
        metrics: of the candidate in cross-validation; the acceptance test has better ones.
        positive_rate: binary: share of the positive label in training.
        scales: what hours, days and weeks of training did; empty where the project knows no time.
    """

    version: int
    rows: int
    columns: tuple[Column, ...]
    prediction: Column
    metrics: Mapping[str, float]
    positive_rate: float | None = None
    scales: tuple[Scale, ...] = ()


def build_reference(frame: pl.DataFrame, task: TaskSpec, scores: np.ndarray, metrics: Mapping[str, float]) -> bytes:
    """The reference of a model as JSON; equal training sets give equal bytes.

    Args:
        frame: the training rows: the features, `_target`, and `_at` where the project knows time.
        scores: of the model on these rows, as TrainedModel.score.
        metrics: of the candidate, cross-validated.
    """
    y = encode_target(frame, task)
    scored = predictions(task, scores)
    prediction = bins.learn(PREDICTION, "category" if task.problem == "multiclass" else "number", scored)
    columns = tuple(
        _weighed(bins.learn(spec.name, spec.kind, frame[spec.name]), frame, scores) for spec in task.features
    )
    reference = Reference(
        VERSION,
        frame.height,
        columns,
        prediction,
        {name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        float(y.mean()) if task.problem == "binary" and len(y) else None,
        _scales((*columns, prediction), frame.with_columns(scored), y, scores, task),
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
    if task.problem != "multiclass":
        return pl.Series(PREDICTION, np.asarray(scores, dtype=np.float64))
    named = np.array(task.classes, dtype=object)[np.argmax(scores, axis=1)] if len(scores) else []
    return pl.Series(PREDICTION, list(named), dtype=pl.String)


def _scales(
    columns: Sequence[Column], frame: pl.DataFrame, y: np.ndarray, scores: np.ndarray, task: TaskSpec
) -> tuple[Scale, ...]:
    return backtest.scales(columns, frame, frame[AT], y, scores, task) if AT in frame.columns else ()


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
