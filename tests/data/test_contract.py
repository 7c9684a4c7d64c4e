import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.data.contract import check, infer
from threefold.data.profile import profile
from threefold.records import Contract, from_json, to_json

RNG = np.random.default_rng(7)
GOOD = pl.DataFrame(
    {
        "speed": RNG.normal(100, 10, 1_000),
        "rain": np.where(RNG.random(1_000) < 0.95, 0.0, RNG.random(1_000)),
        "origin": RNG.choice(["EWR", "JFK", "LGA"], 1_000).tolist(),
    }
)


def contract_of(frame, key=()):
    return infer(profile("weather", frame), key)


def broken(frame, contract=None):
    return {(found.column, found.rule): found for found in check(frame, contract or contract_of(GOOD))}


def test_a_table_keeps_the_contract_inferred_from_it():
    assert broken(GOOD) == {}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e9, 1e9) | st.none(), st.sampled_from(["a", "b", "c"]) | st.none()), min_size=1))
def test_any_table_keeps_its_contract_but_for_absurd_values(rows):
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "c": pl.String}, orient="row")
    assert {found.rule for found in check(frame, contract_of(frame))} <= {"range"}


def test_one_absurd_value_does_not_widen_the_range():
    gust = GOOD["speed"].to_list() + [1_048.0] + [100.0] * 50
    frame = pl.DataFrame({"speed": gust})
    found = broken(frame, contract_of(frame))[("speed", "range")]
    assert found.rows == 1
    assert "in 1 row, as with 1048.0" in found.sentence


def test_values_far_outside_are_counted_in_a_sentence():
    hot = GOOD.with_columns(speed=pl.when(pl.int_range(pl.len()) < 5).then(-999.0).otherwise("speed"))
    found = broken(hot)[("speed", "range")]
    assert (found.rows, found.share) == (5, 0.005)


def test_what_never_was_negative_stays_so():
    assert ("rain", "range") in broken(GOOD.with_columns(rain=-0.1))


def test_a_column_that_is_mostly_zero_has_no_outliers():
    assert broken(GOOD.with_columns(rain=pl.lit(1.05)).head(1)) == {}


def test_more_nulls_than_promised_are_counted():
    emptied = GOOD.with_columns(speed=pl.when(pl.int_range(pl.len()) >= 100).then("speed"))
    found = broken(emptied)[("speed", "nulls")]
    assert (found.rows, found.share) == (100, 0.1)
    assert found.sentence == "column 'speed' is null in 10.0% of the rows, promised are at most 1.0%"


def test_many_unseen_values_are_named_and_a_few_are_not():
    few = GOOD.with_columns(origin=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("BOS")).otherwise("origin"))
    many = GOOD.with_columns(origin=pl.when(pl.int_range(pl.len()) < 50).then(pl.lit("BOS")).otherwise("origin"))
    assert broken(few) == {}
    assert "('BOS')" in broken(many)[("origin", "values")].sentence


def test_a_missing_column_and_a_wrong_type_are_found():
    found = broken(GOOD.drop("rain").with_columns(speed=pl.lit("fast")))
    assert set(found) == {("rain", "missing"), ("speed", "type")}


def test_rows_that_share_a_key_are_counted():
    contract = contract_of(GOOD.with_row_index("id"), ("id",))
    found = broken(GOOD.with_columns(id=pl.lit(1, pl.UInt32)).head(10), contract)
    assert found[("id", "unique")].rows == 9


def test_a_table_of_0_rows_breaks_no_promise_about_values():
    assert broken(GOOD.clear()) == {}


@pytest.mark.parametrize("frame", [GOOD, pl.DataFrame({"a": [None, None]}), pl.DataFrame({"a": [1]})])
def test_a_contract_survives_json(frame):
    contract = contract_of(frame)
    assert from_json(to_json(contract), Contract) == contract
