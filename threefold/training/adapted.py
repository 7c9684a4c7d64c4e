"""Estimators of scikit-learn or LightGBM that want a matrix of numbers, given one.

`return RandomForestClassifier(n_estimators=50)` in model.py is enough: nulls, categories and texts are turned into
numbers as for our own candidates. What can read a table by itself (an object of the project, a pipeline with a
ColumnTransformer) gets the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from threefold.records import TaskSpec
from threefold.training.candidates import Estimator
from threefold.training.candidates.boosting import TreeModel
from threefold.training.designs import LinearDesign, linear_design

TREES = ("RandomForest", "ExtraTree", "DecisionTree", "GradientBoosting")
GAP = -1e30  # below every number: a tree can ask for it, and needs no scaling
READS_TABLES = ("ColumnTransformer", "FunctionTransformer")


class DesignedModel:
    """The design of linear models, and behind it an estimator that takes numbers without gaps.

    Attributes:
        design: learned with the first rows: numbers standardised, categories one-hot, texts as weighed words.
        learner: any estimator of scikit-learn.
    """

    design: LinearDesign

    def __init__(self, task: TaskSpec, learner: Any) -> None:
        self.task = task
        self.learner = learner

    def fit(self, frame: pl.DataFrame, y: np.ndarray) -> DesignedModel:
        """Learn the design, then the estimator."""
        self.design = linear_design(frame, self.task)
        self.learner.fit(self._matrix(frame), y if self.task.problem == "regression" else y.astype(int))
        return self

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Class numbers or values."""
        return np.asarray(self.learner.predict(self._matrix(frame)), dtype=np.float64)

    def _matrix(self, frame: pl.DataFrame) -> np.ndarray:
        matrix = self.design.matrix(frame)
        return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), dtype=np.float64)


class DesignedClassifier(DesignedModel):
    """The same for an estimator that knows probabilities."""

    def predict_proba(self, frame: pl.DataFrame) -> np.ndarray:
        """Shape (n, number of classes); a class that training did not hold has probability 0."""
        whole = np.zeros((frame.height, len(self.task.classes)))
        whole[:, np.asarray(self.learner.classes_, dtype=int)] = self.learner.predict_proba(self._matrix(frame))
        return whole


def adapted(made: Any, task: TaskSpec) -> Estimator:
    """What a project's candidate returned, ready to be given frames."""
    parts = list(_parts(made))
    theirs = any(type(part).__module__.partition(".")[0] not in ("sklearn", "lightgbm") for part in parts)
    if theirs or any(type(part).__name__ in READS_TABLES for part in parts):
        estimator: Estimator = made
        return estimator
    kind = type(made).__name__
    if type(made).__module__.startswith("lightgbm") or kind.startswith("HistGradientBoosting"):
        return TreeModel(task, made)
    if kind.startswith(TREES):
        return TreeModel(task, made, gap=GAP)
    knows = task.problem != "regression" and hasattr(made, "predict_proba")
    return DesignedClassifier(task, made) if knows else DesignedModel(task, made)


def _parts(made: Any) -> Iterator[Any]:
    """The steps of a pipeline, or the object itself."""
    steps = getattr(made, "steps", None)
    if isinstance(steps, list):
        for _, step in steps:
            yield from _parts(step)
    elif made is not None and not isinstance(made, str):
        yield made
