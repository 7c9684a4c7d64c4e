from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.errors import DataError
from threefold.features.joining import join
from threefold.features.views import View

START = datetime(2013, 1, 1)


def view(**kwargs):
    return View("v", lambda t: t, "t", **({"key": ("k",), "known": "at"} | kwargs))


def moments(*hours):
    return [None if h is None else START + timedelta(hours=h) for h in hours]


def asked(keys, *hours):
    return pl.DataFrame({"k": keys, "_cut": moments(*hours)}, schema_overrides={"_cut": pl.Datetime("us")})


HELD = pl.DataFrame({"k": ["a", "a", "b"], "at": moments(1, 3, 2), "x": [1, 3, 2]})


def test_the_newest_row_known_by_then_is_taken_of_the_same_key():
    found = join(view(), HELD, asked(["a", "a", "a", "b", "c"], 0, 1, 9, 9, 9))
    assert found["x"].to_list() == [None, 1, 3, 2, None]


def test_what_is_too_old_is_not_used_and_its_age_is_null():
    found = join(view(max_age=timedelta(hours=2), age="hours"), HELD, asked(["a", "a"], 5, 6))
    assert found.to_dicts() == [{"x": 3, "hours": 2.0}, {"x": None, "hours": None}]


def test_of_rows_of_one_key_and_moment_the_last_counts():
    twice = pl.DataFrame({"k": ["a", "a", "a"], "at": moments(1, 2, 2), "x": [1, 2, 3]})
    assert join(view(), twice, asked(["a"], 2))["x"].to_list() == [3]


def test_rows_without_key_or_moment_are_never_found():
    held = pl.DataFrame({"k": [None, "a"], "at": moments(1, None), "x": [1, 2]})
    assert join(view(), held, asked(["a", None], 9, 9))["x"].to_list() == [None, None]


def test_keys_of_another_type_are_turned_into_that_of_the_rows():
    held = pl.DataFrame({"k": [1, 2], "at": moments(1, 1), "x": [1, 2]})
    assert join(view(), held, asked(["1", "2"], 9, 9))["x"].to_list() == [1, 2]


def test_keys_that_cannot_fit_are_refused():
    with pytest.raises(DataError, match="does not fit the rows to predict"):
        join(view(), HELD, asked([1], 9))


@pytest.mark.parametrize(("gone", "said"), [("k", "its key"), ("at", "the moment its rows were known")])
def test_a_column_that_the_view_does_not_return_is_named(gone, said):
    with pytest.raises(DataError, match=f"returns no column '{gone}', {said}"):
        join(view(), HELD.drop(gone), asked(["a"], 9))


def test_a_key_that_the_rows_do_not_have_is_named():
    with pytest.raises(DataError, match="joined by 'k', which the rows to predict do not have"):
        join(view(), HELD, asked(["a"], 9).rename({"k": "kk"}))


def test_a_moment_that_is_no_time_is_refused():
    with pytest.raises(DataError, match="should hold times"):
        join(view(), HELD.with_columns(at=pl.col("x")), asked(["a"], 9))


def test_facts_with_two_rows_for_one_key_are_refused_unless_equal():
    facts = HELD.drop("at")
    with pytest.raises(DataError, match="2 rows that share a key but differ"):
        join(view(known=None), facts, asked(["a"], 9))
    assert join(view(known=None), facts.with_columns(x=pl.lit(1)), asked(["a"], 9))["x"].to_list() == [1]


hours = st.integers(0, 20)
keys = st.sampled_from("ab")


@settings(max_examples=60)
@given(st.lists(st.tuples(keys, hours), max_size=20), st.lists(st.tuples(keys, hours), min_size=1, max_size=20))
def test_the_join_agrees_with_a_search_by_hand(held, rows):
    made = pl.DataFrame(
        {"k": [k for k, _ in held], "at": moments(*(h for _, h in held)), "x": range(len(held))},
        schema={"k": pl.String, "at": pl.Datetime("us"), "x": pl.Int64},
    )
    found = join(view(), made, asked([k for k, _ in rows], *(h for _, h in rows)))["x"].to_list()

    def by_hand(key, cut):
        known = [(h, place) for place, (k, h) in enumerate(held) if k == key and h <= cut]
        return max(known)[1] if known else None

    assert found == [by_hand(key, cut) for key, cut in rows]
