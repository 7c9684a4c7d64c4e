from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference

from threefold.errors import DataError, NotFound
from threefold.records import FeatureSpec, TaskSpec
from threefold.training import metrics

FEATURES = (FeatureSpec("x", "number", "rows"),)
BINARY = TaskSpec("binary", "y", FEATURES, ("no", "yes"), "yes", {"false_positive": 40.0, "false_negative": 250.0})
CLASSES = TaskSpec("multiclass", "y", FEATURES, ("a", "b", "c"))
VALUES = TaskSpec("regression", "y", FEATURES)


def test_binary_metrics_agree_with_the_reference_library():
    rng = np.random.default_rng(1)
    y = (rng.random(500) < 0.3).astype(float)
    scores = np.round(np.clip(0.3 * y + rng.random(500) * 0.7, 0, 1), 2)  # rounded, so that there are ties
    mine = metrics.compute(None, y, scores, BINARY, 0.4)
    yes = scores >= 0.4
    assert mine["roc_auc"] == pytest.approx(reference.roc_auc_score(y, scores))
    assert mine["log_loss"] == pytest.approx(reference.log_loss(y, scores))
    assert mine["brier"] == pytest.approx(reference.brier_score_loss(y, scores))
    assert mine["accuracy"] == pytest.approx(reference.accuracy_score(y, yes))
    assert mine["precision"] == pytest.approx(reference.precision_score(y, yes))
    assert mine["recall"] == pytest.approx(reference.recall_score(y, yes))
    assert mine["f1"] == pytest.approx(reference.f1_score(y, yes))


def test_metrics_of_classes_agree_with_the_reference_library():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 300)
    scores = rng.dirichlet([1, 1, 1], 300)
    mine = metrics.compute(None, y, scores, CLASSES)
    assert mine["log_loss"] == pytest.approx(reference.log_loss(y, scores))
    assert mine["macro_f1"] == pytest.approx(reference.f1_score(y, scores.argmax(axis=1), average="macro"))
    assert set(mine) == {"log_loss", "accuracy", "macro_f1"}


def test_metrics_of_values_agree_with_the_reference_library():
    rng = np.random.default_rng(3)
    y = rng.normal(size=100)
    scores = y + rng.normal(size=100)
    mine = metrics.compute(None, y, scores, VALUES)
    assert mine["rmse"] == pytest.approx(reference.root_mean_squared_error(y, scores))
    assert mine["mae"] == pytest.approx(reference.mean_absolute_error(y, scores))
    assert mine["r2"] == pytest.approx(reference.r2_score(y, scores))


def test_the_cost_of_mistakes_worked_by_hand():
    y, scores = np.array([1, 1, 0, 0.0]), np.array([0.9, 0.2, 0.8, 0.1])
    assert metrics.compute(["cost per prediction"], y, scores, BINARY, 0.5) == {"cost per prediction": (250 + 40) / 4}


def test_calibration_worked_by_hand():
    y, scores = np.array([1, 0, 1, 1.0]), np.array([0.55, 0.55, 0.95, 0.95])
    mine = metrics.compute(None, y, scores, BINARY)
    assert mine["calibration_error"] == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)
    assert mine["calibration_gap"] == pytest.approx(0.0)


def test_what_cannot_be_told_is_left_out():
    one_class = metrics.compute(None, np.ones(3), np.array([0.2, 0.7, 0.9]), BINARY)
    assert "roc_auc" not in one_class
    assert "recall" in one_class
    assert metrics.compute(None, np.empty(0), np.empty(0), BINARY) == {}
    assert "r2" not in metrics.compute(None, np.ones(3), np.zeros(3), VALUES)


def test_an_unknown_or_unfit_metric_is_refused_with_a_hint():
    with pytest.raises(NotFound, match="did you mean 'roc_auc'"):
        metrics.compute(["roc_acu"], np.ones(1), np.ones(1), BINARY)
    with pytest.raises(DataError, match="not defined for a regression"):
        metrics.compute(["roc_auc"], np.ones(1), np.ones(1), VALUES)
    with pytest.raises(DataError, match="stand against"):
        metrics.compute(None, np.ones(2), np.ones(1), BINARY)


@pytest.mark.parametrize("name", metrics.names())  # a new file joins by itself
def test_every_metric_prefers_the_truth_to_its_opposite(name):
    task = next(task for task in (BINARY, CLASSES, VALUES) if name in metrics.for_problem(task.problem))
    y = np.array([0, 1, 1, 0, 1, 0.0])
    right = np.eye(3)[y.astype(int)] if task is CLASSES else 0.1 + 0.8 * y
    wrong = np.eye(3)[(y.astype(int) + 1) % 2] if task is CLASSES else (0.9 - 0.8 * y) * 0.9
    good, bad = (metrics.compute([name], y, scores, task).get(name) for scores in (right, wrong))
    assert bad is None or (good >= bad if metrics.greater_is_better(name) else good <= bad)
