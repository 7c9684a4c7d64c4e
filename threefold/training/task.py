"""What is predicted from what: the task, and the target as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from threefold.design.canvas import Prediction, Value
from threefold.errors import DataError
from threefold.records import FeatureSpec, Problem, TaskSpec
from threefold.training.spelling import label_codes, same_label

TARGET = "_target"
MAX_CLASSES = 100  # more labels than this is an identifier or a text, not a class
FEW_VALUES = 10  # whole numbers with at most this many different values are taken for classes
YES = ("true", "1", "yes", "y", "t")


def infer_task(frame: pl.DataFrame, prediction: Prediction, features: Sequence[FeatureSpec], value: Value) -> TaskSpec:
    """What kind of problem a training frame poses.

    Two labels are binary; more labels, or whole numbers with at most 10 different values, each standing on 5 rows on
    average, are classes; other numbers are a regression. What the canvas says goes first.

    Args:
        frame: holds `_target`; rows without it are ignored.
        features: the inputs of the model.
        value: gives the cost of mistakes and its currency.
    Raises:
        DataError: there is no target, no feature, or only one label; or the canvas asks for a problem that the values
            do not fit.
    """
    target = _present(frame, prediction.target)
    if not features:
        raise DataError(
            "there is no feature to learn from",
            f"table {prediction.table}",
            "give the table more columns than the target",
        )
    problem = prediction.problem or _guess(target)
    classes, positive = _labels(target, problem, prediction)
    return TaskSpec(
        problem, prediction.target, tuple(features), classes, positive, dict(value.mistakes), value.currency
    )


def encode_target(frame: pl.DataFrame, task: TaskSpec) -> np.ndarray:
    """The target as numbers, shape (n,): 0.0 or 1.0, class numbers (int64), or values (float64).

    Raises:
        DataError: a row has no target, or a label that the task does not know.
    """
    if TARGET not in frame.columns:
        raise DataError("the frame has no target", f"column {task.target}", "build it with its target")
    values = encode_labels(frame[TARGET], task)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DataError(
            f"row {row} has the target {frame[TARGET][row]!r}, which is not {_expected(task)}",
            f"column {task.target}",
            "mend the value, or clean such rows away in data.py",
        )
    return values.astype(np.int64) if task.problem == "multiclass" else values


def encode_labels(values: pl.Series | Iterable[Any], task: TaskSpec) -> np.ndarray:
    """Labels as they come from anywhere (a table, a JSON answer, a log) as numbers; float64, shape (n,).

    Truth and text forms are read alike: True, "true", "True", 1 and "1" mean the same label where the task has only one
    of them. What cannot be read is NaN.
    """
    series = values if isinstance(values, pl.Series) else pl.Series(list(values), dtype=pl.Object)
    if task.problem == "regression":
        if series.dtype == pl.Object:
            return np.array([_number(value) for value in series.to_list()], dtype=np.float64)
        return series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    codes = label_codes(task.classes)
    found = (float("nan") if text is None else codes.get(text, float("nan")) for text in label_texts(series))
    return np.array(list(found), dtype=np.float64)


def label_texts(values: pl.Series) -> list[str | None]:
    """Labels as text, one spelling each: true and false in small letters, whole numbers without ".0"."""
    return [None if value is None else _text(value) for value in values.to_list()]


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _present(frame: pl.DataFrame, target: str) -> pl.Series:
    if TARGET not in frame.columns:
        raise DataError("the frame has no target", f"column {target}", "check `target` under `predict` in the canvas")
    values = frame[TARGET].drop_nulls()
    if values.dtype.is_float():
        values = values.filter(values.is_finite())
    if values.len() == 0:
        raise DataError("no row has a target", f"column {target}", "add rows whose outcome is known")
    return values


def _guess(target: pl.Series) -> Problem:
    unique = target.n_unique()
    if target.dtype == pl.Boolean:
        return "binary"
    if not target.dtype.is_numeric():
        return "binary" if unique <= 2 else "multiclass"
    if unique <= 2 and set(label_texts(target.unique())) <= {"0", "1"}:
        return "binary"
    whole = target.dtype.is_integer() or bool((target.round() == target).all())
    if whole and unique <= FEW_VALUES and target.len() >= 5 * unique:
        return "binary" if unique == 2 else "multiclass"
    return "regression"


def _labels(target: pl.Series, problem: Problem, prediction: Prediction) -> tuple[tuple[str, ...], str | None]:
    where = f"column {prediction.target}"
    if problem == "regression":
        if not (target.dtype.is_numeric() or target.dtype == pl.Boolean):
            raise DataError("a regression needs numbers, and the target is text", where, "set `problem: multiclass`")
        return (), None
    counts = _counts(target)
    if len(counts) < 2:
        only = next(iter(counts))
        raise DataError(
            f"every row has the target {only!r}, so there is nothing to tell apart",
            where,
            "add rows with another outcome",
        )
    if problem == "binary":
        return _two(counts, prediction.positive, where, numbers=target.dtype.is_numeric())
    if len(counts) > MAX_CLASSES:
        raise DataError(
            f"the target has {len(counts)} labels; at most {MAX_CLASSES} can be told apart",
            where,
            "group the rare ones in data.py, or check that this column is the target",
        )
    return tuple(sorted(counts, key=_order)), None


def _two(counts: dict[str, int], positive: str | None, where: str, *, numbers: bool) -> tuple[tuple[str, ...], str]:
    if len(counts) > 2:
        problem = "regression" if numbers and len(counts) > FEW_VALUES else "multiclass"
        raise DataError(
            f"a binary target has two labels, this one has {len(counts)}", where,
            f"set `problem: {problem}` under `predict` in the canvas",
        )  # fmt: skip
    if positive is None:
        said = [label for label in counts if label.lower() in YES]
        rarer = min(sorted(counts, key=_order), key=lambda label: counts[label])
        positive = said[0] if len(said) == 1 else rarer
    wanted = next((label for label in counts if label == positive or positive in same_label(label)), None)
    if wanted is None:
        raise DataError(
            f"the positive label {positive!r} does not occur", where, f"the labels are: {', '.join(sorted(counts))}"
        )
    negative = next(label for label in counts if label != wanted)
    return (negative, wanted), wanted


def _counts(target: pl.Series) -> dict[str, int]:
    table = target.value_counts(sort=False)
    counts: dict[str, int] = {}
    for text, count in zip(label_texts(table[target.name]), table["count"].to_list(), strict=True):
        if text is not None:
            counts[text] = counts.get(text, 0) + int(count)
    return counts


def _order(label: str) -> tuple[int, float, str]:
    number = _number(label)
    return (0, number, label) if np.isfinite(number) else (1, 0.0, label)


def _expected(task: TaskSpec) -> str:
    return "a number" if task.problem == "regression" else f"one of {', '.join(task.classes)}"
