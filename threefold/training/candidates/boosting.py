"""Gradient boosting of shallow trees, from scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from threefold.records import TaskSpec
from threefold.training import candidates
from threefold.training.designs import TreeDesign, tree_design
from threefold.training.lookups import outcomes

TREES_OF_A_CLASS_S = 0.12  # 120 trees of one class
FASTEST = 0.3  # a quicker rate of learning makes boosting unsteady


class TreeModel:
    """A tree design and, on its matrix, any learner of trees from numbers.

    Attributes:
        design: learned with the first rows; codes categories as rates, because no exporter is exact for the native
            categories of HistGradientBoosting.
        learner: has fit(matrix, y), predict(matrix) and, for classes, predict_proba(matrix) and classes_.
    """

    design: TreeDesign

    def __init__(self, task: TaskSpec, learner: Any, leaf_rows: int | None = None, gap: float | None = None) -> None:
        self.task = task
        self.learner = learner
        self.gap = gap  # what stands for a missing number, for learners that do not read NaN
        self.leaf_rows = leaf_rows  # parameter min_samples_leaf; at most a twentieth of the rows, for small tables

    def fit(self, frame: pl.DataFrame, y: np.ndarray) -> TreeModel:
        """Learn the design, then the trees."""
        outcome = outcomes(y, len(self.task.classes))
        self.design = tree_design(frame, self.task, outcome)
        if self.leaf_rows is not None:
            self.learner.set_params(min_samples_leaf=max(1, min(self.leaf_rows, frame.height // 20)))
        self.learner.fit(self._matrix(frame, outcome), y if self.task.problem == "regression" else y.astype(int))
        return self

    def predict_proba(self, frame: pl.DataFrame) -> np.ndarray:
        """Shape (n, number of classes); a class that training did not hold has probability 0."""
        given = self.learner.predict_proba(self._matrix(frame))
        whole = np.zeros((len(given), len(self.task.classes)))
        whole[:, np.asarray(self.learner.classes_, dtype=int)] = given
        return whole

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Class numbers, or values in the unit of the target."""
        if self.task.problem == "regression":
            return np.asarray(self.learner.predict(self._matrix(frame)), dtype=np.float64)
        return np.asarray(np.argmax(self.predict_proba(frame), axis=1))

    def _matrix(self, frame: pl.DataFrame, outcome: np.ndarray | None = None) -> np.ndarray:
        matrix = self.design.matrix(frame, outcome)
        return matrix if self.gap is None else np.where(np.isnan(matrix), np.float32(self.gap), matrix)


@candidates.add("boosting")
class Boosting:
    """Histogram gradient boosting: many small trees, each mending what the ones before it got wrong."""

    def build(self, task: TaskSpec, params: Mapping[str, Any], seed: int) -> TreeModel:
        """Parameters: rate (of learning), trees, leaves (per tree), rows (in a leaf, at least), l2."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # 1.3 s at import

        kind = HistGradientBoostingRegressor if task.problem == "regression" else HistGradientBoostingClassifier
        return TreeModel(
            task,
            kind(
                learning_rate=params.get("rate", 0.08),
                max_iter=params.get("trees", 120),
                max_leaf_nodes=params.get("leaves", 31),
                l2_regularization=params.get("l2", 1.0),
                early_stopping=False,  # it would hold out rows by chance, and stop by a metric that is not the canvas's
                random_state=seed,
            ),
            params.get("rows", 20),
        )

    def space(self, task: TaskSpec) -> list[dict[str, Any]]:
        """From free to careful; the time of a fit grows with trees times leaves."""
        return [
            {"rate": 0.08, "trees": 120, "leaves": 31, "rows": 20, "l2": 1.0},
            {"rate": 0.08, "trees": 80, "leaves": 15, "rows": 40, "l2": 5.0},
            {"rate": 0.05, "trees": 160, "leaves": 15, "rows": 100, "l2": 20.0},
            {"rate": 0.15, "trees": 80, "leaves": 7, "rows": 20, "l2": 1.0},
        ]

    def cost_s(self, rows: int, width: int, task: TaskSpec) -> float:
        """Measured: 80,000 rows of 25 features take about 2 s; several classes take so many times as long.

        With several classes each round grows a tree for each of them, which takes about 1 ms, however few the rows are.
        """
        classes = len(task.classes) if len(task.classes) > 2 else 0
        return 0.2 + rows * width * 1.0e-6 * max(1, classes) + TREES_OF_A_CLASS_S * classes

    def lighter(self, point: Mapping[str, Any], share: float) -> dict[str, Any]:
        """Fewer trees that learn faster."""
        return fewer_trees(point, share)


def fewer_trees(point: Mapping[str, Any], share: float) -> dict[str, Any]:
    """As many trees as the share pays for, at least 10; what they learn together stays about the same."""
    trees = max(10, round(point["trees"] * share))
    rate = min(FASTEST, point["rate"] * point["trees"] / trees)
    return {**point, "trees": trees, "rate": round(rate, 4), "leaves": min(point["leaves"], 15)}
