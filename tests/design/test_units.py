"""Durations, money and shares are written as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.design.units import Unfit, duration, money, say_duration, share


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2 h", 7200),
        ("90 min", 5400),
        ("1 day", 86_400),
        ("30 days", 2_592_000),
        ("2 weeks", 1_209_600),
        ("1.5h", 5400),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int):
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "2", "-1 h", "2 fortnights", "1e300 days", "nan h"])
def test_what_is_no_duration_is_answered_with_an_example(text: str):
    with pytest.raises(Unfit, match="such as 90 min"):
        duration(text)


@given(st.integers(0, 10**9))
def test_a_duration_that_is_said_reads_back_as_the_same(seconds: int):
    assert duration(say_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("40 USD", (40.0, "USD")), ("USD 40", (40.0, "USD")), ("1,250.50 eur", (1250.5, "EUR")), ("$3", (3.0, "USD")), ("7", (7.0, ""))],
)  # fmt: skip
def test_money_is_an_amount_and_a_currency(text: str, amount: tuple[float, str]):
    assert money(text) == amount


@pytest.mark.parametrize("text", ["", "USD", "-3 USD", "3 dollars", "$3 EUR"])
def test_what_is_no_money_is_answered_with_an_example(text: str):
    with pytest.raises(Unfit, match="such as 40 USD"):
        money(text)


@pytest.mark.parametrize(("text", "value"), [("10%", 0.1), ("0.1", 0.1), ("100 %", 1.0), ("0", 0.0)])
def test_a_share_is_a_percentage_or_a_number_up_to_one(text: str, value: float):
    assert share(text) == pytest.approx(value)


def test_a_share_above_one_is_taken_for_a_forgotten_percent_sign():
    with pytest.raises(Unfit) as caught:
        share("20")
    assert caught.value.near == "20%"
