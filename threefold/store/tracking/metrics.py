"""Metrics: every value a run logged, and the last one of each name."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, insert, select

from threefold.store.bulk import insert_rows, update_rows
from threefold.store.schema import points, series
from threefold.store.tracking.places import EARLIEST, moment, place_of
from threefold.store.tracking.standing import Group, Known, leave_out

MANY = 100  # names in one query; to name more costs more than to read all from the first of them to the last
MOVING = ("length", "last_value", "last_step", "last_at_ms")
ORDER = ("in_order", "rising")
COLUMNS = ("series", "position", "step", "at_ms", "value")
MEASURED_ON = ("model_id", "dataset_name", "dataset_digest")

# Built once: making a statement costs more than running it, and these run for every value that is logged.
_KNOWN = select(
    series.c.id, series.c.name, series.c.length, series.c.in_order, series.c.rising, series.c.last_step,
    series.c.last_at_ms, series.c.last_value,
)  # fmt: skip
_KNOWN_ONE = _KNOWN.where(series.c.run == bindparam("run"), series.c.name == bindparam("name"))
_KNOWN_RANGE = _KNOWN.where(
    series.c.run == bindparam("run"), series.c.name.between(bindparam("first"), bindparam("last"))
)
_KNOWN_MANY = _KNOWN.where(series.c.run == bindparam("run"), series.c.name.in_(bindparam("names", expanding=True)))
_ADD_SERIES = insert(series).returning(series.c.id, series.c.name)


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
        groups[point.name][place_of(point.step, point.at_ms, point.value)] = point
    known = _known(connection, run, list(groups))
    leave_out(connection, [(known[name], group) for name, group in groups.items() if name in known])
    known |= _add_series(connection, run, [name for name in groups if name not in known])
    fresh = [(known[name], group) for name, group in groups.items() if group]
    if fresh:
        _move_on(connection, fresh)
        _add_points(connection, fresh)


def last(connection: Connection, run: int, names: Collection[str] | None = None) -> dict[str, Point]:
    """The last value of each metric of a run: that of the largest step, and there of the latest moment.

    Args:
        names: of which metrics; None is all. One that the run does not have is left out.
    """
    query = select(series).where(series.c.run == run).order_by(series.c.name)
    if names is not None and len(names) <= MANY:
        query = query.where(series.c.name.in_(names))
    elif names is not None:
        query = query.where(series.c.name.between(min(names), max(names)))
    return {
        row.name: Point(row.name, _value(row.last_value), row.last_step, row.last_at_ms)
        for row in connection.execute(query)
        if names is None or row.name in names
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


def _known(connection: Connection, run: int, names: list[str]) -> dict[str, Known]:
    if len(names) == 1:
        found = connection.execute(_KNOWN_ONE, {"run": run, "name": names[0]})
    elif len(names) <= MANY:
        found = connection.execute(_KNOWN_MANY, {"run": run, "names": names})
    else:
        found = connection.execute(_KNOWN_RANGE, {"run": run, "first": min(names), "last": max(names)})
    return {
        name: Known(key, length, in_order, rising, place_of(step, at_ms, value))
        for key, name, length, in_order, rising, step, at_ms, value in found.all()
    }


def _add_series(connection: Connection, run: int, names: list[str]) -> dict[str, Known]:
    if not names:
        return {}
    empty = {"run": run, "length": 0, "last_value": None, "last_step": 0, "last_at_ms": 0}
    rows = [{**empty, "in_order": True, "rising": True, "name": name} for name in names]
    made = connection.execute(_ADD_SERIES, rows)
    return {row.name: Known(row.id, 0, True, True, EARLIEST) for row in made}


def _move_on(connection: Connection, fresh: Sequence[tuple[Known, Group]]) -> None:
    """Let each series know its length, its last point, and whether its points still come in order."""
    moved, turned = [], []
    for known, group in fresh:
        in_order, rising, last, end = known.in_order, known.rising, known.last, known.end or known.last
        for place in group:
            if place > last:
                in_order = in_order and (place[1] > end[1] or moment(place) > moment(end))
                last = place
            else:
                in_order = in_order and moment(place) > moment(end)
                rising = rising and place[0] >= last[0]
            end = place
        step, at_ms, number, value = last
        moved.append((known.length + len(group), value if number else None, step, at_ms, known.id))
        if (in_order, rising) != (known.in_order, known.rising):
            turned.append((in_order, rising, known.id))
    update_rows(connection, series, "id", MOVING, moved)
    if turned:  # at most twice in the life of a series
        update_rows(connection, series, "id", ORDER, turned)


def _add_points(connection: Connection, fresh: Sequence[tuple[Known, Group]]) -> None:
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


def _value(stored: float | None) -> float:
    return math.nan if stored is None else stored
