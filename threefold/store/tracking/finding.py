"""Find runs: filter, order and page, all of it in the catalogue.

Three ways lead to a page. Walk a little along the order that was asked for, and stop when the page is full: enough where
many runs fit. Where it is not, begin at the runs that fit, and order those. Where nothing tells them, walk all the way.
So what a page costs hangs on what fits, and hardly on how many runs there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Dialect, Select, case, exists, func, select

from threefold.errors import DataError
from threefold.store.schema import runs, series
from threefold.store.tracking import filters, narrowing
from threefold.store.tracking.conditions import (
    ATTRIBUTES,
    NAMED,
    STATUSES,
    TEXTS,
    TIMES,
    all_of,
    among,
    attribute_name,
    condition_of,
    holds,
)
from threefold.store.tracking.filters import Filter
from threefold.store.tracking.pages import ordering

View = Literal["active", "deleted", "all"]
A_LITTLE = 5_000  # rows of an index that are walked along before it is tried to begin elsewhere
_ORDERED_BY = (*ATTRIBUTES, "experiment_id", "lifecycle_stage")

Key = tuple[str, str, bool]  # kind, name, whether ascending


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for.

    Attributes:
        experiments: ids; only their runs.
        where: a filter, as `filters.parse` reads it.
        order: clauses such as "metrics.loss DESC"; ties fall to the newest, then to the id.
    """

    experiments: Sequence[int]
    where: str | None = None
    order: Sequence[str] = ()
    view: View = "active"


def search(connection: Connection, wanted: Search, limit: int, offset: int = 0) -> list[int]:
    """The numbers of the runs on one page, in order. Raises DataError."""
    keys = [_key(clause) for clause in wanted.order]
    if len({key[:2] for key in keys}) < len(keys):
        raise DataError(f"`order_by` contains duplicate fields: {list(wanted.order)}", "order_by", "name each once")
    tree = filters.parse(wanted.where)
    walk = _Walk(connection.dialect, wanted, tree, keys)
    near = walk.a_little(connection, A_LITTLE + offset + limit)
    if near is not None:
        found = _page(connection, near, limit, offset)
        if len(found) == limit:
            return found
    in_scope = narrowing.few(connection, select(runs.c.number).where(*_scope(wanted)))
    if in_scope is not None:
        return _page(connection, walk.among(in_scope), limit, offset)
    driver = narrowing.driver(connection, tree)
    if driver is not None:
        fitting = narrowing.fitting(driver, tree, _scope(wanted, indexed=False), connection.dialect)
        return _page(connection, _ordered(fitting, keys), limit, offset)
    return _page_of_all(connection, walk.all_the_way(), limit, offset)


def count(connection: Connection, wanted: Search) -> int:
    """How many runs there are to find."""
    tree = filters.parse(wanted.where)
    driver = narrowing.driver(connection, tree)
    if driver is None:
        query = _Walk(connection.dialect, wanted, tree).fitting
    else:
        query = narrowing.fitting(driver, tree, _scope(wanted, indexed=False), connection.dialect)
    return connection.scalar(query.with_only_columns(func.count())) or 0


def _scope(wanted: Search, *, indexed: bool = True) -> list[ColumnElement[bool]]:
    """Which runs are looked at.

    Args:
        indexed: whether the catalogue may begin with all runs of the experiments.
    """
    mine = list(wanted.experiments)
    column: ColumnElement[int] = runs.c.experiment_id if indexed else runs.c.experiment_id + 0
    found = [column == mine[0] if len(mine) == 1 else among(column, mine)]
    if wanted.view != "all":
        found.append(runs.c.deleted_at.is_(None) if wanted.view == "active" else runs.c.deleted_at.is_not(None))
    return found


def _page(connection: Connection, query: Select[Any], limit: int, offset: int) -> list[int]:
    return list(connection.scalars(query.limit(limit).offset(offset)))


def _page_of_all(connection: Connection, queries: Iterator[Select[Any]], limit: int, offset: int) -> list[int]:
    """One page of what several queries find one after the other."""
    found: list[int] = []
    for query in queries:
        part = _page(connection, query, limit - len(found), offset)
        found += part
        if len(found) == limit:
            break
        if offset:
            whole = select(func.count()).select_from(query.order_by(None).subquery())
            offset = 0 if part else offset - (connection.scalar(whole) or 0)
    return found


