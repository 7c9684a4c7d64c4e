"""Metrics: every value a run logged, and the last one of each name."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select

from threefold.store.bulk import insert_rows, update_rows
from threefold.store.schema import points, series
from threefold.store.tracking import places

MANY = 100  # names in one query; to name more costs more than to read all from the first of them to the last
AT_ONCE = 1_000  # series in one query
NEAR = 500  # points: shorter series are read whole, many with one query, where it is asked what stands in them
MOVING = ("length", "last_value", "last_step", "last_at_ms", "in_order")
COLUMNS = ("series", "position", "step", "at_ms", "value")
MEASURED_ON = ("model_id", "dataset_name", "dataset_digest")

# Built once: making a statement costs more than running it, and these run for every value that is logged.
_KNOWN = select(
    series.c.id, series.c.name, series.c.length, series.c.in_order, series.c.last_step, series.c.last_at_ms,
    series.c.last_value,
)  # fmt: skip
_KNOWN_ONE = _KNOWN.where(series.c.run == bindparam("run"), series.c.name == bindparam("name"))
_KNOWN_RANGE = _KNOWN.where(
    series.c.run == bindparam("run"), series.c.name.between(bindparam("first"), bindparam("last"))
)
_KNOWN_MANY = _KNOWN.where(series.c.run == bindparam("run"), series.c.name.in_(bindparam("names", expanding=True)))
_ADD_SERIES = insert(series).returning(series.c.id, series.c.name)
_STANDING = select(points.c.series, points.c.step, points.c.at_ms, points.c.value).where(
    points.c.step.in_(bindparam("steps", expanding=True))
)
_STANDING_NEAR = _STANDING.where(points.c.series.in_(bindparam("keys", expanding=True)))
_STANDING_FAR = _STANDING.where(points.c.series == bindparam("key"))
_STANDING_BETWEEN = _STANDING_FAR.where(points.c.position.between(bindparam("first"), bindparam("last")))

Place = tuple[int, int, bool, float]  # step, at_ms, whether it is a number, value: the largest is the last one
Group = dict[Place, "Point"]  # points of one name, in the order in which they were logged


class Point(msgspec.Struct, frozen=True):
    """One value of one metric.

    Attributes:
        step: where on the run's own clock, any whole number.
        at_ms: when, in milliseconds since 1970.
        model_id, dataset_name, dataset_digest: what it was measured on, where that is known.
    """

    name: str
    value: float  # NaN and infinity are values, too
    step: int = 0
    at_ms: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


def add(connection: Connection, run: int, values: Iterable[Point]) -> None:
    """Log points to a run, in their order. A point that stands there already, in every number, is not kept twice.

    Args:
        run: the number of the run, not its id.
    """
    groups: dict[str, Group] = defaultdict(dict)
    for point in values:
        groups[point.name][_place(point.step, point.at_ms, point.value)] = point
    known = _known(connection, run, list(groups))
    _leave_out_what_stands(connection, [(known[name], group) for name, group in groups.items() if name in known])
    known |= _add_series(connection, run, [name for name in groups if name not in known])
    fresh = [(known[name], group) for name, group in groups.items() if group]
    if fresh:
        update_rows(connection, series, "id", MOVING, [_moved_on(row, group) for row, group in fresh])
        _add_points(connection, fresh)


def last(connection: Connection, run: int) -> dict[str, Point]:
    """The last value of each metric of a run: that of the largest step, and there of the latest moment."""
    query = select(series).where(series.c.run == run).order_by(series.c.name)
    return {
        row.name: Point(row.name, _value(row.last_value), row.last_step, row.last_at_ms)
        for row in connection.execute(query)
    }


def history(connection: Connection, run: int, name: str | None = None) -> Iterator[Point]:
    """Every point of one metric of a run, or of all, in the order in which they were logged."""
    query = (
        select(series.c.name, points)
        .join(points, points.c.series == series.c.id)
        .where(series.c.run == run)
        .order_by(series.c.name, points.c.position)
    )
    if name is not None:
        query = query.where(series.c.name == name)
    for row in connection.execute(query):
        yield Point(
            row.name, _value(row.value), row.step, row.at_ms, row.model_id, row.dataset_name, row.dataset_digest
        )


@dataclass(slots=True)
class _Known:
    id: int
    length: int
    in_order: bool
    place: Place  # of the last point


def _known(connection: Connection, run: int, names: list[str]) -> dict[str, _Known]:
    if len(names) == 1:
        found = connection.execute(_KNOWN_ONE, {"run": run, "name": names[0]})
    elif len(names) <= MANY:
        found = connection.execute(_KNOWN_MANY, {"run": run, "names": names})
    else:
        found = connection.execute(_KNOWN_RANGE, {"run": run, "first": min(names), "last": max(names)})
    return {
        name: _Known(key, length, in_order, (step, at_ms, False, 0.0) if value is None else (step, at_ms, True, value))
        for key, name, length, in_order, step, at_ms, value in found.all()
    }


def _leave_out_what_stands(connection: Connection, mine: Sequence[tuple[_Known, Group]]) -> None:
    """Take those points out of each group that its series has already.

    Only a point that does not come after all others can be there. One that was sent twice in a row is the last one, so
    the catalogue need not be asked; nor is a long series read for it, unless its points came out of order.
    """
    late: dict[int, tuple[_Known, Group]] = {}
    for known, group in mine:
        group.pop(known.place, None)
        if group and min(group) < known.place:
            late[known.id] = known, group
    near = [key for key, (known, _) in late.items() if known.length <= NEAR]
    for begin in range(0, len(near), AT_ONCE):
        keys = near[begin : begin + AT_ONCE]
        steps = {place[0] for key in keys for place in late[key][1]}
        for key, step, at_ms, value in connection.execute(_STANDING_NEAR, {"keys": keys, "steps": list(steps)}):
            late[key][1].pop(_place(step, at_ms, _value(value)), None)
    for known, group in late.values():
        if known.length > NEAR:
            _leave_out_of_long(connection, known, group)


def _leave_out_of_long(connection: Connection, known: _Known, group: Group) -> None:
    steps = sorted({place[0] for place in group if place < known.place})
    asked, query = {"key": known.id, "steps": steps}, _STANDING_FAR
    if known.in_order:
        query = _STANDING_BETWEEN
        asked["first"] = places.of_step(connection, known.id, known.length, steps[0])
        asked["last"] = places.of_step(connection, known.id, known.length, steps[-1] + 1) - 1
    for _, step, at_ms, value in connection.execute(query, asked):
        group.pop(_place(step, at_ms, _value(value)), None)


def _add_series(connection: Connection, run: int, names: list[str]) -> dict[str, _Known]:
    if not names:
        return {}
    empty = {"run": run, "length": 0, "last_value": None, "last_step": 0, "last_at_ms": 0, "in_order": True}
    rows = [{**empty, "name": name} for name in names]
    made = connection.execute(_ADD_SERIES, rows)
    return {row.name: _Known(row.id, 0, True, _NOWHERE) for row in made}


def _moved_on(known: _Known, group: Group) -> tuple[Any, ...]:
    """What MOVING names of a series after some points were added, and its key."""
    in_order, latest = known.in_order, known.place
    for place in group:
        if place < latest:
            in_order = False
        else:
            in_order = in_order and place[1] >= latest[1]
            latest = place
    step, at_ms, number, value = latest
    return known.length + len(group), value if number else None, step, at_ms, in_order, known.id


def _add_points(connection: Connection, fresh: Sequence[tuple[_Known, Group]]) -> None:
    rows = [
        (row.id, position, step, at_ms, value if number else None)
        for row, group in fresh
        for position, (step, at_ms, number, value) in enumerate(group, row.length)
    ]
    logged = [point for _, group in fresh for point in group.values()]
    if not any(point.model_id or point.dataset_name or point.dataset_digest for point in logged):  # as nearly always
        insert_rows(connection, points, COLUMNS, rows)
        return
    measured = [
        (*row, point.model_id or None, point.dataset_name or None, point.dataset_digest or None)
        for row, point in zip(rows, logged, strict=True)
    ]
    insert_rows(connection, points, COLUMNS + MEASURED_ON, measured)


def _place(step: int, at_ms: int, value: float) -> Place:
    return (step, at_ms, True, value) if value == value else (step, at_ms, False, 0.0)  # only NaN differs from itself


_NOWHERE: Place = (-(2**63), -(2**63), False, 0.0)


def _value(stored: float | None) -> float:
    return math.nan if stored is None else stored
