"""Gradient boosting from LightGBM, an extra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from threefold.errors import NotFound
from threefold.records import TaskSpec
from threefold.training import candidates
from threefold.training.candidates.boosting import TREES_OF_A_CLASS_S, TreeModel, fewer_trees

THREADS = 1  # two waiting for one another on a busy machine took 79 s instead of 12; alone they gain a quarter


class Booster:
    """LightGBM behind fit, predict and predict_proba, always the same for the same rows.

    Attributes:
        classes_: the class numbers that training held, ascending; empty for values.
        text: the trained trees, in LightGBM's own text format.
    """

    def __init__(self, settings: Mapping[str, Any], trees: int, values: bool) -> None:
        self.settings = dict(settings)
        self.trees = trees
        self.values = values
        self.classes_ = np.empty(0, dtype=np.int64)
        self.text = ""
        self._booster: Any = None

    def fit(self, matrix: np.ndarray, y: np.ndarray) -> Booster:
        """Learn from numbers; NaN is missing."""
        lightgbm = require()
        settings = dict(self.settings)
        if not self.values:
            self.classes_, y = np.unique(y, return_inverse=True)
            settings |= self._objective()
        data = lightgbm.Dataset(matrix, label=y, params={"verbosity": -1}, free_raw_data=True)
        self.text = lightgbm.train(settings, data, num_boost_round=self.trees).model_to_string()
        self._booster = None
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Values, or class numbers."""
        if self.values:
            return np.asarray(self.booster().predict(matrix, num_threads=THREADS))
        return np.asarray(self.classes_[np.argmax(self.predict_proba(matrix), axis=1)])

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        """Shape (n, number of seen classes)."""
        answer = np.asarray(self.booster().predict(matrix, num_threads=THREADS))
        return np.column_stack([1 - answer, answer]) if answer.ndim == 1 else answer

    def booster(self) -> Any:
        """LightGBM's own object."""
        if self._booster is None:
            self._booster = require().Booster(model_str=self.text)
        return self._booster

    def _objective(self) -> dict[str, Any]:
        if len(self.classes_) == 2:
            return {"objective": "binary"}
        return {"objective": "multiclass", "num_class": len(self.classes_)}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_booster": None}  # the text says it all, and is the same every time


@candidates.add("lightgbm")
class LightGbm:
    """LightGBM's gradient boosting."""

    def build(self, task: TaskSpec, params: Mapping[str, Any], seed: int) -> TreeModel:
        """Parameters: rate (of learning), trees, leaves (per tree), rows (in a leaf, at least), l2."""
        require()
        settings = {
            "objective": "regression",
            "learning_rate": params.get("rate", 0.08),
            "num_leaves": params.get("leaves", 31),
            "min_data_in_leaf": params.get("rows", 20),
            "lambda_l2": params.get("l2", 1.0),
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbosity": -1,
        }
        return TreeModel(task, Booster(settings, params.get("trees", 120), task.problem == "regression"))

    def space(self, task: TaskSpec) -> list[dict[str, Any]]:
        """From free to careful, as for boosting."""
        return [
            {"rate": 0.08, "trees": 120, "leaves": 31, "rows": 20, "l2": 1.0},
            {"rate": 0.08, "trees": 80, "leaves": 15, "rows": 40, "l2": 5.0},
            {"rate": 0.05, "trees": 160, "leaves": 15, "rows": 100, "l2": 20.0},
            {"rate": 0.15, "trees": 80, "leaves": 7, "rows": 20, "l2": 1.0},
        ]

    def cost_s(self, rows: int, width: int, task: TaskSpec) -> float:
        """Reckoned like boosting from scikit-learn, of which it needs about half."""
        classes = len(task.classes) if len(task.classes) > 2 else 0
        return 0.1 + rows * width * 0.5e-6 * max(1, classes) + TREES_OF_A_CLASS_S * classes

    def lighter(self, point: Mapping[str, Any], share: float) -> dict[str, Any]:
        """Fewer trees that learn faster."""
        return fewer_trees(point, share)


def require() -> Any:
    """The library, or a refusal that says how to get it."""
    try:
        import lightgbm  # an extra, and 1 s at import
    except ImportError as error:
        raise NotFound(
            "LightGBM is not installed", "candidate 'lightgbm'", "pip install 'threefold[lightgbm]'"
        ) from error
    return lightgbm