class _Walk:
    """Queries for the runs that fit, in the order that was asked for."""

    def __init__(self, dialect: Dialect, wanted: Search, tree: Filter, keys: Sequence[Key] = ()) -> None:
        self.scope, self.keys = _scope(wanted), keys
        self.metric = keys[0][1] if keys and keys[0][0] == "metric" else None
        parts = all_of(tree)
        # What compares the metric that orders the runs need not be asked run by run: the walk has it at hand.
        own = [
            part
            for part in parts
            if isinstance(part, filters.Compare) and (part.kind, part.name) == ("metric", self.metric)
        ]
        self.own = [holds(part, series, dialect) for part in own]
        rest = [condition_of(part, dialect) for part in parts if part not in own]
        self.rest = [condition for condition in rest if condition is not None]
        whole = condition_of(tree, dialect)
        fits = () if whole is None else (whole,)
        self.fitting = select(runs.c.number).where(*self.scope, *fits)
        self.within = select(runs.c.number).where(*_scope(wanted, indexed=False), *fits)

    def a_little(self, connection: Connection, rows: int) -> Select[Any] | None:
        """The runs that fit among the first ones of the order; None where no index holds that order."""
        if self.metric is not None:
            first, column = self._measured(), series.c.last_value
            along = select(column).where(series.c.name == self.metric, column.is_not(None), *self.own)
        elif not self.keys or self.keys[0][:2] == ("attribute", "start_time"):
            first, column = self.fitting, runs.c.started_at
            along = select(column).where(*self.scope)
        else:
            return None
        ascending = bool(self.keys) and self.keys[0][2]
        # All that have the value at which the walk ends are in it, so that ties stand in their right order.
        ends = connection.scalar(along.order_by(column if ascending else column.desc()).limit(1).offset(rows))
        if ends is not None:
            first = first.where(column <= ends if ascending else column >= ends)
        return _ordered(first, self.keys, ready=column)

    def among(self, numbers: Sequence[int]) -> Select[Any]:
        """The runs that fit among some."""
        return _ordered(self.within.where(runs.c.number.in_(numbers)), self.keys)

    def all_the_way(self) -> Iterator[Select[Any]]:
        """All runs that fit: where a metric orders them, those with a number, then those with NaN, then all others."""
        if self.metric is None:
            yield _ordered(self.fitting, self.keys)
            return
        yield _ordered(self._measured(), self.keys, ready=series.c.last_value)
        if self.own:  # the others do not fit
            return
        here = (series.c.run == runs.c.number) & (series.c.name == self.metric)
        yield _ordered(self.fitting.join(series, here).where(series.c.last_value.is_(None)), self.keys[1:])
        own = series.alias()
        none = ~exists().where(own.c.run == runs.c.number, own.c.name == self.metric).correlate(runs)
        yield _ordered(self.fitting.where(none), self.keys[1:])

    def _measured(self) -> Select[Any]:
        found = select(runs.c.number).select_from(series).join(runs, series.c.run == runs.c.number)
        return found.where(
            series.c.name == self.metric, series.c.last_value.is_not(None), *self.own, *self.scope, *self.rest
        )


def _key(clause: str) -> Key:
    kind, name, ascending = ordering(clause, ("attribute", "metric", "param", "tag"))
    return kind, attribute_name(name, _ORDERED_BY) if kind == "attribute" else name, ascending


def _ordered(query: Select[Any], keys: Sequence[Key], ready: ColumnElement[Any] | None = None) -> Select[Any]:
    """Order a query; runs without the value come last, those with NaN before them.

    Args:
        ready: the column of the first key, where the query has it already and it is never null.
    """
    for place, (kind, name, ascending) in enumerate(keys):
        if place == 0 and ready is not None:
            value, absent = ready, None
        else:
            query, value, absent = _sorted_by(query, kind, name)
        query = query.order_by(*(() if absent is None else (absent,)), value.asc() if ascending else value.desc())
    if not any(key[:2] == ("attribute", "start_time") for key in keys):
        query = query.order_by(runs.c.started_at.desc())
    return query.order_by(runs.c.id)


def _sorted_by(query: Select[Any], kind: str, name: str) -> tuple[Select[Any], Any, Any]:
    if kind == "metric":
        own = series.alias()
        joined = query.outerjoin(own, (own.c.run == runs.c.number) & (own.c.name == name))
        rank = case((own.c.run.is_(None), 2), (own.c.last_value.is_(None), 1), else_=0)
        return joined, own.c.last_value, rank
    if kind in NAMED:
        table = NAMED[kind].alias()
        joined = query.outerjoin(table, (table.c.run == runs.c.number) & (table.c.name == name))
        return joined, table.c.value, case((table.c.value.is_(None), 1), else_=0)
    if name == "status":
        return query, case(STATUSES, value=runs.c.status), None
    column = {**TEXTS, **TIMES, "experiment_id": runs.c.experiment_id, "lifecycle_stage": runs.c.deleted_at}[name]
    return query, column, case((column.is_(None), 1), else_=0) if column.nullable else None
