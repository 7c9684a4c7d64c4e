from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from threefold.records import FeatureSpec, TaskSpec
from threefold.training.folds import make_folds

BINARY = TaskSpec("binary", "y", (FeatureSpec("x", "number", "rows"),), ("no", "yes"), "yes")


def timed(hours: list[int]) -> pl.DataFrame:
    return pl.DataFrame({"_at": [datetime(2013, 1, 1) + timedelta(hours=hour) for hour in hours]})


def test_with_times_every_fold_learns_from_the_past_alone():
    rng = np.random.default_rng(1)
    frame = timed(rng.permutation(100).tolist())
    y = rng.integers(0, 2, 100).astype(float)
    folds = make_folds(frame, y, BINARY, 3, 7)
    times = frame["_at"].to_numpy()
    assert [len(fold.train) for fold in folds] == [25, 50, 75]
    assert all(times[fold.train].max() < times[fold.test].min() for fold in folds)


def test_rows_of_one_moment_stay_together():
    frame = timed([hour // 3 for hour in range(100)])
    for fold in make_folds(frame, np.arange(100) % 2.0, BINARY, 3, 7):
        times = frame["_at"].to_numpy()
        assert not set(times[fold.train]) & set(times[fold.test])


def test_without_times_every_row_is_judged_once_and_classes_are_spread():
    y = np.array([1.0] * 9 + [0.0] * 91)
    folds = make_folds(pl.DataFrame({"x": range(100)}), y, BINARY, 3, 7)
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(100))
    assert [int(y[fold.test].sum()) for fold in folds] == [3, 3, 3]


def test_a_past_with_one_class_only_falls_back_to_shuffling():
    y = np.array([0.0] * 98 + [1.0] * 2)
    folds = make_folds(timed(list(range(100))), y, BINARY, 3, 7)
    assert folds
    assert all(len(np.unique(y[fold.train])) == 2 for fold in folds)
