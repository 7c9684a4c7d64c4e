"""The place of a point in its series, and where in a long one a step or a moment stands.

It is found by halving: a series of ten million points is asked 24 times, not read.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from threefold.store.schema import points

Place = tuple[int, int, bool, float]  # step, at_ms, whether it is a number, value: the largest is the last one

EARLIEST: Place = (-(2**63), -(2**63), False, 0.0)
_HERE = (points.c.series == bindparam("key"), points.c.position == bindparam("position"))
_STEP, _MOMENT = select(points.c.step).where(*_HERE), select(points.c.at_ms).where(*_HERE)


def place_of(step: int, at_ms: int, value: float | None) -> Place:
    """The place of a point; None is NaN, as the catalogue keeps it."""
    if value is None or value != value:  # only NaN differs from itself
        return step, at_ms, False, 0.0
    return step, at_ms, True, value


def moment(place: Place) -> Place:
    """A place in the order of time: its step counts after its moment."""
    step, at_ms, number, value = place
    return at_ms, step, number, value


def of_step(connection: Connection, key: int, length: int, step: int) -> int:
    """The first position of a series whose step is at least so large; its length, where there is none.

    Args:
        key: of a series whose step never went back.
        length: how many points it has.
    """
    return _first(connection, _STEP, key, length, step)


def of_moment(connection: Connection, key: int, length: int, at_ms: int) -> int:
    """The same for a moment, in a series whose points came in the order of time."""
    return _first(connection, _MOMENT, key, length, at_ms)


def _first(connection: Connection, query: Select[Any], key: int, length: int, wanted: int) -> int:
    def value_at(position: int) -> int:
        return int(connection.execute(query, {"key": key, "position": position}).scalar_one())

    return bisect_left(range(length), wanted, key=value_at)
