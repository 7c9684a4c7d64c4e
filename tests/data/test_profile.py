from datetime import date, time, timedelta
from decimal import Decimal

import polars as pl

from threefold.data.profile import profile
from threefold.records import Profile, from_json, to_json


def columns(frame):
    return {column.name: column for column in profile("t", frame).columns}


def test_numbers_are_described_by_hand_checked_moments_and_quantiles():
    found = columns(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, None]}))["x"]
    assert (found.kind, found.rows, found.nulls, found.unique) == ("number", 5, 1, 4)
    assert (found.minimum, found.maximum, found.mean) == (1.0, 4.0, 2.5)
    assert found.quantiles[0] == 1.0
    assert found.quantiles[3] == 2.5
    assert found.quantiles[-1] == 4.0


def test_kinds_are_told_apart():
    frame = pl.DataFrame(
        {
            "flag": [True, False],
            "origin": ["EWR", "JFK"],
            "comment": ["the flight was late again", "nobody knew where the gate was"],
            "day": [date(2013, 1, 1), date(2013, 1, 2)],
            "nothing": [None, None],
        }
    )
    kinds = {name: column.kind for name, column in columns(frame).items()}
    assert kinds == {"flag": "boolean", "origin": "category", "comment": "text", "day": "time", "nothing": "number"}


def test_frequent_values_come_first_and_equal_counts_by_name():
    found = columns(pl.DataFrame({"x": ["b", "a", "c", "c", None]}))["x"]
    assert found.top == (("c", 2), ("a", 1), ("b", 1))


def test_infinite_numbers_and_nan_do_not_hide_the_rest():
    found = columns(pl.DataFrame({"x": [1.0, float("inf"), float("nan"), 3.0]}))["x"]
    assert (found.minimum, found.maximum, found.mean) == (1.0, 3.0, 2.0)


def test_whole_rows_that_stand_twice_are_counted():
    assert profile("t", pl.DataFrame({"a": [1, 1, 2], "b": ["x", "x", "x"]})).duplicates == 1


def test_a_table_of_0_rows_and_of_0_columns_has_a_profile():
    assert profile("t", pl.DataFrame({"a": []}, schema={"a": pl.Int64})).columns[0].quantiles == ()
    assert profile("t", pl.DataFrame()).columns == ()


def test_rare_types_do_not_stop_it():
    found = columns(pl.DataFrame({"d": [Decimal("1.5")], "t": [timedelta(days=1)], "c": [time(1)], "b": [b"\xff"]}))
    assert (found["d"].mean, found["t"].minimum, found["c"].kind, found["b"].top) == (1.5, "1 day, 0:00:00", "time", ())


def test_lists_and_structs_do_not_stop_it():
    found = columns(pl.DataFrame({"x": [[1], [2, 3]], "y": [{"a": 1}, None]}))
    assert (found["x"].kind, found["y"].nulls) == ("category", 1)


def test_a_profile_survives_json():
    made = profile("t", pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [date(2013, 1, 1), None]}))
    assert from_json(to_json(made), Profile) == made
