"""The flight project, on its real data: 336,776 flights of 2013."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from threefold.data import cleaning, contract, knowledge, profile, sources, split
from threefold.design.code import load_code
from threefold.design.reading import load
from threefold.errors import LeakError
from threefold.features import blind, building, leaks
from threefold.features.views import collect

PROJECT = Path(__file__).parents[2] / "examples" / "flight_delays"
APRIL = datetime(2013, 4, 1)


@pytest.fixture(scope="module")
def canvas():
    return load(PROJECT)


@pytest.fixture(scope="module")
def code():
    return load_code(PROJECT)


@pytest.fixture(scope="module")
def tables(canvas, code):
    own = code.functions("data")
    return {
        name: cleaning.clean(source, sources.read(source, PROJECT)[0], own.get(f"clean_{name}"))[0]
        for name, source in canvas.data.items()
    }


@pytest.fixture(scope="module")
def then(canvas, tables):
    return {name: knowledge.known(table, canvas.data[name], APRIL) for name, table in tables.items()}


def test_the_tables_have_their_known_sizes(tables):
    assert {name: table.height for name, table in tables.items()} == {
        "flights": 336_776 - 9_430, "weather": 26_115 - 3, "planes": 3_322,
    }  # fmt: skip


def test_every_flight_arrives_after_it_departed_by_its_own_clocks(tables):
    flight = tables["flights"].with_columns(minutes=(pl.col("arrived_at") - pl.col("departed_at")).dt.total_minutes())
    assert flight.filter(pl.col("minutes") < pl.col("air_time") + 10).is_empty()
    # Zones differ by whole hours: the minute of arrival is the same on both clocks.
    assert flight.filter(pl.col("arrived_at").dt.minute() != pl.col("arr_time") % 100).height == 0
    honolulu = flight.filter(pl.col("dest") == "HNL")["minutes"]
    assert 9 * 60 < honolulu.min() < honolulu.max() < 13 * 60


def test_nothing_of_april_is_known_on_its_first_morning(then):
    flights = then["flights"]
    assert flights["departed_at"].max() <= APRIL
    assert flights.filter(pl.col("late").is_not_null())["arrived_at"].max() <= APRIL
    assert flights.filter(pl.col("late").is_null())["arr_delay"].null_count() > 0


def test_the_flights_keep_their_contract_and_summer_breaks_that_of_winter(tables, then):
    winter = contract.infer(profile.profile("weather", then["weather"]))
    assert {found.column for found in contract.check(tables["weather"], winter)} >= {"temp"}
    own = contract.infer(profile.profile("flights", tables["flights"]), ("id",))
    assert contract.check(tables["flights"], own) == ()


def test_the_views_do_not_know_the_future_and_cover_the_flights(canvas, code, then):
    prediction, data = canvas.predict, canvas.data
    views = collect(code.functions("features"), prediction, data)
    rows = then["flights"].filter(pl.col("late").is_not_null())
    train, test = split.split(rows, prediction, 7)
    frame = building.training_frame(views, then, train, prediction, data)
    assert frame.height == train.height
    assert frame["temp"].null_count() < 0.01 * frame.height
    assert frame["carrier_arrival_delay"].null_count() < 0.05 * frame.height
    leaks.check(frame, prediction)
    assert blind.check_future_blind(views, then, train, prediction, data) == ()
    assert test[prediction.at].min() > train[prediction.at].max() - timedelta(minutes=1)


@pytest.mark.parametrize(("column", "moment"), [("dep_delay", "departed_at"), ("arr_time", "arrived_at")])
def test_a_feature_that_leaks_is_refused_with_its_times(canvas, then, column, moment):
    def cheat(flights):
        return flights.select(column)

    views = collect({"cheat": cheat}, canvas.predict, canvas.data)
    with pytest.raises(
        LeakError, match=f"known only at {moment}, the prediction is made 2 h before scheduled_departure"
    ):
        building.build(views, then, then["flights"].head(10), canvas.predict, canvas.data)
