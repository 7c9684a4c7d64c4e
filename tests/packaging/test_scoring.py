from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from threefold.errors import DataError, StoreError
from threefold.packaging.export import to_onnx
from threefold.packaging.parity import difference
from threefold.packaging.scoring import Scorer, columns_of


@pytest.fixture
def scorer(models):
    model = models("boosting", text=False)
    return Scorer.of_onnx(to_onnx(model), model.task, model.threshold)


def test_a_server_that_scores_imports_nothing_that_trains():
    code = "import sys, threefold.packaging.scoring, threefold.packaging.bundles, threefold.training.baselines\n"
    code += "print([name for name in ('polars', 'sklearn', 'scipy', 'onnx', 'lightgbm') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_columns_are_read_however_they_are_shaped(scorer):
    flat = {"wind": [9, 11], "year": np.array([2000, 2001]), "carrier": ["UA", None], "dest": np.array(["D1", "D2"])}
    tall = {
        "wind": np.array([[9.0], [11.0]]),
        "year": np.array([[2000], [2001]], dtype=np.int64),
        "carrier": np.array([[b"UA"], [b""]], dtype=object),
        "dest": np.array([["D1"], ["D2"]], dtype=object),
    }
    assert scorer.score(flat).tolist() == scorer.score(tall).tolist()
    assert scorer.score({**flat, "more": [1, 2]}).shape == (2,)


def test_wanted_outputs_alone_are_answered(scorer, frames):
    columns = columns_of(frames(5), scorer.task)
    assert set(scorer.run(columns)) == {"probability", "label"}
    assert set(scorer.run(columns, ["label"])) == {"label"}


def test_a_missing_or_wrong_input_is_named(scorer):
    with pytest.raises(DataError, match="lacks 'year'"):
        scorer.score({"wind": [1.0], "carrier": ["UA"], "dest": ["D1"]})
    with pytest.raises(DataError, match="'year' holds no numbers"):
        scorer.score({"wind": [1.0], "year": ["young"], "carrier": ["UA"], "dest": ["D1"]})


def test_each_row_is_timed(scorer, frames):
    times = scorer.time_rows(columns_of(frames(20), scorer.task))
    assert times.shape == (20,)
    assert (times > 0).all()


def test_bytes_that_are_no_model_are_refused(scorer):
    with pytest.raises(StoreError, match="cannot be opened"):
        Scorer.of_onnx(b"hello", scorer.task)


def test_a_difference_that_cannot_be_measured_is_infinite(scorer):
    assert difference(np.zeros(2), np.array([0.0, np.nan]), scorer.task) == float("inf")
    assert difference(np.zeros(2), np.zeros(3), scorer.task) == float("inf")
    assert difference(np.zeros(2), np.array([0.0, 0.25]), scorer.task) == 0.25
