"""Small training sets with nulls, categories, texts and times, made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Prediction, Value
from threefold.records import FeatureSpec, Problem, TaskSpec
from threefold.training.task import infer_task

WORDS = ("gate", "late", "Storm!", "crew", "fuel", "calm", "bag", "snow,")


def make_frame(rows: int = 600, problem: Problem = "binary", seed: int = 3, text: bool = False) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    wind, year = rng.normal(10, 4, rows), rng.integers(1990, 2014, rows).astype(float)
    carrier = rng.choice(["AA", "UA", "DL", "B6"], rows, p=[0.4, 0.3, 0.2, 0.1])
    said = [" ".join(rng.choice(WORDS, 4)) for _ in range(rows)]
    pull = (wind - 10) / 2 + (carrier == "UA") * 1.5 + np.array(["Storm!" in one for one in said]) * text * 2
    noise = rng.normal(0, 1, rows)
    target: dict[str, object] = {
        "binary": pull + noise > 0.5,
        "multiclass": np.digitize(pull + noise, [-1.0, 1.5]),
        "regression": 100_000 + 5_000 * (pull + noise),
    }
    wind[rng.random(rows) < 0.1] = np.nan
    frame = pl.DataFrame(
        {
            "_id": [str(row) for row in range(rows)],
            "_at": [datetime(2013, 1, 1) + timedelta(hours=row) for row in range(rows)],
            "wind": pl.Series(wind, dtype=pl.Float32).fill_nan(None),
            "year": pl.Series(year, dtype=pl.Float32),
            "same": pl.Series([1.0] * rows, dtype=pl.Float32),
            "carrier": pl.Series(
                [None if draw < 0.05 else name for draw, name in zip(rng.random(rows), carrier, strict=True)]
            ),
            "said": said,
            "_target": target[problem],
        }
    )
    return frame if text else frame.drop("said")


def make_task(frame: pl.DataFrame, problem: Problem | None = None, **value: object) -> TaskSpec:
    kinds = {"carrier": "category", "said": "text"}
    specs = tuple(
        FeatureSpec(name, kinds.get(name, "number"), "rows")  # type: ignore[arg-type]  # the kinds are these three
        for name in frame.columns
        if not name.startswith("_")
    )
    return infer_task(frame, Prediction("flights", "late", problem), specs, Value(**value))  # type: ignore[arg-type]


@pytest.fixture
def frames() -> Callable[..., pl.DataFrame]:
    """Makes a frame: rows, problem, seed, text."""
    return make_frame


@pytest.fixture
def tasks() -> Callable[..., TaskSpec]:
    """Makes the task of a frame."""
    return make_task
