from datetime import datetime

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Prediction, Source
from threefold.errors import LeakError
from threefold.features.building import build
from threefold.features.leaks import check
from threefold.features.views import collect, view

RNG = np.random.default_rng(7)
LATE = RNG.integers(0, 2, 1_000)


def training(**columns):
    return pl.DataFrame({"_id": [str(i) for i in range(1_000)], **columns, "_target": LATE})


# -------------------------------------------------------------------------------------------------------- by time


@pytest.mark.parametrize("column", ["delay", "landed", "late"])
def test_a_later_column_is_refused_with_the_times(project, column):
    def cheat(flights):
        return flights.select(column)

    with pytest.raises(LeakError) as caught:
        project.build(cheat)
    moment = "left" if column == "delay" else "landed"
    assert caught.value.what == (
        f"feature '{column}' would leak: it is known only at {moment}, the prediction is made 2 h before planned"
    )
    assert "test_leaks.py:" in caught.value.where
    assert "take it out of view 'cheat'" in caught.value.do


@pytest.mark.parametrize("how", ["square", "filter", "lazy"])
def test_there_is_no_way_around(project, how):
    ways = {
        "square": lambda flights: flights["delay"].to_frame(),
        "filter": lambda flights: flights.filter(pl.col("delay") > 0),
        "lazy": lambda flights: flights.lazy().select(pl.col("delay") * 2),
    }

    def cheat(flights):
        return ways[how](flights)

    with pytest.raises(LeakError, match="'delay' would leak"):
        project.build(cheat)


def test_earlier_rows_may_be_used_once_they_have_happened(project):
    @view(key="tail", known="landed")
    def before(flights):
        return flights.select("tail", "landed", before="late", delay_before="delay")

    assert project.build(before)["before"].to_list() == [None, 1.0, None]


def test_a_view_known_earlier_may_not_use_what_comes_after(project):
    @view(key="tail", known="left")
    def before(flights):
        return flights.select("tail", "left", before="late")

    with pytest.raises(LeakError, match="'late' would leak: it is known only at landed, the rows of view 'before'"):
        project.build(before)


@pytest.mark.parametrize("known", ["day", None])
def test_a_row_cannot_find_its_own_target_by_its_key(known):
    prediction = Prediction("customers", "churned", at="day" if known else None)
    sources = {"customers": Source("customers", "", time=known)}
    rows = pl.DataFrame({"name": ["a", "b"], "day": [datetime(2013, 1, 1)] * 2, "churned": [1, 0]})

    @view(key="name", known=known)
    def cheat(customers):
        return customers.select("name", "day", before="churned")

    with pytest.raises(LeakError, match="the canvas does not say when it is known"):
        build(collect({"cheat": cheat}, prediction, sources), {"customers": rows}, rows, prediction, sources)


# ------------------------------------------------------------------------------------------- too good to be true


def test_the_target_in_disguise_is_refused_with_its_number():
    disguised = training(noise=RNG.random(1_000), delay=LATE * 30 + RNG.random(1_000))
    with pytest.raises(LeakError, match=r"'delay' alone tells 'late' nearly perfectly .*1\.000"):
        check(disguised, Prediction("flights", "late", problem="binary"))


def test_a_category_that_tells_all_is_refused_and_an_id_is_not():
    told = training(verdict=np.where(LATE == 1, "yes", "no").tolist())
    with pytest.raises(LeakError, match="'verdict'"):
        check(told, Prediction("flights", "late", problem="binary"))
    check(training(name=[f"n{i}" for i in range(1_000)]), Prediction("flights", "late", problem="binary"))


def test_a_good_feature_is_not_refused():
    check(training(x=LATE + RNG.normal(0, 0.6, 1_000)), Prediction("flights", "late", problem="binary"))


def test_a_number_is_judged_by_rank_correlation():
    price = RNG.random(1_000)
    frame = pl.DataFrame({"with_tax": price**3, "size": RNG.random(1_000), "_target": price})
    with pytest.raises(LeakError, match=r"'with_tax'.*rank correlation 1\.000"):
        check(frame, Prediction("houses", "price", problem="regression"))
    check(frame.drop("with_tax"), Prediction("houses", "price", problem="regression"))


def test_few_rows_and_one_class_are_not_judged():
    check(training(delay=LATE).head(20), Prediction("flights", "late"))
    check(training(delay=LATE).with_columns(_target=pl.lit(1)), Prediction("flights", "late", problem="binary"))


@pytest.mark.parametrize("target", [["a", "b", "c"], ["yes", "no", None]])
def test_labels_as_text_and_nulls_are_judged_too(target):
    labels = [target[i % 3] for i in range(900)]
    frame = pl.DataFrame({"copy": labels, "_target": labels})
    with pytest.raises(LeakError):
        check(frame, Prediction("t", "y"))
