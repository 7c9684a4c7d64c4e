"""A trained model: what every room behind training scores with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from threefold.errors import DataError
from threefold.records import TaskSpec
from threefold.training import columns


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """An estimator that has learned, and what its scores mean.

    Attributes:
        estimator: of a candidate, ours or the project's.
        threshold: binary; a probability at or above it counts as "yes". None otherwise.
        sample: up to 256 training rows (features only); the exporter proves on them that its graph answers alike.
        params: with which the candidate was built.
    """

    name: str
    task: TaskSpec
    estimator: Any
    threshold: float | None
    sample: pl.DataFrame
    params: dict[str, Any]
    seed: int

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """Scores of some rows, in float64.

        Returns:
            Binary: probability of the positive label, shape (n,). Multiclass: probabilities in the order of
            `task.classes`, shape (n, k). Regression: values in the unit of the target, shape (n,).
        Raises:
            DataError: a feature is missing from the frame, or the estimator answers in the wrong shape.
        """
        columns.require(frame, self.task.features)
        return scores_of(self.estimator, frame, self.task, self.name)


def scores_of(estimator: Any, frame: pl.DataFrame, task: TaskSpec, name: str) -> np.ndarray:
    """What any object with predict (and, better, predict_proba) says about some rows, in the shape of TrainedModel.score.

    An object that only names classes gives the probability 1 to the class it names.
    """
    if frame.height == 0:
        return np.empty((0, len(task.classes)) if task.problem == "multiclass" else 0)
    inputs = columns.canonical(frame, task.features)
    if task.problem == "regression":
        return _values(estimator.predict(inputs), frame.height, name)
    if hasattr(estimator, "predict_proba"):
        return _probabilities(estimator.predict_proba(inputs), frame.height, task, name)
    return _certain(estimator.predict(inputs), frame.height, task, name)


def _values(answer: Any, rows: int, name: str) -> np.ndarray:
    values = _numbers(answer, name)
    if values.shape == (rows, 1):
        values = values[:, 0]
    if values.shape != (rows,):
        raise _wrong_shape(name, "predict", values.shape, f"({rows},)")
    return values


def _probabilities(answer: Any, rows: int, task: TaskSpec, name: str) -> np.ndarray:
    values = _numbers(answer, name)
    wanted = (rows, len(task.classes))
    if task.problem == "binary" and values.shape in ((rows,), (rows, 1)):
        return values.reshape(rows)
    if values.shape != wanted:
        raise _wrong_shape(name, "predict_proba", values.shape, str(wanted))
    return values[:, 1] if task.problem == "binary" else values


def _certain(answer: Any, rows: int, task: TaskSpec, name: str) -> np.ndarray:
    values = _values(answer, rows, name)
    if task.problem == "binary":
        return values
    codes = values.astype(np.int64)
    if (codes != values).any() or codes.min() < 0 or codes.max() >= len(task.classes):
        raise DataError(
            f"candidate {name!r} names classes that do not exist",
            "predict",
            f"return class numbers from 0 to {len(task.classes) - 1}",
        )
    return np.eye(len(task.classes))[codes]


def _numbers(answer: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"candidate {name!r} answers with something that is not numbers",
            "predict",
            "return one number per row (the target it learns from is encoded as numbers)",
        ) from None


def _wrong_shape(name: str, method: str, shape: tuple[int, ...], wanted: str) -> DataError:
    return DataError(
        f"candidate {name!r} answers in the shape {shape}", f"{method} of the candidate", f"return the shape {wanted}"
    )
