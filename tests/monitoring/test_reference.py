import json

import numpy as np
import polars as pl
import pytest

from threefold.errors import StoreError
from threefold.monitoring.reference import PREDICTION, build_reference, read_reference
from threefold.records import FeatureSpec, TaskSpec


def test_a_reference_survives_the_way_through_its_bytes(training, task):
    frame, scores = training
    data = build_reference(frame, task, scores, {"roc_auc": 0.7, "recall": float("nan")})
    found = read_reference(data)
    assert [column.name for column in found.columns] == ["temp", "carrier", "note"]
    assert found.rows == 6_000
    assert found.metrics == {"roc_auc": 0.7}
    assert found.positive_rate == pytest.approx(frame["_target"].mean())
    assert sum(found.prediction.counts) == 6_000
    assert [scale.days for scale in found.scales] == [1.0, 7.0]
    assert set(found.scales[0].drift) == {"temp", "carrier", "note", PREDICTION}


def test_equal_training_sets_give_equal_bytes(training, task):
    frame, scores = training
    assert build_reference(frame, task, scores, {"b": 1.0, "a": 2.0}) == build_reference(
        frame, task, scores, {"a": 2.0, "b": 1.0}
    )


def test_a_reference_stays_small(training, task):
    assert len(build_reference(*training[:1], task, training[1], {})) < 10_000


def test_the_importance_is_the_share_of_the_score_that_a_column_explains(training, task):
    frame, _ = training
    scores = frame["temp"].to_numpy() * 3.0
    found = {
        column.name: column.importance for column in read_reference(build_reference(frame, task, scores, {})).columns
    }
    assert found["temp"] > 0.9
    assert found["note"] < 0.05


def test_a_project_without_time_has_no_scales(training, task):
    frame, scores = training
    assert read_reference(build_reference(frame.drop("_at"), task, scores, {})).scales == ()


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_classes_and_values_have_one_too(training, problem):
    frame, _ = training
    rng = np.random.default_rng(7)
    classes = ("a", "b", "c") if problem == "multiclass" else ()
    task = TaskSpec(problem, "y", (FeatureSpec("temp", "number", "v"),), classes)
    target = rng.choice(classes, frame.height) if classes else rng.normal(size=frame.height)
    scores = rng.dirichlet([1, 1, 1], frame.height) if classes else target + rng.normal(size=frame.height)
    found = read_reference(build_reference(frame.with_columns(_target=pl.Series(target)), task, scores, {}))
    assert found.prediction.kind == ("category" if classes else "number")
    assert found.positive_rate is None
    assert ("macro_f1" if classes else "rmse") in found.scales[0].spread


def test_an_empty_reference_is_none():
    assert read_reference(b"{}") is None


def test_a_reference_of_a_newer_threefold_is_refused_with_a_sentence(training, task):
    told = json.loads(build_reference(training[0], task, training[1], {}))
    with pytest.raises(StoreError, match="version 99"):
        read_reference(json.dumps(told | {"version": 99}).encode())
