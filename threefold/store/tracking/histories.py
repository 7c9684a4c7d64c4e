"""Every value of a metric: page by page in order, or thinned out for drawing."""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from threefold.errors import DataError
from threefold.store.schema import points, runs, series

Row = tuple[float | None, int, int]  # value (None is NaN), moment in ms, step
_SERIES = (
    select(series.c.id, series.c.length)
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
        in_order = _came_in_order(connection, found.id)
    query = _AS_LOGGED if in_order else _BY_TIME
    rows: Any = connection.execute(query, {"series": found.id, "start": start, "limit": limit}).all()
    more = start + len(rows) < found.length and len(rows) == limit
    return rows, _written(start + limit, in_order) if more else None


def steps(connection: Connection, run_id: str, name: str) -> list[int]:
    """The steps at which a run logged a metric, each once, ascending."""
    query = (
        select(points.c.step)
        .join(series, series.c.id == points.c.series)
        .join(runs, runs.c.number == series.c.run)
        .where(runs.c.id == run_id, series.c.name == name)
        .distinct()
        .order_by(points.c.step)
    )
    return list(connection.scalars(query))


def at_steps(connection: Connection, run_id: str, name: str, chosen: Sequence[int], limit: int) -> list[Row]:
    """The values at some steps, ordered by step, moment and value."""
    found = connection.execute(_SERIES, {"run_id": run_id, "name": name}).first()
    if found is None:
        return []
    rows: list[Row] = []
    for begin in range(0, len(chosen), 1_000):
        query = (
            select(points.c.value, points.c.at_ms, points.c.step)
            .where(points.c.series == found.id, points.c.step.in_(chosen[begin : begin + 1_000]))
            .order_by(points.c.step, points.c.at_ms, points.c.value)
        )
        rows += [(row[0], row[1], row[2]) for row in connection.execute(query)]
    return rows[:limit]


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
