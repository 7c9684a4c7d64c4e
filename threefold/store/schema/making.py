"""How the tables come into a database."""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, String, inspect, text

from threefold.store.schema.base import HEAD, metadata


def create(connection: Connection) -> None:
    """Make every table in an empty database."""
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def sort_bytewise(tables: MetaData) -> None:
    """Let every text of a schema be compared byte by byte in Postgres, as SQLite does; a language would order anew."""
    for table in tables.tables.values():
        for column in table.columns:
            kind = column.type
            if isinstance(kind, String) and "postgresql" not in kind._variant_mapping:
                column.type = kind.with_variant(type(kind)(kind.length, collation="C"), "postgresql")


def collate(connection: Connection) -> None:
    """Do the same to tables that migrations have made; they say nothing about the order of text."""
    if connection.dialect.name != "postgresql":
        return
    for table in inspect(connection).get_table_names():
        changes = [
            f'ALTER COLUMN "{column["name"]}" TYPE {column["type"].compile(connection.dialect)} COLLATE "C"'
            for column in inspect(connection).get_columns(table)
            if isinstance(column["type"], String) and column["type"].collation != "C"
        ]
        if changes and table != "alembic_version":
            connection.execute(text(f'ALTER TABLE "{table}" {", ".join(changes)}'))
