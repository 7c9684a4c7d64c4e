"""Columns of a frame as arrays: the one way in which every candidate reads its inputs.

The packaged model reads the same values: a missing number is NaN, a missing category or text is "".
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from threefold.errors import DataError
from threefold.records import FeatureSpec


def numbers(frame: pl.DataFrame, name: str) -> np.ndarray:
    """One number column: float32, shape (n,), NaN where nothing or no finite value stands."""
    values = frame[name].cast(pl.Float32, strict=False).fill_null(float("nan")).to_numpy()
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.float32("nan"))


def texts(frame: pl.DataFrame, name: str) -> pl.Series:
    """One category or text column: strings without nulls."""
    return frame[name].cast(pl.String).fill_null("")


def require(frame: pl.DataFrame, features: Iterable[FeatureSpec]) -> None:
    """Raise DataError unless every feature is a column of the frame."""
    missing = [feature.name for feature in features if feature.name not in frame.columns]
    if missing:
        raise DataError(
            f"the frame lacks {', '.join(missing)}",
            "input of the model",
            f"it has: {', '.join(frame.columns) or 'no column'}",
        )


def of_kind(features: Iterable[FeatureSpec], kind: str) -> tuple[str, ...]:
    """The names of the features of one kind, in order."""
    return tuple(feature.name for feature in features if feature.kind == kind)


def canonical(frame: pl.DataFrame, features: Iterable[FeatureSpec]) -> pl.DataFrame:
    """The features alone, as every estimator gets them, in training and behind a server.

    Numbers are Float32, categories and texts String; null stands for every kind of "no value": NaN, infinity, "".
    """
    wanted = []
    for feature in features:
        column = pl.col(feature.name)
        if feature.kind == "number":
            number = column.cast(pl.Float32, strict=False)
            wanted.append(pl.when(number.is_finite()).then(number).alias(feature.name))
        else:
            text = column.cast(pl.String)
            wanted.append(pl.when(text != "").then(text).alias(feature.name))
    return frame.select(wanted)
