"""A tiny project: three flights, weather at their airport, one aircraft."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from threefold.design.canvas import Prediction, Source
from threefold.features import building
from threefold.features.views import collect


def hour(number, minute=0):
    return datetime(2013, 1, 1, number, minute)


@pytest.fixture
def project():
    """Tables, sources and a prediction; `build(*views, rows=…)` computes the features of the flights."""
    flights = pl.DataFrame(
        {
            "id": ["A", "B", "C"],
            "planned": [hour(6), hour(10), hour(14)],
            "origin": ["EWR", "EWR", "JFK"],
            "tail": ["N1", "N1", "N2"],
            "miles": [100, 200, 300],
            "left": [hour(6, 10), hour(10), hour(14)],
            "delay": [10, 0, 0],
            "landed": [hour(7), hour(12), hour(15)],
            "late": [1, 0, 1],
        }
    )
    weather = pl.DataFrame(
        {"origin": ["EWR"] * 4 + ["JFK"], "seen": [hour(h) for h in (4, 5, 8, 9, 1)], "temp": [4.0, 5.0, 8.0, 9.0, 1.0]}
    )
    planes = pl.DataFrame({"tail": ["N1"], "seats": [55]})
    later = {"left": ("delay",), "landed": ("late",)}
    sources = {
        "flights": Source("flights", "", time="planned", later=later, key=("id",)),
        "weather": Source("weather", "", time="seen"),
        "planes": Source("planes", ""),
    }
    tables = {"flights": flights, "weather": weather, "planes": planes}
    prediction = Prediction("flights", "late", problem="binary", at="planned", ahead=timedelta(hours=2), id="id")

    def views(*functions):
        return collect({function.__name__: function for function in functions}, prediction, sources)

    def build(*functions, rows=None):
        return building.build(views(*functions), tables, flights if rows is None else rows, prediction, sources)

    def training(*functions, rows=None):
        rows = flights if rows is None else rows
        return building.training_frame(views(*functions), tables, rows, prediction, sources)

    return SimpleNamespace(
        tables=tables, sources=sources, prediction=prediction, views=views, build=build, training=training
    )
