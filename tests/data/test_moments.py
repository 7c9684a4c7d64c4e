"""Dates in other spellings are read where only one reading fits."""

import doctest
from datetime import datetime

import polars as pl
import pytest

from threefold.data import drafting, moments, starting
from threefold.data.moments import looks_like_dates, reading_of


@pytest.mark.parametrize(
    ("texts", "form", "first"),
    [
        (["31.12.2023", "1.2.2024"], "%d.%m.%Y", datetime(2023, 12, 31)),
        (["12/31/2023", "1/2/2024"], "%m/%d/%Y", datetime(2023, 12, 31)),
        (["31/12/23", None], "%d/%m/%y", datetime(2023, 12, 31)),
        (["2023/12/31"], "%Y/%m/%d", datetime(2023, 12, 31)),
        (["Dec 31 2023", "Jan 1 2024"], "%b %d %Y", datetime(2023, 12, 31)),
        (["31.12.2023 08:30"], "%d.%m.%Y %H:%M", datetime(2023, 12, 31, 8, 30)),
        (["12/31/2023 8:30 PM"], "%m/%d/%Y %I:%M %p", datetime(2023, 12, 31, 20, 30)),
        (["7/7/2023", "8/8/2023"], "%d/%m/%Y", datetime(2023, 7, 7)),  # both readings agree
    ],
)
def test_a_spelling_that_can_mean_one_thing_only_is_read(texts, form, first):
    reading = reading_of(pl.Series("when", texts))
    assert reading is not None
    assert reading.form == form
    read = pl.DataFrame({"when": texts}).select(reading.expression().cast(pl.Datetime("us")))["when"]
    assert read[0] == first
    assert read.null_count() == texts.count(None)
    assert eval(reading.code(), {"pl": pl}).meta.eq(reading.expression())


@pytest.mark.parametrize(
    "texts", [["1/2/2023", "3/4/2023"], ["31.12.2023", "12/31/2023"], ["99.99.2023"], ["A-1"], [None], ["1.2.3.4"], []]
)
def test_a_spelling_that_may_mean_two_things_or_none_is_not_read(texts):
    assert reading_of(pl.Series("when", texts, dtype=pl.String)) is None


def test_numbers_and_names_do_not_look_like_dates():
    for values in (["1.5", "2.25"], ["Bob 1", "Eve 2"], [1, 2]):
        assert not looks_like_dates(pl.Series(values))


@pytest.mark.parametrize("module", [moments, drafting, starting])
def test_the_examples_of_the_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
