from __future__ import annotations

import numpy as np

from threefold.records import FeatureSpec, TaskSpec
from threefold.training import metrics
from threefold.training.thresholds import cheapest


def task(alarm: float, miss: float) -> TaskSpec:
    costs = {"false_positive": alarm, "false_negative": miss}
    return TaskSpec("binary", "y", (FeatureSpec("x", "number", "rows"),), ("no", "yes"), "yes", costs)


def test_no_threshold_costs_less():
    rng = np.random.default_rng(4)
    y = (rng.random(300) < 0.3).astype(float)
    scores = np.clip(0.3 * y + 0.7 * rng.random(300), 0, 1)
    dear = task(40, 250)

    def cost(threshold: float) -> float:
        return metrics.compute(["cost per prediction"], y, scores, dear, threshold)["cost per prediction"]

    assert cost(cheapest(y, scores, dear)) <= min(cost(border) for border in np.linspace(0, 1, 501))


def test_calibrated_scores_give_the_ratio_of_the_costs():
    rng = np.random.default_rng(5)
    scores = rng.random(20_000)
    y = (rng.random(20_000) < scores).astype(float)
    assert abs(cheapest(y, scores, task(1, 3)) - 0.25) < 0.05


def test_without_costs_or_with_one_class_it_is_a_half():
    scores = np.array([0.1, 0.9])
    assert cheapest(np.array([0.0, 1.0]), scores, task(0, 0)) == 0.5
    assert cheapest(np.array([1.0, 1.0]), scores, task(1, 1)) == 0.5
    assert cheapest(np.empty(0), np.empty(0), task(1, 1)) == 0.5
