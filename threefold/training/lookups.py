"""Categories as numbers: a table from text to a few values, and a default for what was never seen.

Every way of encoding a category (one-hot, target rate, code) is such a table, so the packaged model needs one kind
of node for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

SMOOTHING = 20.0  # a category's rate counts as if this many average rows had been added
MIN_ROWS = 10  # a rarer category is treated like one never seen
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Categories:
    """The known values of one column.

    Attributes:
        keys: the known categories; their position is their code. Everything else has the code len(keys).
    """

    keys: tuple[str, ...]

    def codes(self, values: pl.Series) -> np.ndarray:
        """Shape (n,), int64, 0 to len(keys)."""
        known = pl.Enum(list(self.keys)) if self.keys else None
        if known is None:
            return np.zeros(values.len(), dtype=np.int64)
        return values.cast(known, strict=False).to_physical().cast(pl.Int64).fill_null(len(self.keys)).to_numpy()


def frequent(values: pl.Series, at_most: int) -> Categories:
    """The categories that stand on enough rows to learn from, at most so many, most frequent first."""
    floor = min(MIN_ROWS, max(2, values.len() // 20))
    counts = values.to_frame("value").group_by("value").len().filter(pl.col("len") >= floor)
    counts = counts.sort(["len", "value"], descending=[True, False]).head(at_most)
    return Categories(tuple(counts["value"].to_list()))


def rates(codes: np.ndarray, size: int, outcome: np.ndarray) -> np.ndarray:
    """Smoothed mean outcome of each code: (sum + SMOOTHING * mean of all) / (rows + SMOOTHING).

    Args:
        codes: shape (n,), each below `size`.
        outcome: shape (n, d).
    Returns:
        Shape (size, d), float32. The last code is what was never seen: it gets the overall mean.
    """
    mean = outcome.mean(axis=0) if len(outcome) else np.zeros(outcome.shape[1])
    rows = np.bincount(codes, minlength=size)[:, None]
    sums = np.stack([np.bincount(codes, column, size) for column in outcome.T], axis=1)
    return np.asarray((sums + SMOOTHING * mean) / (rows + SMOOTHING), dtype=np.float32)


def held_out_rates(codes: np.ndarray, size: int, outcome: np.ndarray) -> np.ndarray:
    """For each row the rate of its category as the other four fifths of the rows tell it; shape (n, d), float32.

    A row that helped to make the rate it is trained on would teach the model to trust rare categories too much.
    Source: Micci-Barreca (2001), A Preprocessing Scheme for High-Cardinality Categorical Attributes.
    """
    result = np.empty((len(codes), outcome.shape[1]), dtype=np.float32)
    fold = np.arange(len(codes)) % FOLDS
    for number in range(FOLDS):
        out = fold == number
        result[out] = rates(codes[~out], size, outcome[~out])[codes[out]]
    return result


def outcomes(y: np.ndarray, classes: int) -> np.ndarray:
    """The target as columns whose means are meant: (n, 1), or one column of 0 and 1 per class for three or more."""
    if classes <= 2:
        return y.astype(np.float64)[:, None]
    return np.eye(classes)[y.astype(np.int64)]


def stacked(tables: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
    """Several tables under one another, and where each begins."""
    starts = np.cumsum([0, *[len(table) for table in tables]])[:-1]
    return np.concatenate(tables), [int(start) for start in starts]
