"""All rows of a catalogue, from one database into another, and the proof that they are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Integer, Table, func, insert, inspect, select, text

from threefold.errors import StoreError
from threefold.store import schema

AT_A_TIME = 1000  # rows in one statement

Progress = Callable[[str, int, int], None]


def copy(source: Connection, target: Connection, progress: Progress) -> dict[str, int]:
    """Copy every row into a database whose tables are there and empty; returns how many of each table.

    Raises:
        StoreError: a value does not fit into the other database.
    """
    counts = {}
    for table in schema.metadata.sorted_tables:
        total = count(source, table)
        done = 0
        for rows in _portions(source, table):
            target.execute(insert(table), rows)
            done += len(rows)
            progress(f"copying {table.name}", done, total)
        counts[table.name] = done
    _go_on_counting(target)
    return counts


def compare(one: Connection, other: Connection, where: str, progress: Progress) -> None:
    """Compare two catalogues row by row. Raises StoreError with the table that differs."""
    for number, table in enumerate(schema.metadata.sorted_tables, 1):
        progress(f"comparing {table.name}", number, len(schema.metadata.tables))
        if fingerprint(one, table) != fingerprint(other, table):
            raise StoreError(
                f"the copy of table {table.name} is not the same", where, "run it again; nothing was switched over"
            )


def fingerprint(connection: Connection, table: Table) -> tuple[int, str]:
    """How many rows a table has, and a digest over all of them in the order of its key."""
    seen, number = hashlib.sha256(), 0
    for rows in _portions(connection, table):
        for row in rows:
            seen.update(json.dumps(list(row.values()), sort_keys=True, ensure_ascii=True).encode())
            seen.update(b"\n")
        number += len(rows)
    return number, seen.hexdigest()


def count(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def drop_everything(connection: Connection) -> None:
    """Take a catalogue out of its database, and leave the database empty."""
    schema.metadata.drop_all(connection)
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def is_empty(connection: Connection) -> bool:
    """Whether a database holds no table at all."""
    return not inspect(connection).get_table_names()


def _portions(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """All rows in the order of the key, some at a time; a stream, so that any number fits into memory."""
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=AT_A_TIME)
    for rows in connection.execute(query).mappings().partitions():
        yield [dict(row) for row in rows]


def _go_on_counting(connection: Connection) -> None:
    """Let Postgres give the next row the next number: rows that brought theirs along did not move its counter."""
    if connection.dialect.name != "postgresql":
        return
    for table in schema.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None and isinstance(column.type, Integer):
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            last = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
            connection.execute(select(func.setval(sequence, last, False)))
