from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from threefold.quality.slices import MISSING, across, cut
from threefold.records import TaskSpec

VALUES = TaskSpec("regression", "y", ())


def sizes(column: pl.Series) -> dict[str, int]:
    names, codes = cut(column)
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def test_categories_are_slices_and_what_is_missing_is_one_too():
    assert sizes(pl.Series(["AA", None, "HA", "AA"])) == {"AA": 2, "HA": 1, MISSING: 1}


def test_a_number_with_few_values_is_cut_by_value():
    assert sizes(pl.Series([1.0, 2.0, 2.0, float("nan")], dtype=pl.Float32)) == {"1": 1, "2": 2, MISSING: 1}


def test_a_number_with_many_values_is_cut_at_its_quartiles():
    column = pl.Series([*range(101), None], dtype=pl.Float32)
    assert sizes(column) == {"0 to 25": 25, "25 to 50": 25, "50 to 75": 25, "75 to 100": 26, MISSING: 1}


def test_quartiles_that_fall_together_are_one_slice():
    column = pl.Series([0.0] * 300 + [float(value) for value in range(1, 101)])
    assert list(sizes(column)) == ["0 to 0.25", "0.25 to 100"]


@pytest.mark.parametrize("dtype", [pl.Boolean, pl.Categorical, pl.Int64, pl.Date])
def test_any_type_of_column_can_be_cut(dtype):
    column = pl.Series(["a", None]).cast(dtype) if dtype == pl.Categorical else pl.Series([None, None], dtype=dtype)
    assert sum(sizes(column).values()) == 2


def test_an_infinite_value_stays_in_the_outer_slices():
    column = pl.Series([*map(float, range(100)), float("inf"), float("-inf")])
    assert sum(sizes(column).values()) == 102


def test_slices_come_worst_first_and_small_ones_are_counted():
    column = pl.Series(["a"] * 60 + ["b"] * 60 + ["c"] * 49)
    scores = np.array([1.0] * 60 + [2.0] * 60 + [9.0] * 49)
    found = across(column, "mae", np.zeros(169), scores, VALUES, None)
    assert [(one.name, one.value) for one in found.told] == [("b", 2.0), ("a", 1.0)]
    assert (found.small, found.gap) == (1, 1.0)


def test_a_slice_where_the_metric_is_not_defined_is_counted_apart():
    task = TaskSpec("binary", "y", (), ("no", "yes"), "yes")
    y = np.tile([0.0, 1.0], 60)
    scores = np.array([0.9] * 60 + [0.1] * 60)  # never says "yes" in the second slice
    found = across(pl.Series(["a"] * 60 + ["b"] * 60), "precision", y, scores, task, 0.5)
    assert [one.name for one in found.told] == ["a"]
    assert (found.small, found.untold) == (0, 1)


def test_a_column_of_long_texts_costs_no_more_than_the_texts():
    column = pl.Series(["x" * 1_000_000, *(str(number) for number in range(5_000))])
    assert len(sizes(column)) == 5_001  # in an array of equal widths this would be twenty gigabytes
