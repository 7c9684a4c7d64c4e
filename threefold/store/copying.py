"""All rows of a catalogue, from one database into another, and the proof that they are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Integer, Null, Row, Table, func, insert, inspect, null, select, text

from threefold.errors import StoreError
from threefold.store import database, schema

AT_A_TIME = 1000  # rows in one statement

_encode = msgspec.json.Encoder(order="deterministic", enc_hook=repr).encode

Values = tuple[Any, ...]  # of one row, in the order of its columns
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
            _add(target, table, rows)
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
        seen.update(_encode(rows))
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


def _add(target: Connection, table: Table, rows: list[Values]) -> None:
    if target.dialect.name == "postgresql":
        _stream(target, table, rows)
    else:
        names = table.columns.keys()
        target.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def _stream(target: Connection, table: Table, rows: list[Values]) -> None:
    """Rows into Postgres by COPY: this is where a large store spends its move, and it takes a fraction of inserting."""
    from psycopg import Error  # an extra: only who has a Postgres has it

    names = ", ".join(f'"{column.name}"' for column in table.columns)
    as_json = [place for place, column in enumerate(table.columns) if isinstance(column.type, JSON)]
    try:
        with (
            target.connection.cursor() as cursor,  # type: ignore[attr-defined]  # the driver's own, which is a context
            cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as stream,
        ):
            for row in rows:
                values = list(row)
                for place in as_json:
                    values[place] = _as_text(values[place])
                stream.write_row(values)
    except (Error, UnicodeEncodeError) as error:
        raise StoreError(
            f"table {table.name} cannot be copied: {str(error).splitlines()[0]}", "the new database",
            "mend the value or the connection, and run it again; nothing was switched over",
        ) from error  # fmt: skip


def _as_text(value: Any) -> str | None:
    return None if isinstance(value, Null) else database.json_text(value)


def _portions(connection: Connection, table: Table) -> Iterator[list[Values]]:
    """All rows in the order of the key, some at a time; a stream, so that any number fits into memory."""
    width = len(table.columns)
    nullable = [
        (place, column)
        for place, column in enumerate(table.columns)
        if isinstance(column.type, JSON) and column.nullable
    ]
    empty = [column.is_(null()).label(f"{column.name} is null") for _, column in nullable]
    query = select(table, *empty).order_by(*table.primary_key.columns).execution_options(yield_per=AT_A_TIME)
    for rows in connection.execute(query).partitions():
        if nullable:
            yield [_with_nulls(row, width, [place for place, _ in nullable]) for row in rows]
        else:
            yield [tuple(row) for row in rows]


def _with_nulls(row: Row[Any], width: int, places: list[int]) -> Values:
    """A row as it is inserted: no JSON at all is something else than the null of JSON."""
    values = list(row[:width])
    for place, empty in zip(places, row[width:], strict=True):
        if empty:
            values[place] = null()
    return tuple(values)


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
