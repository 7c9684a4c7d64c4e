"""Metrics: every value a run logged, and the last one of each name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, insert, select, tuple_, update

from threefold.store.schema import points, series

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
    rows: list[dict[str, Any]] = []
    for name, group in groups.items():
        row = known[name]
        rows += [_row(row.id, row.length + place, point) for place, point in enumerate(group)]
        if group:
            _move_on(connection, row, group)
    if rows:
        connection.execute(insert(points), rows)


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
    query = select(series).where(series.c.run == run, series.c.name.in_(names))
    return {
        row.name: _Known(row.id, row.length, _place(row.last_step, row.last_at_ms, _value(row.last_value)))
        for row in connection.execute(query)
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
    made = connection.execute(insert(series).returning(series.c.id, series.c.name), rows)
    return {row.name: _Known(row.id, 0, _NOWHERE) for row in made}


def _move_on(connection: Connection, known: _Known, group: list[Point]) -> None:
    values: dict[str, Any] = {"length": known.length + len(group)}
    newest = max(group, key=_place_of)
    if _place_of(newest) > known.place:
        values |= {"last_value": _stored(newest.value), "last_step": newest.step, "last_at_ms": newest.at_ms}
    connection.execute(update(series).where(series.c.id == known.id).values(**values))


def _row(key: int, position: int, point: Point) -> dict[str, Any]:
    return {
        "series": key, "position": position, "step": point.step, "at_ms": point.at_ms, "value": _stored(point.value),
        "model_id": point.model_id, "dataset_name": point.dataset_name, "dataset_digest": point.dataset_digest,
    }  # fmt: skip


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
