"""Metrics of classes, two or more: y holds class numbers, scores probabilities."""

from __future__ import annotations

import numpy as np

from threefold.records import TaskSpec
from threefold.training import metrics
from threefold.training.metrics.binary import TINY


def chosen(scores: np.ndarray, threshold: float) -> np.ndarray:
    """The class each row is given: by the threshold for two classes, otherwise the likeliest."""
    return (scores >= threshold).astype(np.int64) if scores.ndim == 1 else np.argmax(scores, axis=1)


@metrics.add("log_loss", greater_is_better=False, problems=("binary", "multiclass"))
def log_loss(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Mean of -ln(probability given to what came true), in nats; ln 2 = 0.69 is a coin."""
    given = np.where(y == 1, scores, 1 - scores) if scores.ndim == 1 else scores[np.arange(len(y)), y.astype(int)]
    return float(-np.mean(np.log(np.clip(given, TINY, 1.0))))


@metrics.add("accuracy", greater_is_better=True, problems=("binary", "multiclass"))
def accuracy(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Share of the rows whose class was named right."""
    return float(np.mean(chosen(scores, threshold) == y))


@metrics.add("macro_f1", greater_is_better=True, problems=("multiclass",))
def macro_f1(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Mean over the classes of 2 tp / (2 tp + fp + fn); a class neither seen nor named is left out."""
    given = chosen(scores, threshold)
    size = scores.shape[1]
    hits = np.bincount(y[given == y].astype(int), minlength=size)
    total = np.bincount(y.astype(int), minlength=size) + np.bincount(given, minlength=size)
    return float(np.mean(2 * hits[total > 0] / total[total > 0]))
