"""A booster of LightGBM in its own text format: trees that are read, never run, and written as an ONNX graph.

Reading them needs LightGBM here (`threefold[lightgbm]`); serving them does not.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from threefold.packaging.answers import add_class_outputs, add_probabilities, add_value_output
from threefold.packaging.graph import Graph
from threefold.packaging.inputs import add_inputs
from threefold.packaging.logged.classes import order_of
from threefold.packaging.logged.columns import exact_columns
from threefold.packaging.logged.mlmodel import Logged
from threefold.packaging.tree_graph import add_forest
from threefold.packaging.trees import from_lightgbm
from threefold.records import TaskSpec

OBJECTIVES = {"binary": "binary sigmoid:1", "multiclass": "multiclass", "regression": "regression"}


class LoggedTrees:
    """A booster, opened from its text."""

    def __init__(self, booster: Any, dump: dict[str, Any], task: TaskSpec) -> None:
        self.task = task
        self._booster = booster
        self._dump = dump

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """As TrainedModel.score."""
        columns = exact_columns(frame, self.task)
        matrix = np.column_stack([columns[one.name] for one in self.task.features])
        return np.asarray(self._booster.predict(matrix, num_threads=1), dtype=np.float64)

    def portable(self) -> bytes:
        """The trees as a graph."""
        graph, task = Graph(), self.task
        inputs = add_inputs(graph, task)
        matrix = graph.beside([inputs[one.name] for one in task.features])
        decision = add_forest(graph, matrix, from_lightgbm(self._dump))
        if task.problem == "regression":
            add_value_output(graph, decision)
        else:
            probabilities = add_probabilities(graph, decision, task, np.arange(len(task.classes)))
            add_class_outputs(graph, probabilities, task, None)
        return graph.to_bytes()


def open_trees(text: bytes, logged: Logged, task: TaskSpec) -> LoggedTrees | None:
    """The trees of a booster; None where LightGBM is not installed, or they are of a kind that is not written here."""
    try:
        import lightgbm
    except ImportError:
        return None
    booster = lightgbm.Booster(model_str=text.decode())
    dump: dict[str, Any] = booster.dump_model()
    columns = [column.name for column in logged.columns]
    plain = '"decision_type": "=="' not in json.dumps(dump["tree_info"])  # sets of categories have no border
    fits = dump["feature_names"] == columns and all(column.number for column in logged.columns)
    if not plain or not fits or not str(dump.get("objective", "")).startswith(OBJECTIVES[task.problem]):
        return None
    if task.problem != "regression":
        numbers = [str(number) for number in range(max(2, int(dump["num_tree_per_iteration"])))]
        if order_of(numbers, len(numbers), task, logged.label) != tuple(range(len(task.classes))):
            return None
    return LoggedTrees(booster, dump, task)
