from __future__ import annotations

import numpy as np
import pytest

from threefold.training.curves import POINTS, calibration, roc


def test_the_roc_curve_worked_by_hand():
    points = roc(np.array([1, 0, 1, 0.0]), np.array([0.9, 0.8, 0.7, 0.1]))
    assert points == ((0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1))


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    rng = np.random.default_rng(1)
    points = roc((rng.random(5_000) < 0.5).astype(float), rng.random(5_000))
    assert len(points) <= POINTS
    assert (points[0], points[-1]) == ((0, 0), (1, 1))


def test_the_calibration_of_a_calibrated_score_lies_on_the_diagonal():
    rng = np.random.default_rng(2)
    scores = rng.random(50_000)
    for predicted, came_true in calibration((rng.random(50_000) < scores).astype(float), scores):
        assert came_true == pytest.approx(predicted, abs=0.03)
