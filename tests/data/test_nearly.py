from datetime import date, datetime, timedelta

import polars as pl

from threefold.data.nearly import nearly_numbers, unused_times
from threefold.data.profile import profile


def told(frame: pl.DataFrame) -> list[str]:
    return list(unused_times(frame, {column.name: column for column in profile("orders", frame).columns}))


def test_one_word_among_numbers_is_named() -> None:
    frame = pl.DataFrame({"a": ["1.5"] * 40 + ["abc"], "b": ["x", "1"] * 20 + ["2"], "c": [1.0] * 41})
    [sentence] = nearly_numbers(frame)
    assert "'a' is text, and would be numbers but for 'abc'" in sentence


def test_a_time_that_is_not_used_says_why() -> None:
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(40)]
    frame = pl.DataFrame(
        {
            "holes": [None, *days[1:]],
            "ahead": [datetime(2190, 1, 1), *[datetime(2024, 1, 1)] * 39],
            "birth": days,
            "wrong": ["unclear", *[str(day) for day in days[1:]]],
            "sold": days,
        }
    )
    holes, ahead, birth, wrong = told(frame)
    assert "'holes'" in holes and "1 row have none" not in holes and "1 row has none" in holes
    assert "1 row lies in the future, up to 2190-01-01" in ahead
    assert "a birth or an end" in birth
    assert "'wrong' would be a time but for 1 row, as with 'unclear'" in wrong
