from datetime import datetime, timedelta

import polars as pl
import pytest

from threefold.data.knowledge import check_labels, known
from threefold.design.canvas import Prediction, Source
from threefold.errors import DataError

SOURCE = Source("flights", "", time="planned", later={"departed": ("delay",), "landed": ("late",)})


def hour(number):
    return None if number is None else datetime(2013, 1, 1, number)


FLIGHTS = pl.DataFrame(
    {
        "id": ["A", "B", "C", "D"],
        "planned": [hour(6), hour(8), hour(10), hour(11)],
        "departed": [hour(7), hour(8), hour(9), hour(12)],  # C left before its time
        "delay": [60, 0, -60, 60],
        "landed": [hour(8), hour(11), hour(12), None],
        "late": [1, 0, 0, None],
    }
)


def test_rows_and_labels_appear_only_when_their_moment_has_come():
    then = known(FLIGHTS, SOURCE, hour(9))
    assert then["id"].to_list() == ["A", "B", "C"]  # C is known: it has departed
    assert then["delay"].to_list() == [60, 0, -60]
    assert then["late"].to_list() == [1, None, None]


def test_the_time_of_a_label_is_hidden_with_it():
    assert known(FLIGHTS, SOURCE, hour(9))["landed"].to_list() == [hour(8), None, None]


def test_without_a_moment_everything_is_known():
    assert known(FLIGHTS, SOURCE, None).equals(FLIGHTS)


def test_a_row_without_any_time_is_never_known():
    undated = FLIGHTS.with_columns(planned=pl.lit(None, pl.Datetime), departed=pl.lit(None, pl.Datetime))
    assert known(undated, SOURCE, hour(9))["id"].to_list() == ["A"]


def test_a_table_without_times_is_as_it_is():
    assert known(FLIGHTS, Source("flights", ""), hour(0)).equals(FLIGHTS)


def test_what_was_known_is_never_taken_back():
    before = known(FLIGHTS, SOURCE, hour(9))
    after = known(FLIGHTS, SOURCE, hour(11))
    assert known(after, SOURCE, hour(9)).equals(before)


def test_labels_dated_in_the_future_are_refused_with_their_row():
    future = FLIGHTS.with_columns(landed=pl.lit(datetime(2999, 1, 1)), late=pl.lit(1))
    with pytest.raises(DataError) as caught:
        known(future, SOURCE, None)
    assert caught.value.what.startswith("4 rows of table 'flights' are labelled in the future, the first is row 1")
    assert "landed" in caught.value.where


def test_a_label_known_before_its_prediction_is_refused_by_name():
    prediction = Prediction("flights", "late", at="planned", ahead=timedelta(hours=1), id="id")
    wrong = FLIGHTS.with_columns(landed=pl.lit(hour(6)))
    with pytest.raises(DataError, match="2 rows of table 'flights' know their label 'late' before") as caught:
        check_labels(wrong, prediction, {"flights": SOURCE})
    assert "'B'" in caught.value.what
    check_labels(FLIGHTS, prediction, {"flights": SOURCE})


def test_a_later_column_that_is_missing_is_answered_with_the_nearest():
    with pytest.raises(DataError, match="did you mean 'landed'"):
        known(FLIGHTS, Source("flights", "", later={"lande": ()}), None)
