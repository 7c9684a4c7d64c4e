from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from threefold.monitoring import backtest, bins
from threefold.monitoring.backtest import GAP, Scale

SCALES = (
    Scale(1.0, 80, {"roc_auc": 0.70}, {"roc_auc": 0.06}, {"weekday": 0.85}),
    Scale(7.0, 12, {"roc_auc": 0.74}, {"roc_auc": 0.03}, {"weekday": 0.02}),
)


def test_the_scale_is_the_longest_that_fits_into_the_window():
    assert [backtest.fitting(SCALES, days).days for days in (0.5, 1, 3, 7, 30)] == [1.0, 1.0, 1.0, 7.0, 7.0]
    assert backtest.fitting((), 1) is None


def test_a_longer_window_varies_less():
    assert backtest.spread(SCALES, "roc_auc", 1) == 0.06
    assert backtest.spread(SCALES, "roc_auc", 28) == pytest.approx(0.015)
    assert backtest.spread(SCALES, "rmse", 1) == 0


def test_a_day_is_promised_less_than_a_week():
    assert backtest.shift(SCALES, "roc_auc", 1) == pytest.approx(0.04)
    assert backtest.shift(SCALES, "roc_auc", 7) == 0
    assert backtest.shift((), "roc_auc", 1) == 0


def test_days_of_one_weekday_are_usual_and_weeks_of_one_are_not(training, task):
    frame, scores = training
    frame = frame.with_columns(weekday=pl.col("_at").dt.weekday().cast(pl.Float32))
    column = bins.learn("weekday", "number", frame["weekday"])
    y = frame["_target"].to_numpy().astype(float)
    found = {one.days: one for one in backtest.scales([column], frame, frame["_at"], y, scores, task)}
    assert found[1.0].windows == 60
    assert found[1.0].drift["weekday"] > 0.7
    assert found[7.0].windows == 8
    assert found[7.0].drift["weekday"] < 0.1


def test_the_spread_is_that_of_single_windows(training, task):
    frame, scores = training
    y = frame["_target"].to_numpy().astype(float)
    day = backtest.scales([], frame, frame["_at"], y, scores, task)[0]
    gaps = [(scores[i : i + 100] - y[i : i + 100]).mean() for i in range(0, 6_000, 100)]
    assert day.spread[GAP] == pytest.approx(np.std(gaps, ddof=1), abs=1e-6)


def test_without_time_or_with_few_days_there_is_nothing_to_learn(training, task):
    frame, scores = training
    y = frame["_target"].to_numpy().astype(float)
    nowhere = pl.Series([None] * frame.height, dtype=pl.Datetime)
    assert backtest.scales([], frame, nowhere, y, scores, task) == ()
    few = frame.head(500)
    assert backtest.scales([], few, few["_at"], y[:500], scores[:500], task) == ()


def test_the_ends_of_training_that_are_cut_off_do_not_count(task):
    moments = pl.Series([datetime(2013, 1, 3) + timedelta(minutes=10 * step) for step in range(144 * 75)])  # a Thursday
    scores = np.full(moments.len(), 0.5)
    week = backtest.scales([], pl.DataFrame({"_at": moments}), moments, scores.round(), scores, task)[-1]
    assert (week.days, week.windows) == (7.0, 11)  # 75 days are ten weeks and five days
