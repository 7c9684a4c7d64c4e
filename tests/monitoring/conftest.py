from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from threefold.records import Drift, FeatureSpec, TaskSpec, WindowReport

START = datetime(2013, 1, 7)  # a Monday
TASK = TaskSpec(
    "binary",
    "late",
    (FeatureSpec("temp", "number", "v"), FeatureSpec("carrier", "category", "v"), FeatureSpec("note", "text", "v")),
    ("false", "true"),
    "true",
)


@pytest.fixture
def task():
    return TASK


def training_set(rows=6_000, days=60, seed=7):
    """Rows of sixty days, with the scores of a model that keeps its promises; the days differ in temperature."""
    rng = np.random.default_rng(seed)
    day = np.arange(rows) * days // rows
    weather = rng.normal(0, 5, days)[day]
    scores = rng.beta(1.2, 3.6, rows)
    frame = pl.DataFrame(
        {
            "_at": [START + timedelta(seconds=int(second)) for second in np.arange(rows) * days * 86_400 // rows],
            "temp": pl.Series(rng.normal(0, 3, rows) + weather, dtype=pl.Float32),
            "carrier": rng.choice(["AA", "UA", "DL", None], rows, p=[0.5, 0.3, 0.15, 0.05]).tolist(),
            "note": rng.choice(["short", "a long note of many words"], rows).tolist(),
            "_target": rng.random(rows) < scores,
        },
        schema_overrides={"carrier": pl.String},
    )
    return frame, scores


@pytest.fixture(scope="session")
def training():
    """Frame and scores of training."""
    return training_set()


def window_report(day=0, *, rows=900, labelled=None, version=1, days=1, drift=(), checks=None, **metrics):
    """The report of one window; metrics by name, with "_" for a space where the name has two underscores."""
    start = START + timedelta(days=day)
    return WindowReport(
        endpoint="demo", start=start.isoformat(), end=(start + timedelta(days=days)).isoformat(), rows=rows,
        labelled=rows if labelled is None else labelled, versions={str(version): rows} if version else {},
        drift=tuple(drift), metrics={name.replace("__", " "): value for name, value in metrics.items()},
        checks=checks or {}, latency_ms={},
    )  # fmt: skip


@pytest.fixture
def report():
    return window_report


@pytest.fixture
def gap():
    """A report whose mean prediction misses the share that came true by `size`."""

    def make(day, size, *, error=0.02, **more):
        told = {"mean__prediction": 0.2 + size, "share__true": 0.2, "calibration__gap__error": error}
        return window_report(day, **(told | more))

    return make


@pytest.fixture
def moved():
    """The drift of one column."""

    def make(column, score, *, drifted=True, before=0.0, after=0.0):
        return Drift(column, "js", score, score * 0.9, drifted, f"{column}: distance {score}", before, after)

    return make
