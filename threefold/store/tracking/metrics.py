"""Metrics: every value a run logged, and the last one of each name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, tuple_

from threefold.store.bulk import insert_rows, update_rows
from threefold.store.schema import points, series

MANY = 100  # names in one query
MOVING = ("length", "last_value", "last_step", "last_at_ms")
COLUMNS = ("series", "position", "step", "at_ms", "value", "model_id", "dataset_name", "dataset_digest")

# Built once: making a statement costs more than running it, and these run for every value that is logged.
_KNOWN = select(
    series.c.id, series.c.name, series.c.length, series.c.last_step, series.c.last_at_ms, series.c.last_value
)
_KNOWN_ONE = _KNOWN.where(series.c.run == bindparam("run"), series.c.name == bindparam("name"))
_KNOWN_ALL = _KNOWN.where(series.c.run == bindparam("run"))
_KNOWN_MANY = _KNOWN.where(series.c.run == bindparam("run"), series.c.name.in_(bindparam("names", expanding=True)))
_ADD_SERIES = insert(series).returning(series.c.id, series.c.name)

Place = tuple[int, int, bool, float]  # step, at_ms, whether it is a number, value: the largest is the last one


@dataclass(frozen=True, slots=True)
class Point:
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


def add(connection: Connection, run: int, values: Sequence[Point]) -> None:
    """Log points to a run, in their order. A point that stands there already, in every number, is not kept twice.

    Args:
        run: the number of the run, not its id.
    """
    by_name = sorted(values, key=lambda point: point.name)  # stable: the order within a name stays
    groups = {name: _once(group) for name, group in groupby(by_name, key=lambda point: point.name)}
    known = _known(connection, run, list(groups))
    for name in groups:
        if name in known:
            groups[name] = _unseen(connection, known[name], groups[name])
    known |= _add_series(connection, run, [name for name in groups if name not in known])
    fresh = [(known[name], group) for name, group in groups.items() if group]
    if fresh:
        update_rows(connection, series, "id", MOVING, [_moved_on(row, group) for row, group in fresh])
        rows = [_row(row.id, row.length + place, point) for row, group in fresh for place, point in enumerate(group)]
        insert_rows(connection, points, COLUMNS, rows)


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
    place: Place


def _known(connection: Connection, run: int, names: list[str]) -> dict[str, _Known]:
    if len(names) == 1:
        found = connection.execute(_KNOWN_ONE, {"run": run, "name": names[0]})
    elif len(names) <= MANY:
        found = connection.execute(_KNOWN_MANY, {"run": run, "names": names})
    else:  # naming them costs more than reading all that the run has
        found = connection.execute(_KNOWN_ALL, {"run": run})
    return {
        name: _Known(key, length, _place(step, at_ms, _value(value))) for key, name, length, step, at_ms, value in found
    }


def _unseen(connection: Connection, known: _Known, group: list[Point]) -> list[Point]:
    """The points that are new; only where one does not come after all others, the catalogue has to be asked."""
    old = [point for point in group if _place_of(point) <= known.place]
    if not old:
        return group
    same = tuple_(points.c.step, points.c.at_ms).in_([(point.step, point.at_ms) for point in old])
    query = select(points.c.step, points.c.at_ms, points.c.value).where(points.c.series == known.id, same)
    seen = {_place(row.step, row.at_ms, _value(row.value)) for row in connection.execute(query)}
    return [point for point in group if _place_of(point) not in seen]


def _add_series(connection: Connection, run: int, names: list[str]) -> dict[str, _Known]:
    if not names:
        return {}
    empty = {"run": run, "length": 0, "last_value": None, "last_step": 0, "last_at_ms": 0}
    rows = [{**empty, "name": name} for name in names]
    made = connection.execute(_ADD_SERIES, rows)
    return {row.name: _Known(row.id, 0, _NOWHERE) for row in made}


def _moved_on(known: _Known, group: list[Point]) -> tuple[Any, ...]:
    """What MOVING names of a series after some points were added, and its key."""
    step, at_ms, number, value = max(known.place, *map(_place_of, group))
    return known.length + len(group), value if number else None, step, at_ms, known.id


def _row(key: int, position: int, point: Point) -> tuple[Any, ...]:
    return (
        key, position, point.step, point.at_ms, _stored(point.value), point.model_id, point.dataset_name,
        point.dataset_digest,
    )  # fmt: skip


def _once(group: Iterable[Point]) -> list[Point]:
    """The points without repeats."""
    return list({_place_of(point): point for point in group}.values())


def _place_of(point: Point) -> Place:
    return _place(point.step, point.at_ms, point.value)


def _place(step: int, at_ms: int, value: float) -> Place:
    number = not math.isnan(value)
    return step, at_ms, number, value if number else 0.0


_NOWHERE: Place = (-(2**63), -(2**63), False, 0.0)


def _stored(value: float) -> float | None:
    return None if math.isnan(value) else value


def _value(stored: float | None) -> float:
    return math.nan if stored is None else stored
