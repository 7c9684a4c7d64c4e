"""Which points a series has already, so that one that is sent twice counts once.

A client that got no answer sends again what may have been kept. Nearly always that is the newest point, or a newer one
still, and then the catalogue need not be asked. Short series are asked together, with one question; a long one is looked
at only where the points would stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from threefold.store.schema import points, series
from threefold.store.tracking import places
from threefold.store.tracking.places import Place, moment, place_of

AT_ONCE = 1_000  # series in one question
NEAR = 500  # points; shorter series are asked together

Group = dict[Place, Any]  # points of one name, in the order in which they were logged

_ENDS = (
    select(points.c.series, points.c.step, points.c.at_ms, points.c.value)
    .join(series, (points.c.series == series.c.id) & (points.c.position == series.c.length - 1))
    .where(series.c.id.in_(bindparam("keys", expanding=True)))
)
_ALIKE = select(points.c.series, points.c.step, points.c.at_ms, points.c.value).where(
    points.c.step.in_(bindparam("steps", expanding=True)), points.c.at_ms.in_(bindparam("moments", expanding=True))
)
_NEAR = _ALIKE.where(points.c.series.in_(bindparam("keys", expanding=True)))
_FAR = _ALIKE.where(
    points.c.series == bindparam("key"), points.c.position.between(bindparam("first"), bindparam("last"))
)


@dataclass(slots=True)
class Known:
    """What is known of a series.

    Attributes:
        in_order: whether its points came in the order of time, and so lie in it.
        rising: whether its step never went back.
        last: the point that counts as its last one, that of the largest step.
        end: the point that came last, where that is another one and the points came in order.
    """

    id: int
    length: int
    in_order: bool
    rising: bool
    last: Place
    end: Place | None = None


def leave_out(connection: Connection, stored: Sequence[tuple[Known, Group]]) -> None:
    """Take those points out of each group that its series has already."""
    _find_ends(connection, [known for known, _ in stored])
    late: list[tuple[Known, Group, list[Place]]] = []
    for known, group in stored:
        group.pop(known.last, None)
        mine = [place for place in group if place < known.last and not _is_new(known, place)]
        if mine:
            late.append((known, group, mine))
    for some in _portions([entry for entry in late if entry[0].length <= NEAR]):
        asked = {"keys": [known.id for known, _, _ in some]} | _named(place for _, _, mine in some for place in mine)
        _take_out({known.id: group for known, group, _ in some}, connection.execute(_NEAR, asked))
    for known, group, mine in late:
        if known.length > NEAR:
            reach = _reach(connection, known, mine)
            _take_out({known.id: group}, connection.execute(_FAR, {"key": known.id, **reach, **_named(mine)}))


def _find_ends(connection: Connection, known: Iterable[Known]) -> None:
    turned = {row.id: row for row in known if row.in_order and not row.rising}
    for keys in _portions(list(turned)):
        for row in connection.execute(_ENDS, {"keys": keys}):
            turned[row.series].end = place_of(row.step, row.at_ms, row.value)


def _is_new(known: Known, place: Place) -> bool:
    """Whether a point comes after all others in time, though its step does not."""
    return known.in_order and moment(place) > moment(known.end or known.last)


def _take_out(groups: dict[int, Group], standing: Iterable[Row[Any]]) -> None:
    for row in standing:
        groups[row.series].pop(place_of(row.step, row.at_ms, row.value), None)


def _named(mine: Iterable[Place]) -> dict[str, list[int]]:
    looked_for = {(step, at_ms) for step, at_ms, _, _ in mine}
    return {"steps": [step for step, _ in looked_for], "moments": [at_ms for _, at_ms in looked_for]}


def _reach(connection: Connection, known: Known, mine: Sequence[Place]) -> dict[str, int]:
    """Between which positions some points would stand in a long series."""
    first, end = 0, known.length
    if known.rising:
        steps = [place[0] for place in mine]
        first = places.of_step(connection, known.id, known.length, min(steps))
        end = places.of_step(connection, known.id, known.length, max(steps) + 1)
    if known.in_order:
        moments = [place[1] for place in mine]
        first = max(first, places.of_moment(connection, known.id, known.length, min(moments)))
        end = min(end, places.of_moment(connection, known.id, known.length, max(moments) + 1))
    return {"first": first, "last": end - 1}


def _portions(items: list[Any]) -> Iterator[list[Any]]:
    for begin in range(0, len(items), AT_ONCE):
        yield items[begin : begin + AT_ONCE]
