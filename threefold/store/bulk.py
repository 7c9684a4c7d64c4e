"""Many rows at once, without what SQLAlchemy does for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert


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
