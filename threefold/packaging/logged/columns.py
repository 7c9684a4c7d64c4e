"""The columns of a signature as the features of a task, and a frame as the columns that a logged model takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from threefold.errors import DataError
from threefold.packaging.logged.mlmodel import Column, Logged
from threefold.packaging.scoring import text_column
from threefold.records import FeatureSpec, TaskSpec
from threefold.training import columns


def task_of(logged: Logged, posed: TaskSpec) -> TaskSpec:
    """The task of a project, with the inputs that a logged model takes: features of the project, looked up by name.

    Args:
        posed: the task as the project poses it to its own candidates.
    Raises:
        DataError: a column is no feature of the project, or is a number in one and a text in the other.
    """
    known = {feature.name: feature for feature in posed.features}
    missing = [column.name for column in logged.columns if column.name not in known]
    if missing:
        raise DataError(
            f"the model takes {', '.join(missing)[:200]}, which the project does not know", logged.label,
            f"log it with columns that are features of the project: {', '.join(known)[:500]}",
        )  # fmt: skip
    return replace(posed, features=tuple(_feature(column, known[column.name], logged) for column in logged.columns))


def exact_columns(frame: pl.DataFrame, task: TaskSpec) -> dict[str, np.ndarray]:
    """One array per feature, (n,): numbers in double precision, as who logged a model had them; NaN or "" for nothing."""
    columns.require(frame, task.features)
    return {
        feature.name: frame[feature.name].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        if feature.kind == "number"
        else text_column(columns.texts(frame, feature.name).to_list())[:, 0]
        for feature in task.features
    }


def _feature(column: Column, feature: FeatureSpec, logged: Logged) -> FeatureSpec:
    if column.number != (feature.kind == "number"):
        ours = "numbers" if feature.kind == "number" else "texts"
        raise DataError(
            f"column {column.name!r} is of type {column.type}; in the project it holds {ours}", logged.label,
            "log the model with the type that the project's feature has",
        )  # fmt: skip
    return feature
