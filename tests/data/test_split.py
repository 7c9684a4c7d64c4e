from datetime import datetime, timedelta

import polars as pl
import pytest

from threefold.data.split import identified, place, split
from threefold.design.canvas import Prediction
from threefold.errors import DataError

START = datetime(2013, 1, 1)


def rows(number, step=timedelta(hours=1)):
    return pl.DataFrame({"id": [f"r{i}" for i in range(number)], "at": [START + i * step for i in range(number)]})


BY_TIME = Prediction("t", "y", at="at", split_by="time", test_share=0.2, id="id")
AT_RANDOM = Prediction("t", "y", split_by="random", test_share=0.2, id="id")


def test_by_time_the_last_share_is_held_out():
    train, test = split(rows(10).sample(fraction=1, shuffle=True, seed=1), BY_TIME, 7)
    assert (train.height, test.height) == (8, 2)
    assert train["at"].max() < test["at"].min()


def test_rows_of_one_moment_stay_together():
    doubled = pl.concat([rows(10), rows(10).with_columns(id=pl.col("id") + "b")])
    train, test = split(doubled, BY_TIME, 7)
    assert set(train["at"]).isdisjoint(test["at"])


def test_at_random_about_the_share_is_held_out_and_always_the_same():
    train, test = split(rows(5_000), AT_RANDOM, 7)
    assert 850 < test.height < 1_150
    again = split(rows(5_000).reverse(), AT_RANDOM, 7)[1]
    assert set(test["id"]) == set(again["id"])
    assert train.height + test.height == 5_000


def test_new_rows_do_not_move_old_ones():
    before = set(split(rows(1_000), AT_RANDOM, 7)[1]["id"])
    after = set(split(rows(1_500), AT_RANDOM, 7)[1]["id"])
    assert before == {name for name in after if int(name[1:]) < 1_000}


def test_another_seed_holds_out_other_rows():
    assert set(split(rows(100), AT_RANDOM, 7)[1]["id"]) != set(split(rows(100), AT_RANDOM, 8)[1]["id"])


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("prediction", [BY_TIME, AT_RANDOM])
@pytest.mark.parametrize("seed", range(5))
def test_few_rows_still_give_both_sides(number, prediction, seed):
    train, test = split(rows(number), prediction, seed)
    assert train.height >= 1
    assert test.height >= 1


@pytest.mark.parametrize("number", [0, 1])
def test_too_few_rows_are_refused(number):
    with pytest.raises(DataError, match="too few to hold some out"):
        split(rows(number), AT_RANDOM, 7)


def test_one_moment_alone_cannot_be_split_by_time():
    with pytest.raises(DataError, match="all rows of table 't' are of one moment"):
        split(rows(5, timedelta(0)), BY_TIME, 7)


def test_the_row_number_is_the_id_where_the_canvas_names_none():
    assert identified(rows(2), Prediction("t", "y"))["_id"].to_list() == ["0", "1"]


def test_ids_that_stand_twice_or_are_null_are_refused_by_name():
    with pytest.raises(DataError, match="1 id stands more than once: r0"):
        identified(pl.concat([rows(2), rows(1)]), AT_RANDOM)
    with pytest.raises(DataError, match="2 rows have no id"):
        identified(rows(2).with_columns(id=pl.lit(None, pl.String)), AT_RANDOM)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (rows(3).drop("at"), "has no column 'at'"),
        (rows(3).with_columns(at=pl.lit("monday")), "should hold times, it holds String"),
        (rows(3).with_columns(at=pl.lit(None, pl.Datetime)), "3 rows have no time in 'at'"),
    ],
)
def test_a_time_that_cannot_be_used_is_refused(frame, said):
    with pytest.raises(DataError, match=said):
        split(frame, BY_TIME, 7)


def test_the_place_of_an_id_never_changes():
    assert place("UA1545-EWR-20130101", 7) == pytest.approx(0.30764761552699466)
