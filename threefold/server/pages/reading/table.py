"""The table of runs: narrowed, ordered and cut into pages, each page as cheap as the first.

A page is found by the row it begins after, never by counting rows from the top, so the last of ten thousand runs are
as near as the first. Ordered by a metric or a parameter, runs that have no number there follow at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
)

from threefold.store.schema import experiments, params, run_tags, runs, series
from threefold.store.tracking.runs import params_of, tags_of

PAGE = 50
COUNTED = 100_000  # beyond that many, nobody reads the exact number
LATELY = 10_000  # runs whose kinds are offered
A_NUMBER = r"^\s*-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
REST = "rest"  # the place after the last run that has a number
ATTRIBUTES = {
    "started": runs.c.started_at, "name": runs.c.name, "status": runs.c.status, "kind": runs.c.kind,
    "user": runs.c.user, "experiment": experiments.c.name,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs, in which order, from where on."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    sort: str = "started"  # an attribute, "metrics.<name>" or "params.<name>"
    descending: bool = True
    after: str = ""  # where the page before ended, as `next_after` said
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class Found:
    """One page of runs."""

    rows: list[Row[Any]]
    after: str | None  # where the next page begins; None: this is the last


def page_of(connection: Connection, wanted: Wanted) -> Found:
    """The runs of one page, and where the next one begins."""
    found: list[Row[Any]] = []
    key = _key(connection, wanted.sort)
    resting = wanted.after.startswith(f"{REST}~")
    if key is not None and not resting:
        found = list(connection.execute(_ordered(wanted, key).limit(wanted.limit + 1)))
        if len(found) > wanted.limit:
            return Found(found[:-1], _place(found[-2]))
    if wanted.sort in ATTRIBUTES:
        return Found(found, None)
    room = wanted.limit - len(found)
    rest = list(connection.execute(_without(wanted, key, wanted.after if resting else "").limit(room + 1)))
    if len(rest) <= room:
        return Found(found + rest, None)
    found += rest[:room]
    return Found(found, f"{REST}~{_place(rest[room - 1])}" if room else f"{REST}~")


def total(connection: Connection, query: Select[Any]) -> tuple[int, bool]:
    """How many runs a query finds, and whether that is all of them: counting ends at COUNTED."""
    count = connection.scalar(select(func.count()).select_from(query.limit(COUNTED + 1).subquery())) or 0
    return min(count, COUNTED), count <= COUNTED


def kinds_in(connection: Connection) -> list[str]:
    """The kinds of the newest runs, for a choice among them."""
    newest = select(runs.c.kind).order_by(runs.c.started_at.desc()).limit(LATELY).subquery()
    return sorted(connection.scalars(select(newest.c.kind).distinct()))


def values_of(connection: Connection, numbers: Sequence[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
    """What stands in the chosen columns: number of the run -> column -> value."""
    found: dict[int, dict[str, Any]] = {number: {} for number in numbers}
    names = [column.partition(".")[2] for column in columns if column.startswith("metrics.")]
    if names:
        # The step is asked for so that SQLite begins at these runs: the index by name holds all else, of every run there is.
        query = select(series.c.run, series.c.name, series.c.last_value, series.c.last_step)
        query = query.where(series.c.run.in_(list(numbers)), series.c.name.in_(names))
        for row in connection.execute(query):
            found[row.run][f"metrics.{row.name}"] = math.nan if row.last_value is None else row.last_value
    for kind, of in (("params", params_of), ("tags", tags_of)):
        if any(column.startswith(f"{kind}.") for column in columns):
            for number, values in of(connection, numbers).items():
                found[number] |= {f"{kind}.{name}": value for name, value in values.items()}
    return found


def names_in(connection: Connection, kind: str, limit: int = 200) -> list[str]:
    """The names of all metrics, parameters or tags, found by leaping from one to the next in the index."""
    column = {"metrics": series.c.name, "params": params.c.name, "tags": run_tags.c.name}[kind]
    leap = select(func.min(column).label("name")).cte("leap", recursive=True)
    following = select(func.min(column)).where(column > leap.c.name).scalar_subquery()
    leap = leap.union_all(select(following).where(leap.c.name.is_not(None)))
    found = connection.scalars(select(leap.c.name).where(leap.c.name.is_not(None)).limit(limit)).all()
    return [name for name in found if kind != "metrics" or name[-2:] not in (".x", ".y")]


def usual_names(connection: Connection, kind: str, numbers: Sequence[int]) -> list[str]:
    """The metrics or parameters of some runs, those that most of them have first."""
    table = series if kind == "metrics" else params
    query = select(table.c.name).where(table.c.run.in_(list(numbers))).group_by(table.c.name)
    names = connection.scalars(query.order_by(func.count().desc(), table.c.name).limit(60)).all()
    return [name for name in names if name[-2:] not in (".x", ".y")]


def searched(text: str) -> ColumnElement[bool]:
    """Runs whose name holds a text, or whose id begins with it."""
    held = runs.c.name.icontains(text, autoescape=True)
    return or_(held, runs.c.id.startswith(text.lower(), autoescape=True))


# --------------------------------------------------------------------------------------------------- the order


def _key(connection: Connection, sort: str) -> ColumnElement[Any] | None:
    """The expression that orders the runs; None where no run has a number there."""
    kind, _, name = sort.partition(".")
    if kind == "metrics":
        return series.c.last_value
    if kind != "params":
        return _attribute(sort)
    some = connection.scalars(select(params.c.value).where(params.c.name == name).limit(20)).all()
    if not any(_is_number(value) for value in some):
        return params.c.value if some else None
    like: ColumnElement[bool]
    if connection.dialect.name == "sqlite":
        like = params.c.value.bool_op("GLOB")("*[0-9]*") & not_(params.c.value.bool_op("GLOB")("*[^-+.0-9eE]*"))
    else:
        like = params.c.value.regexp_match(A_NUMBER)
    return case((like, cast(params.c.value, Float)), else_=None)


def _attribute(sort: str) -> ColumnElement[Any]:
    column: ColumnElement[Any] = ATTRIBUTES.get(sort, runs.c.started_at)
    return column


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _from(sort: str) -> Select[Any]:
    kind, _, name = sort.partition(".")
    joined = runs.join(experiments)
    query = select(runs, experiments.c.name.label("experiment"))
    if kind == "metrics":
        return query.select_from(joined.join(series, series.c.run == runs.c.number)).where(series.c.name == name)
    if kind == "params":
        return query.select_from(joined.join(params, params.c.run == runs.c.number)).where(params.c.name == name)
    return query.select_from(joined)


def _ordered(wanted: Wanted, key: ColumnElement[Any]) -> Select[Any]:
    query = _from(wanted.sort).add_columns(key.label("place")).where(key.is_not(None), *wanted.conditions)
    number = _number(wanted.sort)
    value, _, last = wanted.after.rpartition("~")
    if _counts(last):
        # Compared as a pair, so that the index on both finds the place without reading what stands before it.
        place = tuple_(literal(float(value) if _measured(wanted.sort) and _is_float(value) else value), int(last))
        query = query.where(tuple_(key, number) < place if wanted.descending else tuple_(key, number) > place)
    if wanted.descending:
        return query.order_by(key.desc(), number.desc())
    return query.order_by(key, number)


def _number(sort: str) -> ColumnElement[int]:
    """The number of the run, from the table whose index holds the order."""
    column: ColumnElement[int] = {"metrics": series.c.run, "params": params.c.run}.get(
        sort.partition(".")[0], runs.c.number
    )
    return column


def _measured(sort: str) -> bool:
    return sort.startswith(("metrics.", "params."))


def _without(wanted: Wanted, key: ColumnElement[Any] | None, after: str) -> Select[Any]:
    """The runs without a number where the others are ordered by it, newest first."""
    query = select(runs, experiments.c.name.label("experiment"), runs.c.started_at.label("place"))
    query = query.select_from(runs.join(experiments)).where(*wanted.conditions)
    if key is not None:
        kind, _, name = wanted.sort.partition(".")
        table = series if kind == "metrics" else params
        has = select(1).select_from(table).where(table.c.run == runs.c.number, table.c.name == name, key.is_not(None))
        query = query.where(~has.exists())
    place, _, number = after.removeprefix(f"{REST}~").rpartition("~")
    if _counts(number):
        query = query.where(tuple_(runs.c.started_at, runs.c.number) < tuple_(literal(place), int(number)))
    return query.order_by(runs.c.started_at.desc(), runs.c.number.desc())


def _place(row: Row[Any]) -> str:
    value = row.place
    return f"{value!r}~{row.number}" if isinstance(value, float) else f"{value}~{row.number}"


def _counts(text: str) -> bool:
    return text.isdecimal() and len(text) < 19  # what an address may hold, and a whole number of the catalogue


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
