from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Prediction, Value
from threefold.errors import DataError
from threefold.records import FeatureSpec, TaskSpec
from threefold.training.task import encode_labels, encode_target, infer_task

FEATURES = (FeatureSpec("x", "number", "rows"),)


def task_of(values: list[object], **prediction: object) -> TaskSpec:
    frame = pl.DataFrame({"_target": values})
    return infer_task(frame, Prediction("t", "y", **prediction), FEATURES, Value())  # type: ignore[arg-type]


def test_truth_is_binary_and_true_is_the_positive_label():
    task = task_of([True, False, True])
    assert (task.problem, task.classes, task.positive) == ("binary", ("false", "true"), "true")


def test_of_two_texts_the_rarer_one_is_positive_unless_one_says_yes():
    assert task_of(["stay", "leave", "stay"]).positive == "leave"
    assert task_of(["Yes", "No", "Yes"]).positive == "Yes"
    assert task_of(["stay", "leave", "stay"], positive="stay").classes == ("leave", "stay")


def test_few_whole_numbers_are_classes_and_many_are_a_regression():
    assert task_of([0, 1, 2] * 10).problem == "multiclass"
    assert task_of(list(range(30))).problem == "regression"
    assert task_of([0.5, 1.25, 3.0] * 10).problem == "regression"


def test_class_labels_stand_in_the_order_of_their_numbers():
    assert task_of([10, 9, 2] * 10).classes == ("2", "9", "10")


@pytest.mark.parametrize(
    ("values", "prediction", "says"),
    [
        ([], {}, "no row has a target"),
        ([None, None], {}, "no row has a target"),
        (["a", "a"], {}, "nothing to tell apart"),
        (["a", "b", "c"], {"problem": "binary"}, "has two labels"),
        (["a", "b"], {"problem": "regression"}, "needs numbers"),
        (["a", "b"], {"positive": "c"}, "does not occur"),
        ([f"name {number}" for number in range(200)], {}, "at most 100"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(values, prediction, says):
    with pytest.raises(DataError, match=says):
        task_of(values, **prediction)


def test_labels_are_read_however_they_are_spelled():
    task = task_of([True, False])
    assert encode_labels([True, "true", "True", 1, "1", False, "0"], task).tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert np.isnan(encode_labels(["maybe", None], task)).all()
    numbers = task_of([0, 1, 2] * 10)
    assert encode_labels(["2", 2, 2.0, "2.0"], numbers).tolist() == [2, 2, 2, 2]


def test_a_label_the_task_does_not_know_is_named_with_its_row():
    task = task_of(["a", "b", "c"])
    with pytest.raises(DataError, match="row 1 has the target 'z'"):
        encode_target(pl.DataFrame({"_target": ["a", "z"]}), task)


def test_a_frame_without_features_is_refused():
    with pytest.raises(DataError, match="no feature"):
        infer_task(pl.DataFrame({"_target": [True, False]}), Prediction("t", "y"), (), Value())
