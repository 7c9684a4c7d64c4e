from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Prediction, Source
from threefold.features.blind import check_future_blind
from threefold.features.views import collect, view

RNG = np.random.default_rng(7)
ROWS = 300
PLANNED = [datetime(2013, 1, 1) + timedelta(hours=i) for i in range(ROWS)]
FLIGHTS = pl.DataFrame(
    {
        "id": [f"F{i}" for i in range(ROWS)],
        "planned": PLANNED,
        "origin": RNG.choice(["EWR", "JFK"], ROWS).tolist(),
        "miles": RNG.integers(100, 900, ROWS),
        "landed": [moment + timedelta(hours=3) for moment in PLANNED],
        "delay": RNG.normal(10, 30, ROWS),
        "late": RNG.integers(0, 2, ROWS),
    }
)
SOURCES = {
    "flights": Source("flights", "", time="planned", later={"landed": ("delay", "late")}),
    "weather": Source("weather", "", time="seen"),
}
WEATHER = pl.DataFrame({"origin": ["EWR"] * ROWS, "seen": PLANNED, "temp": RNG.normal(0, 9, ROWS)})
PREDICTION = Prediction("flights", "late", at="planned", ahead=timedelta(hours=2), id="id")


def findings(function, prediction=PREDICTION):
    views = collect({function.__name__: function}, prediction, SOURCES)
    return check_future_blind(views, {"flights": FLIGHTS, "weather": WEATHER}, FLIGHTS, prediction, SOURCES)


def miles(flights):
    return flights.select("miles", hour=pl.col("planned").dt.hour())


@view(key="origin", known="landed")
def delays_lately(flights):
    mean = pl.col("delay").rolling_mean_by("landed", window_size="12h").over("origin")
    return flights.drop_nulls("landed").sort("landed").select("origin", "landed", lately=mean)


@view(key="origin", known="seen")
def weather_there(weather):
    return weather


@view(key="origin", known="seen")
def against_the_mean(weather):
    return weather.select("origin", "seen", warmer=pl.col("temp") - pl.col("temp").mean())


@view(key="origin", known="seen")
def centred(weather):
    return weather.select("origin", "seen", smooth=pl.col("temp").rolling_mean(5, center=True))


@view(key="origin", known="seen")
def filled_from_below(weather):
    return weather.select("origin", "seen", following=pl.col("temp").shift(-1))


@view(key="origin", known="landed")
def backdated(flights):
    return flights.select("origin", pl.col("landed") - pl.duration(hours=6), delay="delay")


@view(key="origin", known="hour")
def still_running(flights):
    hour = pl.col("planned").dt.truncate("1d")
    return flights.group_by("origin", hour=hour).agg(today=pl.col("late").mean()).sort("hour")


def against_the_batch(flights):
    return flights.select(further=pl.col("miles") - pl.col("miles").mean())


@pytest.mark.parametrize("honest", [miles, delays_lately, weather_there])
def test_honest_views_pass(honest):
    assert findings(honest) == ()


@pytest.mark.parametrize(
    ("faulty", "feature"),
    [
        (against_the_mean, "warmer"),
        (centred, "smooth"),
        (filled_from_below, "following"),
        (backdated, "delay"),
        (still_running, "today"),
        (against_the_batch, "further"),
    ],
)
def test_a_view_that_knows_more_than_it_should_is_found(faulty, feature):
    (found,) = findings(faulty)
    assert found.what.startswith(f"feature '{feature}' of row 'F")
    assert "it looks into the future" in found.what
    assert "test_blind.py:" in found.where


def test_without_times_a_row_may_still_not_depend_on_its_batch():
    without = Prediction("flights", "late", id="id")
    (found,) = findings(against_the_batch, without)
    assert "it looks at the other rows" in found.what
    assert findings(miles, without) == ()
