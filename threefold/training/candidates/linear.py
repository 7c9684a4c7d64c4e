"""Linear models: logistic regression for classes, ridge regression for values."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit, softmax  # type: ignore[import-untyped]  # it ships no types

from threefold.records import TaskSpec
from threefold.training import candidates
from threefold.training.designs import LinearDesign, linear_design

TOLERANCE = 1e-3  # of the gradient; 1e-4 takes three times as long for the same AUC to four digits


class LinearModel:
    """A weighted sum of the design's columns, through a softmax for classes.

    P(class k) = exp(x w_k + b_k) / sum over classes; two classes need one weight vector and the logistic function.

    Attributes:
        design: learned with the first rows.
        weights, bias: shape (width, k) and (k,), with k = 1 for a binary or a regression task. A class that training
            did not hold has the bias -1000, so its probability is 0.
    """

    design: LinearDesign
    weights: np.ndarray
    bias: np.ndarray

    def __init__(self, task: TaskSpec, strength: float, seed: int) -> None:
        self.task = task
        self.strength = strength
        self.seed = seed

    def fit(self, frame: pl.DataFrame, y: np.ndarray) -> LinearModel:
        """Learn the design, then the weights."""
        self.design = linear_design(frame, self.task)
        matrix = self.design.matrix(frame)
        if self.task.problem == "regression":
            self._fit_values(matrix, y)
        else:
            self._fit_classes(matrix, y.astype(np.int64))
        return self

    def _fit_values(self, matrix: Any, y: np.ndarray) -> None:
        from sklearn.linear_model import Ridge  # scikit-learn costs 1.3 s at import

        model = Ridge(alpha=self.strength, random_state=self.seed)
        middle, scale = float(np.mean(y)), float(np.std(y)) or 1.0  # the solvers' tolerances assume values around 1
        model.fit(matrix, (y - middle) / scale)
        self.weights = np.asarray(model.coef_, dtype=np.float64).reshape(-1, 1) * scale
        self.bias = np.array([float(np.ravel(model.intercept_)[0]) * scale + middle])

    def _fit_classes(self, matrix: Any, y: np.ndarray) -> None:
        from sklearn.exceptions import ConvergenceWarning  # as above
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1.0 / self.strength, max_iter=300, tol=TOLERANCE, random_state=self.seed)
        with warnings.catch_warnings():
            # 300 steps of L-BFGS on standardised columns are near enough; cross-validation judges the result.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(matrix, y)
        self.weights, self.bias = class_weights(model.coef_, model.intercept_, model.classes_, self.task)

    def decision(self, frame: pl.DataFrame) -> np.ndarray:
        """x w + b, shape (n, k)."""
        return np.asarray(self.design.matrix(frame) @ self.weights + self.bias, dtype=np.float64)

    def predict_proba(self, frame: pl.DataFrame) -> np.ndarray:
        """Shape (n, number of classes); rows add up to 1."""
        decision = self.decision(frame)
        if self.task.problem == "binary":
            positive = expit(decision)
            return np.hstack([1 - positive, positive])
        return np.asarray(softmax(decision, axis=1))

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Class numbers, or values in the unit of the target."""
        if self.task.problem == "regression":
            return self.decision(frame)[:, 0]
        return np.asarray(np.argmax(self.predict_proba(frame), axis=1))


def class_weights(coefficients: Any, intercept: Any, seen: Any, task: TaskSpec) -> tuple[np.ndarray, np.ndarray]:
    """What scikit-learn learned of the seen classes, as weights and bias of all classes of the task."""
    weights = np.asarray(coefficients, dtype=np.float64).T
    bias = np.asarray(intercept, dtype=np.float64).reshape(-1)
    if task.problem == "binary":
        return weights, bias
    if weights.shape[1] == 1:  # two of several classes were seen
        weights = np.hstack([np.zeros_like(weights), weights])
        bias = np.array([0.0, bias[0]])
    all_weights = np.zeros((len(weights), len(task.classes)))
    all_bias = np.full(len(task.classes), -1000.0)
    all_weights[:, seen], all_bias[seen] = weights, bias
    return all_weights, all_bias


@candidates.add("linear")
class Linear:
    """Logistic or ridge regression on standardised numbers and one-hot categories."""

    def build(self, task: TaskSpec, params: Mapping[str, Any], seed: int) -> LinearModel:
        """Parameter `strength`: how strongly weights are held near zero; 0.01 hardly, 1000 very."""
        return LinearModel(task, float(params.get("strength", 1.0)), seed)

    def space(self, task: TaskSpec) -> list[dict[str, Any]]:
        """From customary to strong; flights and the like gain from strength, small data too."""
        return [{"strength": strength} for strength in (1.0, 30.0, 300.0)]

    def cost_s(self, rows: int, width: int, task: TaskSpec) -> float:
        """Measured: 80,000 rows of 25 features take about 0.8 s for one weight vector."""
        return 0.05 + rows * width * 0.4e-6 * max(1, len(task.classes) - 1)

    def lighter(self, point: Mapping[str, Any], share: float) -> dict[str, Any]:
        """There is no cheaper linear model."""
        return dict(point)
