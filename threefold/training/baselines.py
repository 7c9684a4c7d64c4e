"""Baselines: the heuristic a model has to beat, and the fallback that answers when a model cannot.

The server imports this file: it stays with numpy and the standard library until a baseline is fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from threefold.design.words import kind_of
from threefold.errors import DataError, NotFound
from threefold.records import TaskSpec

if TYPE_CHECKING:
    import polars as pl

SMOOTHING = 20.0  # a group's rate counts as if this many average rows had been added


@dataclass(frozen=True, slots=True)
class Lookup:
    """A prediction looked up by the value of one column, or the same for every row.

    Attributes:
        by: the column; None when there is none.
        default: for a value not in the table. One number for a binary or regression task, k for k classes.
        table: value of the column as text -> prediction.
    """

    by: str | None
    default: list[float]
    table: dict[str, list[float]] = field(default_factory=dict)

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """As TrainedModel.score: (n,), or (n, k) for several classes."""
        if self.by is None or self.by not in frame.columns:
            return self._shaped([self.default] * frame.height)
        return self._shaped([self.of(value) for value in frame[self.by].to_list()])

    def score_columns(self, columns: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """The same from arrays by name, as a server holds them."""
        if self.by is None or self.by not in columns:
            return self._shaped([self.default] * rows)
        return self._shaped([self.of(value) for value in np.ravel(columns[self.by]).tolist()])

    def of(self, value: Any) -> list[float]:
        """The prediction for one value of the column."""
        return self.table.get(key_of(value), self.default)

    def _shaped(self, values: list[list[float]]) -> np.ndarray:
        array = np.array(values, dtype=np.float64).reshape(len(values), len(self.default))
        return array[:, 0] if len(self.default) == 1 else array


def key_of(value: Any) -> str:
    """A value as text, one spelling each: nothing is "", 5.0 is "5", truth is "true" or "false"."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def fit_baseline(
    spec: str, frame: pl.DataFrame, task: TaskSpec, project: Mapping[str, Callable[..., Any]] | None = None
) -> Lookup:
    """Fit a baseline on training rows.

    Args:
        spec: "prior" (the overall rate or mean), "rate by <column>", or a function of model.py. The function gets the
            frame with `_target` as numbers, and returns a frame: one column of the features, and one of predictions
            (for several classes one per class, named as the class).
    Raises:
        NotFound: the column or the function does not exist.
        DataError: the function's answer is not such a frame.
        StepFailed: the function raised.
    """
    from threefold.training.lookups import outcomes  # Polars: only who fits pays for it
    from threefold.training.task import encode_target

    y = encode_target(frame, task)
    outcome = outcomes(y, len(task.classes))
    default = [float(value) for value in outcome.mean(axis=0)] if len(y) else [0.0] * outcome.shape[1]
    if spec == "prior":
        return Lookup(None, default)
    if spec.startswith("rate by "):
        return _rates(spec.removeprefix("rate by ").strip(), frame, outcome, default)
    return _project(spec, frame, task, y, default, project or {})


def _rates(column: str, frame: pl.DataFrame, outcome: np.ndarray, default: list[float]) -> Lookup:
    names = [name for name in frame.columns if not name.startswith("_")]
    if column not in names:
        near = get_close_matches(column, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the features are: {', '.join(names)}"
        raise NotFound(f"the baseline's column {column!r} is no feature", "baseline under `train` in the canvas", hint)
    keys = [key_of(value) for value in frame[column].to_list()]
    known = sorted(set(keys))
    place = {key: number for number, key in enumerate(known)}
    codes = np.array([place[key] for key in keys], dtype=np.int64)
    rows = np.bincount(codes, minlength=len(known))[:, None]
    sums = np.stack([np.bincount(codes, values, len(known)) for values in outcome.T], axis=1)
    rates = (sums + SMOOTHING * np.array(default)) / (rows + SMOOTHING)
    return Lookup(column, default, {key: [float(v) for v in rates[number]] for key, number in place.items()})


def _project(
    name: str,
    frame: pl.DataFrame,
    task: TaskSpec,
    y: np.ndarray,
    default: list[float],
    project: Mapping[str, Callable[..., Any]],
) -> Lookup:
    import polars as pl  # as above

    from threefold.training.project import faults, place

    if name not in project:
        near = get_close_matches(name, ["prior", "rate by <column>", *project], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "use prior, rate by <column>, or write it in model.py"
        raise NotFound(f"no baseline is named {name!r}", "baseline under `train` in the canvas", hint)
    with faults(f"baseline {name!r}"):
        answer = project[name](frame.with_columns(pl.Series("_target", y)))
    if not isinstance(answer, pl.DataFrame):
        raise DataError(f"baseline {name!r} returned {kind_of(answer)}", place(project[name]), "return a Polars frame")
    return _read_answer(name, answer, frame, task, default, place(project[name]))


def _read_answer(
    name: str, answer: pl.DataFrame, frame: pl.DataFrame, task: TaskSpec, default: list[float], where: str
) -> Lookup:
    keys = [column for column in answer.columns if column in frame.columns and not column.startswith("_")]
    values = [column for column in answer.columns if column not in keys]
    if task.problem == "multiclass":
        values = [label for label in task.classes if label in values]
    if len(keys) != 1 or len(values) != len(default):
        raise DataError(
            f"baseline {name!r} returned the columns {', '.join(answer.columns)}",
            where,
            f"return one column of the features, and {len(default)} of predictions",
        )
    rows = answer.drop_nulls(values)
    table = {key_of(row[0]): [float(value) for value in row[1:]] for row in rows.select(keys + values).iter_rows()}
    return Lookup(keys[0], default, table)
