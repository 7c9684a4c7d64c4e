from __future__ import annotations

import numpy as np
import pytest

from threefold.quality import sampling


def test_the_interval_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(1).normal(5, 2, 4_000)
    low, high = sampling.bootstrap(lambda rows: float(values[rows].mean()), 4_000)
    half = 1.96 * values.std() / np.sqrt(4_000)
    assert low == pytest.approx(values.mean() - half, abs=0.25 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.25 * half)


def test_the_interval_of_many_rows_is_as_narrow_as_all_of_them_make_it():
    values = np.random.default_rng(1).normal(0, 1, 90_000)
    low, high = sampling.bootstrap(lambda rows: float(values[rows].mean()), 90_000)
    assert (high - low) / 2 == pytest.approx(1.96 / np.sqrt(90_000), rel=0.25)
    assert low < values.mean() < high


def test_work_is_bounded_and_the_same_each_time():
    one, two = sampling.draws(50_000), sampling.draws(50_000)
    assert len(one) <= 200
    assert all(len(rows) <= 20_000 for rows in one)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_what_most_resamples_cannot_tell_has_no_interval():
    assert sampling.bootstrap(lambda rows: float("nan"), 100) is None
    assert sampling.bootstrap(lambda rows: 1.0, 1) is None
