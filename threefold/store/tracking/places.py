"""Where in a long series a step stands, found by halving: a series of ten million points is asked 24 times, not read."""

from __future__ import annotations

from bisect import bisect_left

from sqlalchemy import Connection, bindparam, select

from threefold.store.schema import points

_STEP_AT = select(points.c.step).where(
    points.c.series == bindparam("key"), points.c.position == bindparam("position")
)  # fmt: skip


def of_step(connection: Connection, key: int, length: int, step: int) -> int:
    """The first position of a series whose step is at least so large; its length, where there is none.

    Args:
        key: of a series whose points came in order.
        length: how many points it has.
    """
    return bisect_left(range(length), step, key=lambda position: _step_at(connection, key, position))


def _step_at(connection: Connection, key: int, position: int) -> int:
    return int(connection.execute(_STEP_AT, {"key": key, "position": position}).scalar_one())
