"""Every value of a metric: page by page in order, or thinned out for drawing."""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select

from threefold.errors import DataError
from threefold.store.schema import points, runs, series
from threefold.store.tracking import places

WHOLE = 50_000  # points; of more, a drawing is made from places that are evenly spread
AT_ONCE = 1_000  # values in one question
LARGEST = 2**63 - 2  # of a step

Row = tuple[float | None, int, int]  # value (None is NaN), moment in ms, step
_SERIES = (
    select(series.c.id, series.c.length, series.c.in_order, series.c.rising)
    .join(runs, runs.c.number == series.c.run)
    .where(runs.c.id == bindparam("run_id"), series.c.name == bindparam("name"))
)
_COLUMNS = select(points.c.value, points.c.at_ms, points.c.step).where(points.c.series == bindparam("series"))
_AS_LOGGED = (
    _COLUMNS.where(points.c.position >= bindparam("start"))
    .order_by(points.c.position)
    .limit(bindparam("limit"))
)  # fmt: skip
_BY_TIME = (
    _COLUMNS.order_by(points.c.at_ms, points.c.step, points.c.value, points.c.position)
    .limit(bindparam("limit"))
    .offset(bindparam("start"))
)


def page(
    connection: Connection, run_id: str, name: str, limit: int, token: str | None = None
) -> tuple[Sequence[Row], str | None]:
    """One page of a metric, ordered by time, step and value; and the token of the next page.

    Points nearly always came in that order. Whether they did is found out once, for the first page, and said by the
    token: then a page is read off its place, and nothing has to be sorted.
    """
    start, in_order = _read(token)
    found = connection.execute(_SERIES, {"run_id": run_id, "name": name}).first()
    if found is None:
        return [], None
    if in_order is None:
        in_order = found.in_order or _came_in_order(connection, found.id)
    query = _AS_LOGGED if in_order else _BY_TIME
    rows: Any = connection.execute(query, {"series": found.id, "start": start, "limit": limit}).all()
    more = start + len(rows) < found.length and len(rows) == limit
    return rows, _written(start + limit, in_order) if more else None


def thinned(
    connection: Connection, run_ids: Sequence[str], name: str, count: int, first: int | None, last: int | None
) -> list[tuple[str, list[Row]]]:
    """About `count` values of a metric for each of several runs, evenly spread, with the first and the last of each.

    Args:
        first, last: the range of steps to look at; None for all of it from 0 on.
    """
    found = {run_id: connection.execute(_SERIES, {"run_id": run_id, "name": name}).first() for run_id in run_ids}
    if sum(row.length for row in found.values() if row is not None) > WHOLE:
        bounds = (0 if first is None else first, LARGEST if last is None else last)
        return [
            (run_id, [] if row is None else _spread(connection, row, count, *bounds)) for run_id, row in found.items()
        ]
    every = [[] if row is None else _steps(connection, row.id) for row in found.values()]
    chosen = sampled(every, count, first, last)
    return [(run_id, [] if row is None else _at_steps(connection, row.id, chosen)) for run_id, row in found.items()]


def _steps(connection: Connection, key: int) -> list[int]:
    """The steps of a series, each once, ascending."""
    query = select(points.c.step).where(points.c.series == key).distinct().order_by(points.c.step)
    return list(connection.scalars(query))


def _at_steps(connection: Connection, key: int, chosen: Sequence[int]) -> list[Row]:
    return _some(connection, key, points.c.step, chosen)


def _spread(connection: Connection, found: Any, count: int, first: int, last: int) -> list[Row]:
    """Values of a long series at places that are evenly spread, so that not all of it has to be read."""
    inside = range(found.length)
    if found.rising:
        low = places.of_step(connection, found.id, found.length, first)
        inside = range(low, places.of_step(connection, found.id, found.length, last + 1))
    elif (first, last) != (0, LARGEST):
        return _spread_anywhere(connection, found.id, count, first, last)
    share = max(1.0, len(inside) / count)
    chosen = {inside[int(place * share)] for place in range(min(count, len(inside)))} | {*inside[-1:]}
    return _some(connection, found.id, points.c.position, sorted(chosen))


def _spread_anywhere(connection: Connection, key: int, count: int, first: int, last: int) -> list[Row]:
    """The same where the step went back: nobody knows where a step stands, so each is looked at."""
    within = (points.c.series == key, points.c.step.between(first, last))
    total = connection.scalar(select(func.count()).select_from(points).where(*within)) or 0
    place = (func.row_number().over(order_by=points.c.position) - 1).label("place")
    each = select(points.c.value, points.c.at_ms, points.c.step, place).where(*within).subquery()
    chosen = or_(each.c.place % max(1, total // count) == 0, each.c.place == total - 1)
    rows = connection.execute(select(each.c.value, each.c.at_ms, each.c.step).where(chosen).limit(2 * count)).all()
    return sorted(((row[0], row[1], row[2]) for row in rows), key=_by_step)


def _some(connection: Connection, key: int, column: ColumnElement[int], chosen: Sequence[int]) -> list[Row]:
    """The values of a series where a column is one of those chosen, ordered by step, moment and value."""
    rows: list[Any] = []
    for begin in range(0, len(chosen), AT_ONCE):
        query = _COLUMNS.where(column.in_(chosen[begin : begin + AT_ONCE]))
        rows += connection.execute(query, {"series": key})
    return sorted(((row[0], row[1], row[2]) for row in rows), key=_by_step)


def _by_step(row: Row) -> tuple[int, int, bool, float]:
    value, at_ms, step = row
    return step, at_ms, value is not None, value or 0.0


def sampled(every: Sequence[Sequence[int]], count: int, first: int | None, last: int | None) -> list[int]:
    """About `count` steps of several runs, evenly spread, with the first and the last of each run.

    Args:
        every: for each run its steps, ascending.
        first, last: the range to look at; None for all of it from 0 on.

    >>> sampled([range(100)], 4, None, None)
    [0, 25, 50, 75, 99]
    """
    together = sorted(set().union(*every)) if every else []
    begin, end = (0, together[-1] if together else 0) if first is None or last is None else (first, last)
    edges = {step for run in every if run for step in (run[0], run[-1]) if begin <= step <= end}
    inside = together[bisect.bisect_left(together, begin) : bisect.bisect_right(together, end)]
    if len(inside) <= count:
        return sorted(edges.union(inside))
    share = len(inside) / count
    chosen = {inside[int(place * share)] for place in range(count)}
    return sorted(edges | chosen | {inside[-1]})


def _came_in_order(connection: Connection, key: int) -> bool:
    before = select(
        points.c.at_ms, points.c.step,
        func.lag(points.c.at_ms).over(order_by=points.c.position).label("at_before"),
        func.lag(points.c.step).over(order_by=points.c.position).label("step_before"),
    ).where(points.c.series == key).subquery()  # fmt: skip
    late = or_(
        before.c.at_ms < before.c.at_before,
        (before.c.at_ms == before.c.at_before) & (before.c.step <= before.c.step_before),
    )
    return connection.scalar(select(before.c.at_ms).where(late).limit(1)) is None


def _written(start: int, in_order: bool) -> str:
    return base64.b64encode(json.dumps({"offset": start, "in_order": in_order}).encode()).decode()


def _read(token: str | None) -> tuple[int, bool | None]:
    if not token:
        return 0, None
    try:
        found = json.loads(base64.b64decode(token, validate=True))
        return max(0, int(found["offset"])), found.get("in_order")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f"Invalid page token, could not base64-decode {token[:80]!r}", "page_token", "send it as given"
        ) from None
