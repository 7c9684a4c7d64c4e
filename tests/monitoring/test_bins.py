import numpy as np
import polars as pl
import pytest

from threefold.monitoring import bins


def column(kind, values, **more):
    return bins.learn("x", kind, pl.Series(values, **more))


def test_every_training_row_lands_in_one_bin():
    values = np.random.default_rng(7).normal(size=1_000).tolist() + [None] * 50
    learned = column("number", values)
    assert sum(learned.counts) == 1_050
    assert learned.counts[:2] == (50, 0)
    assert len(learned.edges) == bins.BINS
    assert set(learned.counts[2:]) <= {49, 50, 51}


def test_a_value_that_stands_on_most_rows_is_a_bin_of_its_own():
    learned = column("number", [0.0] * 900 + list(np.linspace(1, 2, 100)))
    assert learned.counts[2] == 900


def test_numbers_outside_the_range_of_training_are_unseen_on_both_sides():
    learned = column("number", np.arange(100.0))
    assert bins.count(learned, pl.Series([-1.0, 0.0, 99.0, 100.0, None]))[:2].tolist() == [1, 2]


def test_a_constant_that_changes_is_seen():
    learned = column("number", [3.0] * 100)
    assert bins.count(learned, pl.Series([3.0, 2.0, 4.0])).tolist() == [0, 2, 1]


def test_categories_nulls_and_new_ones_are_told_apart():
    learned = column("category", ["a"] * 3 + ["b"] * 2 + [None])
    assert (learned.values, learned.counts) == (("a", "b"), (1, 0, 3, 2))
    assert bins.count(learned, pl.Series(["b", "c", None, "a", "b"])).tolist() == [1, 1, 1, 2]


def test_a_text_is_looked_at_by_its_length():
    learned = column("text", ["ab"] * 50 + ["abcd"] * 50)
    assert learned.edges == (2.0, 4.0)
    assert bins.count(learned, pl.Series(["xy", "a text as long as none before", None])).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("kind", ["number", "category", "text"])
def test_a_column_without_any_value_can_be_learned_and_counted(kind):
    dtype = pl.Float32 if kind == "number" else pl.String
    learned = bins.learn("x", kind, pl.Series([None] * 5, dtype=dtype))
    value = 1.0 if kind == "number" else "new"
    assert bins.count(learned, pl.Series([None, value], dtype=dtype))[:2].tolist() == [1, 1]


def test_thin_bins_are_added_up_until_the_window_promises_twenty_rows():
    learned = column("number", np.arange(1_000.0))
    before, after = bins.merged(learned, bins.count(learned, pl.Series(np.arange(0, 1_000, 10.0))))
    assert (before.sum(), after.sum()) == (1_000, 100)
    assert len(before) >= 4  # a hundred rows fill at most five bins of twenty
    assert min(after) >= 20


def test_nulls_stay_a_bin_of_their_own_however_few():
    learned = column("number", [*np.arange(1_000.0), None])
    _, after = bins.merged(learned, bins.count(learned, pl.Series([1.0] * 99 + [None])))
    assert 1 in after.tolist()


def test_more_categories_than_are_remembered_leave_the_rest_unseen():
    learned = column("category", [str(number) for number in range(bins.MAX_VALUES + 5)])
    assert len(learned.values) == bins.MAX_VALUES
    assert learned.counts[bins.UNSEEN] == 5
