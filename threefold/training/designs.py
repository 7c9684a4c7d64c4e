"""Frames as matrices: one design for linear models, one for trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse  # type: ignore[import-untyped]  # it ships no types

from threefold.records import TaskSpec
from threefold.training import columns, lookups, words
from threefold.training.lookups import Categories
from threefold.training.words import Vocabulary

CLIP = 5.0  # standard deviations: a value far outside of the training data must not carry a linear model away
TOP_CATEGORIES = 60
LINEAR_WORDS = 3_000
TREE_CATEGORIES = 10_000
TREE_WORDS = 60
SMALL = 500_000  # cells up to which a matrix is kept in double precision; beyond, single is twice as quick


@dataclass(frozen=True, slots=True)
class LinearDesign:
    """Numbers imputed and standardised, a sign for each missing one, categories one-hot, texts as weighed words.

    Attributes:
        middle: shape (f,), median of each number; stands in for a missing one.
        mean, scale: shape (f,), of the numbers after that; scale is 1 for a constant one.
        marked: which numbers get a column that says "was missing", by position.
        categories: per category column its frequent values; the last one-hot column is "any other".
    """

    numbers: tuple[str, ...]
    middle: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    marked: tuple[int, ...]
    categories: dict[str, Categories]
    vocabularies: dict[str, Vocabulary]

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of each block: numbers, signs, then each category column, then each text column."""
        return (
            len(self.numbers),
            len(self.marked),
            *(len(known.keys) + 1 for known in self.categories.values()),
            *(vocabulary.size for vocabulary in self.vocabularies.values()),
        )

    def matrix(self, frame: pl.DataFrame) -> Any:
        """Shape (n, sum of widths); sparse as soon as there is text."""
        dense = self._dense(frame)
        if not self.vocabularies:
            return dense
        weighed = [vocabulary.weighed(columns.texts(frame, name)) for name, vocabulary in self.vocabularies.items()]
        return sparse.hstack([sparse.csr_matrix(dense), *weighed]).tocsr()

    def _dense(self, frame: pl.DataFrame) -> np.ndarray:
        width = sum(self.widths[: 2 + len(self.categories)])
        cells = frame.height * width
        whole = np.zeros((frame.height, width), dtype=np.float64 if cells <= SMALL else np.float32)
        for place, name in enumerate(self.numbers):
            raw = columns.numbers(frame, name).astype(np.float64)
            missing = np.isnan(raw)
            scaled = (np.where(missing, self.middle[place], raw) - self.mean[place]) / self.scale[place]
            whole[:, place] = np.clip(scaled, -CLIP, CLIP)
            if place in self.marked:
                whole[:, len(self.numbers) + self.marked.index(place)] = missing
        begin, rows = len(self.numbers) + len(self.marked), np.arange(frame.height)
        for name, known in self.categories.items():
            whole[rows, begin + known.codes(columns.texts(frame, name))] = 1.0
            begin += len(known.keys) + 1
        return whole


def linear_design(frame: pl.DataFrame, task: TaskSpec) -> LinearDesign:
    """Learn the design of a linear model from training rows."""
    names = columns.of_kind(task.features, "number")
    raw = [columns.numbers(frame, name).astype(np.float64) for name in names]
    middle = np.array([_median(values) for values in raw])
    filled = [np.where(np.isnan(values), centre, values) for values, centre in zip(raw, middle, strict=True)]
    deviation = np.array([values.std() for values in filled])
    return LinearDesign(
        numbers=names,
        middle=middle,
        mean=np.array([values.mean() for values in filled]),
        scale=np.where(deviation > 1e-9 * (1 + np.abs(middle)), deviation, 1.0),
        marked=tuple(place for place, values in enumerate(raw) if np.isnan(values).any()),
        categories={
            name: lookups.frequent(columns.texts(frame, name), TOP_CATEGORIES)
            for name in columns.of_kind(task.features, "category")
        },
        vocabularies={
            name: words.learn(columns.texts(frame, name), LINEAR_WORDS)
            for name in columns.of_kind(task.features, "text")
        },
    )


@dataclass(frozen=True, slots=True)
class TreeDesign:
    """Numbers as they are, with NaN for a missing one; categories as the rate of the outcome; texts as words present.

    Attributes:
        tables: per category column the rates of its known values and, last, of any other; shape (c + 1, d).
    """

    numbers: tuple[str, ...]
    categories: dict[str, Categories]
    tables: dict[str, np.ndarray]
    vocabularies: dict[str, Vocabulary]

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        rates = sum(int(table.shape[1]) for table in self.tables.values())
        return len(self.numbers) + rates + sum(vocabulary.size for vocabulary in self.vocabularies.values())

    def matrix(self, frame: pl.DataFrame, outcome: np.ndarray | None = None) -> np.ndarray:
        """Shape (n, width), float32; one column of zeros where there is nothing to learn from.

        Args:
            outcome: shape (n, d), for the training rows only: their rates are then those told by the other rows.
        """
        blocks = [columns.numbers(frame, name)[:, None] for name in self.numbers]
        for name, known in self.categories.items():
            codes, table = known.codes(columns.texts(frame, name)), self.tables[name]
            blocks.append(table[codes] if outcome is None else lookups.held_out_rates(codes, len(table), outcome))
        for name, vocabulary in self.vocabularies.items():
            blocks.append(vocabulary.present(columns.texts(frame, name)).toarray().astype(np.float32))
        return np.hstack(blocks) if self.width else np.zeros((frame.height, 1), dtype=np.float32)


def tree_design(frame: pl.DataFrame, task: TaskSpec, outcome: np.ndarray) -> TreeDesign:
    """Learn the design of a model of trees from training rows and their outcome, shape (n, d)."""
    categories = {
        name: lookups.frequent(columns.texts(frame, name), TREE_CATEGORIES)
        for name in columns.of_kind(task.features, "category")
    }
    tables = {
        name: lookups.rates(known.codes(columns.texts(frame, name)), len(known.keys) + 1, outcome)
        for name, known in categories.items()
    }
    vocabularies = {
        name: words.learn(columns.texts(frame, name), TREE_WORDS, outcome)
        for name in columns.of_kind(task.features, "text")
    }
    # A column without any value breaks the binning of HistGradientBoosting, and tells nothing.
    numbers = columns.of_kind(task.features, "number")
    told = tuple(name for name in numbers if not np.isnan(columns.numbers(frame, name)).all())
    return TreeDesign(told, categories, tables, vocabularies)


def _median(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else 0.0
