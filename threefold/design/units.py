"""Durations, money, shares and limits, as people write them.

Each function takes text, and raises Unfit with what would have been right.
"""

from __future__ import annotations

import re
from datetime import timedelta

from threefold.design.words import nearest

DURATION = "a duration such as 90 min, 2 h, 1 day, 2 weeks"
MONEY = "an amount of money such as 40 USD"
SHARE = "a share such as 10% or 0.1"
SECONDS = {
    "s": 1, "sec": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60, "h": 3_600, "hour": 3_600,
    "hours": 3_600, "d": 86_400, "day": 86_400, "days": 86_400, "week": 604_800, "weeks": 604_800,
}  # fmt: skip
SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?"
QUANTITY = re.compile(rf"({NUMBER})\s*(.*)", re.DOTALL)


class Unfit(ValueError):
    """A text is not what was expected.

    Attributes:
        expected: what would be right, to be read after "write": "a duration such as 2 h"; "" where `near` says all.
        near: the nearest right word, where there is one.
        said: the wrong part, where it is not the whole of what stands there: one item of a list.
    """

    def __init__(self, expected: str, near: str | None = None, said: str | None = None) -> None:
        super().__init__(expected)
        self.expected = expected
        self.near = near
        self.said = said

    @property
    def advice(self) -> str:
        """The next step for the reader."""
        near = f"did you mean '{self.near}'?" if self.near else ""
        return " ".join(part for part in (near, f"write {self.expected}" if self.expected else "") if part)


def quantity(text: str) -> tuple[float, str] | None:
    """A number and what stands behind it; None where the text does not begin with a number.

    >>> quantity("1,500 USD")
    (1500.0, 'USD')
    """
    found = QUANTITY.fullmatch(text.strip())
    try:
        return (float(found[1].replace(",", "")), found[2].strip()) if found else None
    except ValueError:
        return None


def duration(text: str) -> timedelta:
    """A length of time; never negative.

    >>> duration("90 min")
    datetime.timedelta(seconds=5400)
    """
    parts = quantity(text)
    if parts is None or parts[0] < 0:
        raise Unfit(DURATION)
    number, unit = parts
    if unit.lower() not in SECONDS:
        near = nearest(unit, SECONDS) if unit else None
        raise Unfit(DURATION, f"{number:g} {near}" if near else None)
    try:
        return timedelta(seconds=number * SECONDS[unit.lower()])
    except OverflowError:
        raise Unfit(DURATION) from None


def say_duration(length: timedelta) -> str:
    """A length of time in its largest whole unit.

    >>> say_duration(timedelta(hours=36)), say_duration(timedelta(days=14)), say_duration(timedelta(0))
    ('36 h', '2 weeks', '0 s')
    """
    seconds = length.total_seconds()
    for unit, size in (("week", 604_800), ("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 and unit in ('week', 'day') else ''}"
    return f"{seconds:.12g} s"


def money(text: str) -> tuple[float, str]:
    """An amount, not negative, and its currency in three letters; "" where none is given.

    >>> money("40 USD"), money("€ 2.50"), money("12")
    ((40.0, 'USD'), (2.5, 'EUR'), (12.0, ''))
    """
    sign = next((sign for sign in SIGNS if sign in text), "")
    body = text.replace(sign, "") if sign else text
    before = re.fullmatch(r"([A-Za-z]{3})\s*(\d.*)", body.strip())
    parts = quantity(f"{before[2]} {before[1]}" if before else body)
    if parts is None or parts[0] < 0:
        raise Unfit(MONEY)
    currency = SIGNS.get(sign) or parts[1].upper()
    if currency and not (re.fullmatch("[A-Z]{3}", currency) and not (sign and parts[1])):
        raise Unfit(MONEY)
    return parts[0], currency


def share(text: str) -> float:
    """A part of a whole, 0 to 1.

    >>> share("10%"), share("0.1")
    (0.1, 0.1)
    """
    parts = quantity(text)
    if parts is None or parts[1] not in ("", "%"):
        raise Unfit(SHARE)
    value = parts[0] / 100 if parts[1] else parts[0]
    if not 0 <= value <= 1:
        raise Unfit(SHARE, f"{parts[0]:g}%" if not parts[1] and 1 < parts[0] <= 100 else None)
    return value
