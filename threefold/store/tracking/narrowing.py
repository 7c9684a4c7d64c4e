"""Begin a search at the end where there is little: few runs in sight, or the rows that fit one comparison.

Walking along runs in order is quick where many fit, and slow where one in a million does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Select, select

from threefold.store.schema import runs, series
from threefold.store.tracking.conditions import NAMED, all_of, condition_of, holds
from threefold.store.tracking.filters import Compare, Filter

FEW = 2_000  # rows; so many are read in a millisecond


def few(connection: Connection, query: Select[Any]) -> list[int] | None:
    """All numbers that a query finds, where they are few; otherwise None, which is known as soon as there are more."""
    found = list(connection.scalars(query.limit(FEW + 1)))
    return found if len(found) <= FEW else None


def driver(connection: Connection, tree: Filter) -> Compare | None:
    """The comparison to begin at: one of a metric that few fit, else one for a certain text, else one of a metric."""
    parts = [part for part in all_of(tree) if isinstance(part, Compare)]
    measured = [part for part in parts if part.kind == "metric" and part.sign != "!="]
    for part in measured:
        if few(connection, select(series.c.run).where(holds(part, series, connection.dialect))) is not None:
            return part
    said = [part for part in parts if part.kind in ("param", "tag") and part.sign == "="]
    return next(iter([*said, *measured]), None)


def fitting(begin: Compare, tree: Filter, scope: Sequence[ColumnElement[bool]], dialect: Dialect) -> Select[Any]:
    """The numbers of the runs in a scope that fit a filter, found from the rows that fit one of its comparisons.

    Args:
        scope: conditions that no index of `runs` helps with, so that the catalogue does not begin there.
    """
    table = NAMED[begin.kind].alias()
    rest = [condition_of(part, dialect) for part in all_of(tree) if part is not begin]
    found = select(runs.c.number).select_from(table).join(runs, runs.c.number == table.c.run)
    return found.where(holds(begin, table, dialect), *scope, *(part for part in rest if part is not None))
