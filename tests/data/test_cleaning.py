from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from threefold.data.cleaning import clean
from threefold.design.canvas import Source
from threefold.errors import DataError, StepFailed

ORDERS = pl.DataFrame({"id": [1, 2, 2, 3, 3], "price": [1.0, 2.0, 2.0, 3.0, 4.0]})
HERE = Path(__file__).name


def test_rows_that_stand_twice_are_removed_and_counted():
    frame, notes = clean(Source("orders", ""), ORDERS)
    assert frame["price"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert notes == ("1 row of 5 removed because another row is the same in every column",)


def test_of_rows_that_share_a_key_the_first_stays():
    frame, notes = clean(Source("orders", "", key=("id",)), ORDERS)
    assert frame["price"].to_list() == [1.0, 2.0, 3.0]
    assert notes == ("2 rows of 5 removed because another row has the same id",)


def test_the_project_cleans_first():
    def clean_orders(orders):
        return orders.filter(pl.col("price") < 3)

    frame, notes = clean(Source("orders", "", key=("id",)), ORDERS, clean_orders)
    assert frame["id"].to_list() == [1, 2]
    assert notes[0] == "2 rows of 5 removed by clean_orders"


def test_a_lazy_table_is_collected():
    assert clean(Source("orders", ""), ORDERS, lambda orders: orders.lazy())[0].height == 4


def test_a_function_that_raises_is_answered_with_its_line():
    def clean_orders(orders):
        return orders.with_columns(pl.col("price").str.to_uppercase())

    with pytest.raises(StepFailed) as caught:
        clean(Source("orders", ""), ORDERS, clean_orders)
    assert caught.value.what.startswith("cleaning of table 'orders' (clean_orders) raised")
    assert caught.value.where.endswith(f"{HERE}:{clean_orders.__code__.co_firstlineno + 1}")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("returned", [None, 7, ["a"], {"id": [1]}])
def test_a_function_that_returns_no_table_is_refused(returned):
    with pytest.raises(StepFailed, match="not a table"):
        clean(Source("orders", ""), ORDERS, lambda orders: returned)


def test_a_cleaning_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match="left no row"):
        clean(Source("orders", ""), ORDERS, lambda orders: orders.clear())


@pytest.mark.parametrize(
    "declared", [{"time": "prize"}, {"key": ("prize",)}, {"later": {"prize": ()}}, {"later": {"price": ("prize",)}}]
)
def test_a_declared_column_that_is_missing_is_answered_with_the_nearest(declared):
    with pytest.raises(DataError, match="did you mean 'price'"):
        clean(Source("orders", "", **declared), ORDERS)


def test_a_time_column_that_holds_no_times_is_refused():
    with pytest.raises(DataError, match="should hold times, it holds Float64"):
        clean(Source("orders", "", time="price"), ORDERS)


def test_a_day_counts_from_its_midnight():
    days = pl.DataFrame({"day": ["2013-01-01"]}).with_columns(pl.col("day").str.to_date())
    assert clean(Source("days", "", time="day"), days)[0]["day"].to_list() == [datetime(2013, 1, 1)]
