"""The points of metrics, as many as an eye can tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from threefold.store.schema import points, series

DRAWN = 600  # points of one line; a chart is not wider
WHOLE = 50_000  # series up to this length are read whole, so that no peak is lost; of longer ones a sample is taken
AT_ONCE = 500  # positions asked for in one question


@dataclass(frozen=True, slots=True)
class Spot:
    """One point of a line; None stands for what cannot be drawn: NaN and infinity."""

    step: int
    at_ms: int
    value: float | None


def lines(
    connection: Connection, numbers: Sequence[int], names: Sequence[str]
) -> dict[tuple[int, str], dict[str, Any]]:
    """The lines of some metrics of some runs: (run, name) -> steps, moments, values and how many points there are."""
    query = select(series.c.id, series.c.run, series.c.name, series.c.length)
    query = query.where(series.c.run.in_(list(numbers)), series.c.name.in_(list(names)))
    return {(row.run, row.name): line(connection, row.id, row.length) for row in connection.execute(query).all()}


def line(connection: Connection, key: int, length: int) -> dict[str, Any]:
    """One series, ordered by step and moment, in at most 2 * DRAWN points."""
    read = _sample(connection, key, length) if length > WHOLE else _spots(connection, _points(key))
    spots = sorted(read, key=lambda spot: (spot.step, spot.at_ms))
    drawn = list(_thinned(spots)) if len(spots) > DRAWN else spots
    return {
        "steps": [spot.step for spot in drawn],
        "at": [spot.at_ms for spot in drawn],
        "values": [spot.value for spot in drawn],
        "points": length,
        "sampled": length > WHOLE,
    }


def _points(key: int) -> Select[Any]:
    return select(points.c.step, points.c.at_ms, points.c.value).where(points.c.series == key)


def _spots(connection: Connection, query: Select[Any]) -> Iterator[Spot]:
    for step, at_ms, value in connection.execute(query):
        yield Spot(step, at_ms, value if value is not None and math.isfinite(value) else None)


def _sample(connection: Connection, key: int, length: int) -> Iterator[Spot]:
    wanted = sorted({*range(0, length, -(-length // (4 * DRAWN))), length - 1})
    for start in range(0, len(wanted), AT_ONCE):
        yield from _spots(connection, _points(key).where(points.c.position.in_(wanted[start : start + AT_ONCE])))


def _thinned(spots: Sequence[Spot]) -> Iterator[Spot]:
    """The lowest and the highest point of each bucket, in their order: no peak is lost."""
    width = -(-len(spots) // DRAWN)
    for start in range(0, len(spots), width):
        bucket = spots[start : start + width]
        numbers = [place for place, spot in enumerate(bucket) if spot.value is not None] or [0]
        ends = {min(numbers, key=lambda p: bucket[p].value or 0.0), max(numbers, key=lambda p: bucket[p].value or 0.0)}
        yield from (bucket[place] for place in sorted(ends))
