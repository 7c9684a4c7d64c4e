"""Bins that are frozen on the training data, and the counts of later rows in them.

If the edges followed the current window, yesterday's score and today's would be read off different rulers. What
training had none of keeps a bin of its own: missing values, numbers beyond the smallest and the largest, categories
that were never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

QUANTILES = 10
MIN_SHARE = 0.02  # a category that is rarer shares the bin "other": at 500 rows it would stand for fewer than ten
MAX_CATEGORIES = 20
MAX_RARE = 2_000  # rarer categories that are remembered by name; with more than that, a new one is nothing new
NULL, UNSEEN = 0, 1  # the first two bins of every column; for numbers, UNSEEN is "below the smallest"


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one column, with the counts of the training data.

    Numbers: missing, below the smallest, one bin between each two edges (right edge included), above the largest.
    Categories: missing, never seen, the rarer ones together, then one for each of `values`.
    Texts are counted by their length in characters, as numbers.
    """

    column: str
    kind: Literal["number", "category", "text"]
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()  # from the smallest to the largest value
    values: tuple[str, ...] = ()  # the frequent categories
    rare: tuple[str, ...] | None = ()  # None: too many to remember, so none counts as never seen

    @property
    def rows(self) -> int:
        """Rows of the training data."""
        return sum(self.counts)


def freeze(column: str, kind: Literal["number", "category", "text"], values: pl.Series) -> Bins:
    """Lay the bins of a column by its training values, and count these. An empty text is a missing value."""
    bins = _categories(column, values) if kind == "category" else _edges(column, kind, values)
    counts = tuple(int(number) for number in count(bins, values))
    return Bins(column, kind, counts, bins.edges, bins.values, bins.rare)


def count(bins: Bins, values: pl.Series) -> np.ndarray:
    """How many of some values fall into each bin; int64, shape (bins,)."""
    if bins.kind == "category":
        return _count_categories(bins, values)
    return _count_numbers(bins, _numbers(bins.kind, values))


def null_share(counts: np.ndarray) -> float:
    """Share of missing values; 0 where there is no row."""
    return float(counts[NULL] / max(counts.sum(), 1))


def unseen_share(bins: Bins, counts: np.ndarray) -> float:
    """Share of the values that training never saw: new categories, numbers beyond its limits."""
    new = counts[UNSEEN] if bins.kind == "category" else counts[UNSEEN] + counts[-1]
    return float(new / max(counts.sum(), 1))


# -------------------------------------------------------------------------------------------------------- numbers


def _edges(column: str, kind: Literal["number", "category", "text"], values: pl.Series) -> Bins:
    numbers = _numbers(kind, values)
    present = numbers[~np.isnan(numbers)]
    if not len(present):
        return Bins(column, kind, ())
    inner = np.unique(np.quantile(present, np.linspace(0, 1, QUANTILES + 1)[1:-1], method="inverted_cdf"))
    low, high = float(present.min()), float(present.max())
    return Bins(column, kind, (), (low, *(float(edge) for edge in inner if edge < high), high))


def _numbers(kind: str, values: pl.Series) -> np.ndarray:
    """Values as float64; missing, infinite and unreadable ones are NaN."""
    if kind == "text":
        values = _texts(values).str.len_chars()
    numbers = values.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _count_numbers(bins: Bins, numbers: np.ndarray) -> np.ndarray:
    missing = np.isnan(numbers)
    present = numbers[~missing]
    if not bins.edges:  # training had no value at all: whatever comes is beyond it
        return np.array([missing.sum(), 0, len(present)])
    inner = np.array(bins.edges[1:-1])
    place = np.searchsorted(inner, present, side="left") + 2
    place[present < bins.edges[0]] = UNSEEN
    place[present > bins.edges[-1]] = len(inner) + 3
    counts = np.bincount(place, minlength=len(inner) + 4)
    counts[NULL] = missing.sum()
    return counts


# ----------------------------------------------------------------------------------------------------- categories


def _categories(column: str, values: pl.Series) -> Bins:
    counts = _value_counts(values)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    least = MIN_SHARE * max(len(values), 1)
    kept = tuple(value for value in ranked[:MAX_CATEGORIES] if counts[value] >= least)
    rare = tuple(sorted(set(ranked) - set(kept)))
    return Bins(column, "category", (), values=kept, rare=rare if len(rare) <= MAX_RARE else None)


def _count_categories(bins: Bins, values: pl.Series) -> np.ndarray:
    places = {value: place for place, value in enumerate(bins.values, 3)}
    rare = None if bins.rare is None else set(bins.rare)
    result = np.zeros(len(bins.values) + 3, dtype=np.int64)
    result[NULL] = _texts(values).null_count()
    for value, number in _value_counts(values).items():
        place = places.get(value)
        if place is None:
            place = 2 if rare is None or value in rare else UNSEEN
        result[place] += number
    return result


def _value_counts(values: pl.Series) -> dict[Any, int]:
    table = _texts(values).drop_nulls().rename("value").value_counts()
    return dict(zip(table["value"].to_list(), table["count"].to_list(), strict=True))


def _texts(values: pl.Series) -> pl.Series:
    """Values as text; the log does not tell an empty text from a missing one."""
    texts = values.cast(pl.String)
    return texts.set(texts == "", None)
