"""Bins: fixed on the training data, so that today's window and yesterday's are read off the same ruler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

Kind = Literal["number", "category", "text"]

BINS = 20
MAX_VALUES = 1000  # categories remembered; the rarest beyond it cannot be told from ones never seen
EXPECTED_ROWS = 20  # that a bin must have in the smaller window; thinner ones are merged
NULLS, UNSEEN = 0, 1  # the first two places of every count


@dataclass(frozen=True, slots=True)
class Column:
    """What one column looked like in training.

    Attributes:
        kind: number; category; text, of which the length in letters is looked at.
        edges: numbers: upper ends of the bins, ascending; the last one is the largest value seen.
        low: numbers: the smallest value seen.
        values: categories, most frequent first.
        counts: rows per bin: nulls; unseen (outside the range, or rarer than the remembered categories); then the
            bins of `edges` or `values`.
        importance: share of the variation of the score that the bins of this column explain, 0 to 1.
        middle: numbers: the median.
    """

    name: str
    kind: Kind
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    low: float = 0.0
    values: tuple[str, ...] = ()
    importance: float = 0.0
    middle: float | None = None


def learn(name: str, kind: Kind, values: pl.Series) -> Column:
    """The bins of a column: about 20 quantiles, or its categories."""
    if kind == "category":
        ranked = _ranked(values)
        bare = Column(name, kind, (), values=tuple(ranked["value"].to_list()))
    else:
        numbers = _numbers(values, kind)
        present = numbers[~np.isnan(numbers)]
        if not len(present):
            return Column(name, kind, (values.len(), 0))
        # Edges are values that occur, so a value that stands on a third of the rows becomes a bin of its own.
        edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:], method="inverted_cdf"))
        bare = Column(name, kind, (), tuple(map(float, edges)), float(present.min()), middle=float(np.median(present)))
    counted = np.bincount(place(bare, values), minlength=width(bare))
    return Column(
        name, kind, tuple(int(count) for count in counted), bare.edges, bare.low, bare.values, middle=bare.middle
    )


def place(column: Column, values: pl.Series) -> np.ndarray:
    """The bin of each value, shape (n,): 0 null, 1 unseen, then the bins."""
    if column.kind == "category":
        text = values.cast(pl.String)
        known = text.cast(pl.Enum(list(column.values)), strict=False) if column.values else None
        codes = np.full(values.len(), UNSEEN) if known is None else _codes(known)
        return np.where(text.is_null().to_numpy(), NULLS, codes)
    numbers = _numbers(values, column.kind)
    if not column.edges:
        return np.where(np.isnan(numbers), NULLS, UNSEEN)
    bins = np.searchsorted(np.array(column.edges), numbers, side="left") + 2
    outside = (numbers < column.low) | (numbers > column.edges[-1])
    return np.where(np.isnan(numbers), NULLS, np.where(outside, UNSEEN, bins))


def count(column: Column, values: pl.Series) -> np.ndarray:
    """Rows per bin of a window, in the order of `column.counts`."""
    return np.bincount(place(column, values), minlength=width(column))


def width(column: Column) -> int:
    """How many bins, nulls and unseen among them."""
    return 2 + (len(column.values) if column.kind == "category" else len(column.edges))


def merged(column: Column, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of training and window over bins thick enough to compare.

    Neighbouring bins of numbers, and the rarest categories, are added up until training promises 20 rows in the
    smaller of the two. Nulls and unseen values stay bins of their own; bins empty on both sides are dropped.
    """
    reference = np.array(column.counts)
    total = reference.sum()
    expected = reference[2:] * (min(current.sum(), total) / max(total, 1))
    groups = np.concatenate([[NULLS, UNSEEN], 2 + _groups(expected)]).astype(int)
    before, after = np.bincount(groups, reference), np.bincount(groups, current)
    kept = (before + after) > 0
    return before[kept], after[kept]


def _groups(expected: np.ndarray) -> np.ndarray:
    """The number of the group of each bin; a group is closed as soon as it expects enough rows."""
    numbers = np.zeros(len(expected), dtype=int)
    group, held = 0, 0.0
    for position, rows in enumerate(expected):
        numbers[position] = group
        held += rows
        if held >= EXPECTED_ROWS:
            group, held = group + 1, 0.0
    if held and group:  # the rest is too thin to stand alone
        numbers[numbers == group] = group - 1
    return numbers


def _ranked(values: pl.Series) -> pl.DataFrame:
    counted = values.cast(pl.String).drop_nulls().to_frame("value").group_by("value").len()
    return counted.sort(["len", "value"], descending=[True, False]).head(MAX_VALUES)


def _codes(known: pl.Series) -> np.ndarray:
    return known.to_physical().cast(pl.Int64).fill_null(UNSEEN - 2).to_numpy() + 2


def _numbers(values: pl.Series, kind: str) -> np.ndarray:
    if kind == "text":
        values = values.cast(pl.String).str.len_chars()
    elif not values.dtype.is_numeric():
        values = values.cast(pl.Float64, strict=False)
    return values.to_numpy().astype(np.float64)  # null becomes NaN; half the time of doing it in Polars
