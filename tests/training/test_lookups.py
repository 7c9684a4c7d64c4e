from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from threefold.training.lookups import SMOOTHING, frequent, held_out_rates, rates


def test_rare_and_unseen_values_share_the_last_code():
    known = frequent(pl.Series(["a"] * 30 + ["b"] * 20 + ["rare"]), 10)
    assert known.keys == ("a", "b")
    assert known.codes(pl.Series(["b", "a", "rare", "never", ""])).tolist() == [1, 0, 2, 2, 2]


def test_a_rate_is_held_back_towards_the_mean():
    table = rates(np.array([0, 0, 1]), 3, np.array([[1.0], [1.0], [0.0]]))
    mean = 2 / 3
    assert table[0, 0] == pytest.approx((2 + SMOOTHING * mean) / (2 + SMOOTHING))
    assert table[2, 0] == pytest.approx(mean)


def test_a_row_does_not_see_its_own_outcome():
    outcome = np.zeros((10, 1))
    alone = held_out_rates(np.arange(10), 11, outcome)
    outcome[3] = 1.0
    assert held_out_rates(np.arange(10), 11, outcome)[3] == alone[3]


def test_no_category_at_all_is_one_code():
    assert frequent(pl.Series(["a", "b", "c"]), 10).codes(pl.Series(["a", "x"])).tolist() == [0, 0]
