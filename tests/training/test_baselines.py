from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from threefold.errors import DataError, NotFound, StepFailed
from threefold.records import from_json, to_json
from threefold.training.baselines import Lookup, fit_baseline


def test_the_prior_is_the_same_for_every_row(frames, tasks):
    frame = frames()
    lookup = fit_baseline("prior", frame, tasks(frame))
    assert lookup.score(frame) == pytest.approx(np.full(frame.height, frame["_target"].mean()))


def test_a_rate_by_column_is_smoothed_towards_the_mean(frames, tasks):
    frame = frames()
    lookup = fit_baseline("rate by carrier", frame, tasks(frame))
    united = frame.filter(pl.col("carrier") == "UA")["_target"]
    mean = frame["_target"].mean()
    assert lookup.table["UA"][0] == pytest.approx((united.sum() + 20 * mean) / (united.len() + 20))
    assert lookup.of("never seen") == [pytest.approx(mean)]


def test_a_rate_by_a_number_column_reads_numbers_however_they_come(frames, tasks):
    frame = frames()
    lookup = fit_baseline("rate by year", frame, tasks(frame))
    assert lookup.of(2000.0) == lookup.of(2000) == lookup.table["2000"]
    columns = {"year": frame["year"].to_numpy().reshape(-1, 1)}
    assert (lookup.score_columns(columns, frame.height) == lookup.score(frame)).all()
    assert (lookup.score_columns({}, 2) == lookup.default[0]).all()


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_baselines_fit_every_kind_of_problem(problem, frames, tasks):
    frame = frames(problem=problem)
    scores = fit_baseline("rate by carrier", frame, tasks(frame, problem)).score(frame)
    assert scores.shape == ((frame.height, 3) if problem == "multiclass" else (frame.height,))
    assert problem == "regression" or np.allclose(scores.sum(axis=1), 1)


def test_a_lookup_survives_json(frames, tasks):
    frame = frames()
    lookup = fit_baseline("rate by carrier", frame, tasks(frame))
    assert from_json(to_json(lookup), Lookup) == lookup


def heuristic(training: pl.DataFrame) -> pl.DataFrame:
    return training.group_by("carrier").agg(pl.col("_target").mean().alias("rate"))


def test_a_function_of_the_project_is_a_baseline(frames, tasks):
    frame = frames()
    lookup = fit_baseline("heuristic", frame, tasks(frame), {"heuristic": heuristic})
    assert lookup.by == "carrier"
    assert lookup.table["UA"][0] == pytest.approx(frame.filter(pl.col("carrier") == "UA")["_target"].mean())


def test_a_baseline_that_does_not_fit_is_refused_with_a_reason(frames, tasks):
    frame = frames()
    task = tasks(frame)
    with pytest.raises(NotFound, match="did you mean 'heuristic'"):
        fit_baseline("heuristik", frame, task, {"heuristic": heuristic})
    with pytest.raises(NotFound, match="did you mean 'carrier'"):
        fit_baseline("rate by carier", frame, task)
    with pytest.raises(DataError, match="returned an int"):
        fit_baseline("three", frame, task, {"three": lambda training: 3})
    with pytest.raises(DataError, match="one column of the features, and 1 of predictions"):
        fit_baseline("all", frame, task, {"all": lambda training: training})
    with pytest.raises(StepFailed, match="ZeroDivisionError"):
        fit_baseline("bad", frame, task, {"bad": lambda training: 1 / 0})
