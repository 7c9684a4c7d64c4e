"""Checks on the way in and on the way out: the contract of the inputs, and what a sane score is.

A check that fails is named as it stands in the log: "input:range:temp", "output:not finite". An input check flags the
row and the model still answers; a row whose output check fails is answered by the fallback.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from operator import le

import numpy as np

from threefold.records import ColumnRule, Contract, TaskSpec
from threefold.serving.journal import Columns

TOLERANCE = 1e-6  # probabilities are float32 inside: 1.0000001 is 1
SUM_TOLERANCE = 1e-3


class InputChecks:
    """The contract of the model's input, compiled to a few comparisons over all rows at once.

    A rule flags single rows: a number outside the limits seen in training; a missing value or a new category where the
    training data had none. Where they had some, single ones are normal, and their share is the monitor's business.
    """

    def __init__(self, contract: Contract, columns: Columns) -> None:
        rules = {rule.name: rule for rule in contract.rules}
        self._names = columns.numbers
        numbers = [rules.get(name) for name in columns.numbers]
        self._low = _limits(numbers, "minimum", -np.inf)
        self._high = _limits(numbers, "maximum", np.inf)
        self._lows, self._highs = self._low.ravel().tolist(), self._high.ravel().tolist()
        self._full = np.array([rule is not None and rule.max_null_share == 0 for rule in numbers], dtype=bool)[:, None]
        self._texts = tuple(
            (index, name, _allowed(rules.get(name)), _never_empty(rules.get(name)))
            for index, name in enumerate(columns.texts)
        )

    def flags(self, numbers: np.ndarray, texts: Sequence[Sequence[str]]) -> list[list[str]] | None:
        """The checks that failed, for each row; None where all rows passed.

        Args:
            numbers: shape (number features, rows), float32; NaN is a missing value.
            texts: per text feature the values; "" is a missing value.
        """
        failed: list[tuple[int, str]] = []
        if not self._within(numbers):
            failed += self._number_flags(numbers)
        for index, name, allowed, full in self._texts:
            failed += _text_flags(texts[index], name, allowed, full)
        return by_row(failed, numbers.shape[1]) if failed else None

    def _within(self, numbers: np.ndarray) -> bool:
        """Whether every number stands within its limits; NaN does not."""
        if numbers.shape[1] == 1:  # one row: plain numbers are quicker than four passes over an array
            row = numbers.ravel().tolist()
            return all(map(le, self._lows, row)) and all(map(le, row, self._highs))
        within = (numbers >= self._low) & (numbers <= self._high)
        return bool(np.logical_and.reduce(within, axis=None))

    def _number_flags(self, numbers: np.ndarray) -> list[tuple[int, str]]:
        failed: list[tuple[int, str]] = []
        outside = (numbers < self._low) | (numbers > self._high)  # false for NaN
        if outside.any():
            failed += [(row, f"input:range:{self._names[index]}") for index, row in np.argwhere(outside).tolist()]
        empty = np.isnan(numbers) & self._full
        if empty.any():
            failed += [(row, f"input:null:{self._names[index]}") for index, row in np.argwhere(empty).tolist()]
        return failed


class OutputChecks:
    """What every score must be: finite; a probability where the task is to tell classes apart."""

    def __init__(self, task: TaskSpec) -> None:
        self._probability = task.problem != "regression"
        self._classes = len(task.classes) if task.problem == "multiclass" else 1

    def shaped(self, scores: np.ndarray, rows: int) -> np.ndarray:
        """Scores as (rows, k), float64. Raises ValueError where the model answered in another shape."""
        return np.asarray(scores, dtype=np.float64).reshape(rows, self._classes)

    def flags(self, scores: np.ndarray) -> dict[int, str]:
        """Row -> the check it failed; empty where all rows passed. `scores` has the shape (rows, k)."""
        if scores.size == 1:  # one row: plain numbers are quicker than arrays of one
            low = high = scores.item()
        else:
            low, high = float(scores.min()), float(scores.max())  # NaN where there is one
        if self._probability:
            sound = low >= -TOLERANCE and high <= 1 + TOLERANCE
            if sound and (self._classes == 1 or np.abs(scores.sum(axis=1) - 1).max() <= SUM_TOLERANCE):
                return {}
        elif isfinite(low) and isfinite(high):
            return {}
        return self._failed(scores)

    def _failed(self, scores: np.ndarray) -> dict[int, str]:
        found: dict[int, str] = {}
        for row, values in enumerate(scores):
            if not np.isfinite(values).all():
                found[row] = "output:not finite"
            elif self._probability and (values.min() < -TOLERANCE or values.max() > 1 + TOLERANCE):
                found[row] = "output:range"
            elif self._probability and self._classes > 1 and abs(values.sum() - 1) > SUM_TOLERANCE:
                found[row] = "output:sum"
        return found


def by_row(failed: Sequence[tuple[int, str]], rows: int) -> list[list[str]]:
    """Pairs of row and check as one list of checks for each row."""
    result: list[list[str]] = [[] for _ in range(rows)]
    for row, check in failed:
        result[row].append(check)
    return result


def _limits(rules: Sequence[ColumnRule | None], side: str, free: float) -> np.ndarray:
    values = [getattr(rule, side) if rule is not None else None for rule in rules]
    return np.array([free if value is None else value for value in values], dtype=np.float32)[:, None]


def _allowed(rule: ColumnRule | None) -> frozenset[str] | None:
    """The categories a row may hold; None: any, as training met new ones all the time."""
    if rule is None or rule.values is None or rule.max_unseen_share > 0:
        return None
    return frozenset(rule.values)


def _never_empty(rule: ColumnRule | None) -> bool:
    return rule is not None and rule.max_null_share == 0


def _text_flags(values: Sequence[str], name: str, allowed: frozenset[str] | None, full: bool) -> list[tuple[int, str]]:
    failed = []
    for row, value in enumerate(values):
        if not value:
            if full:
                failed.append((row, f"input:null:{name}"))
        elif allowed is not None and value not in allowed:
            failed.append((row, f"input:values:{name}"))
    return failed
