"""Tables of a database, through SQLAlchemy."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import polars as pl
from sqlalchemy import MetaData, Table, create_engine, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from threefold.data.words import did_you_mean
from threefold.design.canvas import Source
from threefold.errors import DataError
from threefold.store.database import without_secrets as without_secrets


def read_database(source: Source, root: Path) -> tuple[pl.DataFrame, str]:
    """One table, whole, and the digest of what was read.

    The address is a database URL; the table stands after `#`, as in `sqlite:///shop.db#orders`, and is otherwise
    named as the source. A file of SQLite is looked for from `root`, and must be there.

    Raises:
        DataError: the driver is not installed, the database does not answer, or it has no such table.
    """
    address, _, table = source.source.partition("#")
    table = table or source.name
    try:
        url = _rooted(make_url(address), source, root)
        engine = create_engine(url)
        try:
            frame = _read(engine, table, source)
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        raise DataError(
            f"the driver '{error.name}' for table '{source.name}' is not installed",
            without_secrets(source.source),
            f"install it: pip install {error.name}",
        ) from error
    except (SQLAlchemyError, NoSuchModuleError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise DataError(
            f"the database of table '{source.name}' cannot be read: {reason}",
            without_secrets(source.source),
            "check the address, and that the database is up",
        ) from error
    return frame, digest_of_table(frame)


def _rooted(url: URL, source: Source, root: Path) -> URL:
    """The address with the whole path of its file; SQLite would make a file that is not there, and find it empty."""
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name.startswith((":memory:", "file:")):
        return url
    path = root / name
    if not path.is_file():
        near = [one.name for one in path.parent.iterdir() if one.is_file()] if path.parent.is_dir() else []
        advice = did_you_mean(path.name, near, "files there") if near else f"there is no folder {path.parent}"
        raise DataError(f"the database file of table '{source.name}' is missing", str(path), advice)
    return url.set(database=str(path))


def _read(engine, table: str, source: Source) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    names = inspect(engine).get_table_names() + inspect(engine).get_view_names()
    if table not in names:
        raise DataError(
            f"the database has no table '{table}'", without_secrets(source.source), did_you_mean(table, names, "tables")
        )
    described = Table(table, MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(described))]
    return pl.DataFrame(
        rows, schema=[column.name for column in described.columns], orient="row", infer_schema_length=None
    )


def digest_of_table(frame: pl.DataFrame) -> str:
    """The sha256 of a table's content, for sources that have no file."""
    buffer = BytesIO()
    frame.write_ipc(buffer)
    return hashlib.sha256(buffer.getvalue()).hexdigest()
