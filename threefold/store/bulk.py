"""Many rows at once, without what SQLAlchemy does for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, update


def insert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Add rows to a table.

    Args:
        columns: the names of what each row holds, in that order; the database sees the values as they are.
    """
    if not rows:
        return
    sql, positional = _compiled(connection.dialect, table, columns)
    connection.exec_driver_sql(
        sql, list(rows) if positional else [dict(zip(columns, row, strict=True)) for row in rows]
    )


@lru_cache(maxsize=64)
def _compiled(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> tuple[str, bool]:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(columns))
    if compiled.positional:
        assert tuple(compiled.positiontup or ()) == columns, compiled.positiontup
    return str(compiled), compiled.positional


def update_rows(
    connection: Connection, table: Table, key: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Change rows of a table, each found by its key.

    Args:
        key: the column that finds a row.
        columns: what is changed; a row of `rows` holds their values in that order, then the key.
    """
    sql, order = _compiled_update(connection.dialect, table, key, columns)
    given = (*columns, "at_key")
    if order is None:
        connection.exec_driver_sql(sql, [dict(zip(given, row, strict=True)) for row in rows])
        return
    places = [given.index(name) for name in order]
    mixed = places != sorted(places)  # only where `columns` stand in another order than in the table
    given_rows = [tuple([row[place] for place in places]) for row in rows] if mixed else list(rows)
    connection.exec_driver_sql(sql, given_rows)


@lru_cache(maxsize=64)
def _compiled_update(
    dialect: Dialect, table: Table, key: str, columns: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None]:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    compiled = update(table).where(table.c[key] == bindparam("at_key")).values(values).compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ()) if compiled.positional else None
