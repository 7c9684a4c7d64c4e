"""Folds: which rows to learn from and which to judge on, in time where there is time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from threefold.records import TaskSpec

AT = "_at"


@dataclass(frozen=True, slots=True)
class Fold:
    """Row numbers of one split."""

    train: np.ndarray
    test: np.ndarray


def make_folds(frame: pl.DataFrame, y: np.ndarray, task: TaskSpec, count: int, seed: int) -> tuple[Fold, ...]:
    """Split training rows for cross-validation.

    With times: the rows are cut into count + 1 blocks of equal length, and each fold learns from all blocks before the
    one it is judged on; rows of one moment stay together. Without times, or when that leaves a fold nothing to learn:
    shuffled, each class spread evenly over the folds.

    Returns:
        At least one fold, each with two classes to learn from where the task has classes; no fold when the rows do not
        allow any.
    """
    count = max(1, min(count, len(y) // 4))
    folds = [fold for fold in _by_time(frame, count) if _usable(fold, y, task)]
    if not folds:
        folds = [fold for fold in _shuffled(y, task, max(2, count), seed) if _usable(fold, y, task)]
    return tuple(folds)


def _by_time(frame: pl.DataFrame, count: int) -> list[Fold]:
    if AT not in frame.columns or frame[AT].null_count() > 0 or frame[AT].n_unique() < 2 * (count + 1):
        return []
    moments = frame[AT].to_physical().to_numpy()
    order = np.argsort(moments, kind="stable")
    times = moments[order]
    borders = [int(np.searchsorted(times, times[len(order) * part // (count + 1)])) for part in range(1, count + 1)]
    ends = [*borders[1:], len(order)]
    return [Fold(order[:begin], order[begin:end]) for begin, end in zip(borders, ends, strict=True) if 0 < begin < end]


def _shuffled(y: np.ndarray, task: TaskSpec, count: int, seed: int) -> list[Fold]:
    order = np.random.default_rng(seed).permutation(len(y))
    if task.problem != "regression":
        order = order[np.argsort(y[order], kind="stable")]  # class by class, so that each fold gets its share of each
    part = np.empty(len(y), dtype=np.int64)
    part[order] = np.arange(len(y)) % count
    return [Fold(np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(count)]


def _usable(fold: Fold, y: np.ndarray, task: TaskSpec) -> bool:
    if len(fold.train) < 2 or len(fold.test) == 0:
        return False
    return task.problem == "regression" or len(np.unique(y[fold.train])) >= 2
