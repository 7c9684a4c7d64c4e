"""A small table with every kind of column, models trained on it, and a store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Prediction, Training, Value
from threefold.records import FeatureSpec, Problem
from threefold.store import Store
from threefold.training.fitting import fit_candidate
from threefold.training.model import TrainedModel
from threefold.training.task import infer_task

WORDS = ("gate", "Late", "late,", "storm!", "crew", "fuel", "calm", "bag\tlost", "snow\nand", "ice")


def make_frame(rows: int = 500, problem: Problem = "binary") -> pl.DataFrame:
    rng = np.random.default_rng(5)
    wind, year = rng.normal(10, 4, rows), rng.integers(1990, 2014, rows).astype(float)
    carrier, dest = rng.choice(["AA", "UA", "DL", "é"], rows), rng.choice([f"D{n}" for n in range(40)], rows)
    said = [" ".join(rng.choice(WORDS, rng.integers(0, 6))) for _ in range(rows)]
    pull = (wind - 10) / 2 + (carrier == "UA") * 1.5 + np.array(["storm!" in one for one in said]) * 2
    pull += rng.normal(0, 1, rows)
    targets: dict[str, object] = {
        "binary": pull > 0.5,
        "multiclass": np.digitize(pull, [-1.0, 1.5]),
        "regression": 100_000 + 5_000 * pull,
    }
    wind[rng.random(rows) < 0.1] = np.nan
    return pl.DataFrame(
        {
            "_at": [datetime(2013, 1, 1) + timedelta(hours=row) for row in range(rows)],
            "wind": pl.Series(wind, dtype=pl.Float32).fill_nan(None),
            "year": pl.Series(year, dtype=pl.Float32),
            "carrier": [None if row % 17 == 0 else name for row, name in enumerate(carrier)],
            "dest": dest,
            "said": [None if row % 23 == 0 else one for row, one in enumerate(said)],
            "_target": targets[problem],
        }
    )


def make_odd(rows: int = 200) -> pl.DataFrame:
    """Rows as production sends them: nulls, infinities, extremes, categories and words never seen."""
    rng = np.random.default_rng(6)
    numbers = [None, float("nan"), float("inf"), 0.0, -1e30, 3.3333333, 2013.4567, 10.0]
    strings = [None, "", " ", "UA", "never seen", "é", "D3", "gate  late, Late", "storm!\nstorm!\tstorm!", "\n"]

    def numeric() -> pl.Series:
        return pl.Series([numbers[place] for place in rng.integers(0, len(numbers), rows)], dtype=pl.Float32)

    def textual() -> list[str | None]:
        return [strings[place] for place in rng.integers(0, len(strings), rows)]

    return pl.DataFrame(
        {"wind": numeric(), "year": numeric(), "carrier": textual(), "dest": textual(), "said": textual()}
    )


def train(
    name: str, problem: Problem = "binary", frame: pl.DataFrame | None = None, text: bool = True, project: object = None
) -> TrainedModel:
    frame = make_frame(problem=problem) if frame is None else frame
    kinds = {"carrier": "category", "dest": "category", "said": "text"}
    specs = tuple(
        FeatureSpec(column, kinds.get(column, "number"), "rows")  # type: ignore[arg-type]  # the kinds are these three
        for column in frame.columns
        if not column.startswith("_") and (text or column != "said")
    )
    task = infer_task(frame, Prediction("flights", "late", problem), specs, Value())
    return fit_candidate(name, frame, task, Training(folds=1), 0.0, project)[0]  # type: ignore[arg-type]


@pytest.fixture
def frames() -> Callable[..., pl.DataFrame]:
    """Makes a training frame."""
    return make_frame


@pytest.fixture
def odd() -> pl.DataFrame:
    """Rows that try a model."""
    return make_odd()


@pytest.fixture
def models() -> Callable[..., TrainedModel]:
    """Trains a candidate: name, problem, frame."""
    return train


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store.open(tmp_path / "store")
