"""How numbers are written."""

import pytest

from threefold.governance import figures


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00044, "0.4 ms"),
        (0.312, "312 ms"),
        (0.9999, "1.0 s"),
        (59.96, "60.0 s"),
        (99.97, "1 min 40 s"),
        (120, "2 min"),
    ],
)
def test_a_duration_is_in_the_unit_a_person_would_use(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (5_412_000, "5.4 MB"), (2e12, "2000.0 GB")])
def test_a_size_is_in_powers_of_a_thousand(size: float, text: str) -> None:
    assert figures.size(size) == text


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_value_that_does_not_exist_is_a_dash(value: float | None) -> None:
    assert figures.decimal(value) == "–"


def test_a_difference_has_its_sign_unless_it_rounds_to_nothing() -> None:
    assert [figures.signed(value) for value in (0.0131, -0.0131, 0.0004, -0.0004)] == [
        "+0.013",
        "−0.013",
        "0.000",
        "0.000",
    ]


def test_a_listing_reads_as_a_sentence() -> None:
    assert [figures.listing(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_one_thing_is_singular() -> None:
    assert (figures.plural(1, "alert"), figures.plural(0, "alert")) == ("1 alert", "0 alerts")
