"""The database under the catalogue: its address, its engine, and what its errors mean."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    PendingRollbackError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from threefold.errors import DataError, DiskFull, StoreError, Unavailable

T = TypeVar("T")

FAILURES = (DBAPIError, PoolTimeout, PendingRollbackError)  # what the database says no with
BUSY_TIMEOUT_S = 60  # a writer waits its turn this long; transactions here last milliseconds
RECONNECT_S = 10  # a Postgres that is started again is back within this time, or something is wrong
CACHE_KB = (
    16_000  # of SQLite, each connection: a batch of a thousand metrics touches twice the 500 pages it has by itself
)
WRITERS = 0x3F01D  # the advisory lock of Postgres by which writers take turns
LIMITS = "54"  # how the codes of Postgres begin for what is too large for it: a text in an index, a statement
SECRET = re.compile(r"(?i)([?&](?:password|sslpassword|token|secret)=)[^&#]*")


def address_of(root: Path, url: str | None) -> URL:
    """The address of a catalogue: as given, or the file in the folder of the store.

    Raises:
        StoreError: it is no address of a database, or of one that no catalogue can lie in.
    """
    if not url:
        return make_url(f"sqlite:///{root / 'catalogue.db'}")
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise _no_address(url) from None
    if found.drivername in ("postgres", "postgresql"):
        return found.set(drivername="postgresql+psycopg")
    if found.get_backend_name() not in ("sqlite", "postgresql"):
        raise _no_address(url)
    return found


def _no_address(url: str) -> StoreError:
    return StoreError(
        "this is no address of a catalogue", without_secrets(url),
        "write postgresql://user@host/database, or leave the setting 'catalogue' empty for SQLite in the store's folder",
    )  # fmt: skip


def without_secrets(url: str) -> str:
    """An address as it may be shown: passwords are replaced by three stars.

    >>> without_secrets("postgresql://ada:lovelace@db.example/flights?sslmode=require&password=x")
    'postgresql://ada:***@db.example/flights?sslmode=require&password=***'
    """
    return SECRET.sub(r"\1***", re.sub(r"^([^:/]+://[^:/@]*):[^@]*@", r"\1:***@", url))


def engine_of(url: URL) -> Engine:
    """The engine of a catalogue. Nothing is connected yet.

    Raises:
        StoreError: the driver is not installed.
    """
    try:
        engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgres(url)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            f"the driver for {url.get_backend_name()} is not installed",
            without_secrets(url.render_as_string(hide_password=True)),
            "install it: pip install 'threefold[postgres]'",
        ) from error
    event.listen(engine, "handle_error", _refuse_value)
    return engine


def _refuse_value(context: ExceptionContext) -> None:
    """Say of a value that it does not fit, whichever way the driver says so; the transaction is none the worse for it."""
    wrong = context.original_exception
    if (
        isinstance(context.sqlalchemy_exception, exc.DataError)
        or isinstance(wrong, (OverflowError, UnicodeEncodeError))
        or str(getattr(wrong, "sqlstate", "")).startswith(LIMITS)
    ):
        raise DataError(
            f"a value does not fit into the catalogue: {str(wrong).splitlines()[0]}", "the catalogue",
            "shorten or mend it; nothing was kept",
        ) from wrong  # fmt: skip


def _sqlite(url: URL) -> Engine:
    waits = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=waits, max_overflow=-1, pool_use_lifo=True)

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, so that a writer takes its lock at once
        cursor = connection.cursor()
        if patiently(lambda: cursor.execute("PRAGMA journal_mode").fetchone()[0]) != "wal":
            # SQLite does not wait here for another process that is doing the same: we do.
            patiently(lambda: cursor.execute("PRAGMA journal_mode=WAL").fetchone())
        cursor.execute("PRAGMA synchronous=FULL")  # acknowledged means on disk, also against a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA cache_size=-{CACHE_KB}")
        cursor.close()

    return engine


def _postgres(url: URL) -> Engine:
    engine = create_engine(
        url, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=BUSY_TIMEOUT_S,
        json_serializer=json_text, json_deserializer=json_value,
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_S}s'")
        connection.execute("SET timezone = 'UTC'")
        connection.commit()

    return engine


def patiently(call: Callable[[], T], seconds: float = BUSY_TIMEOUT_S) -> T:
    """Call again while SQLite answers "locked": it does so at once where waiting could end in a deadlock."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Exception as error:  # of the driver or wrapped by SQLAlchemy; only its text tells
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def connect(engine: Engine, *, patient: bool) -> Connection:
    """A connection.

    Args:
        patient: wait for a Postgres that is being started again; not for the first connection, where the address may
            be wrong.
    """
    deadline = time.monotonic() + (RECONNECT_S if patient and engine.dialect.name == "postgresql" else 0)
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def begin_reading(connection: Connection) -> None:
    """From here on the connection sees one state, whatever is written meanwhile."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def begin_writing(connection: Connection) -> None:
    """Wait for the turn to write; there is one writer at a time, so that the chain of events has one end."""
    if connection.dialect.name == "sqlite":
        patiently(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    else:
        connection.execute(select(func.pg_advisory_xact_lock(WRITERS)))


def ends_the_transaction(error: Exception) -> bool:
    """Whether an error took the whole transaction with it: full disk, lost connection; not a value that did not fit."""
    return isinstance(error, FAILURES) and not isinstance(error, (IntegrityError, ProgrammingError))


def explained(error: SQLAlchemyError, url: str) -> StoreError:
    """What an error of the database means for whoever called."""
    error = _first(error)
    cause = str(error.orig).strip() if isinstance(error, DBAPIError) else ""
    first = cause.splitlines()[0] if cause else type(error).__name__
    if isinstance(error, PoolTimeout) or "locked" in cause or "lock timeout" in cause:
        return Unavailable(
            f"the catalogue was busy for {BUSY_TIMEOUT_S} s", url, "find the process that holds it, then try again"
        )
    if "is full" in cause or "No space left" in cause:
        return DiskFull("the disk is full", url, "free some space and run again; nothing half-written was kept")
    if "readonly" in cause or "read-only" in cause or "unable to open" in cause:
        return StoreError(
            "the catalogue cannot be written: it is read-only for this user", url,
            "check the rights of the folder and of the files in it, or the grants of the database's user",
        )  # fmt: skip
    if _lost(error):
        return Unavailable(
            f"the connection to the catalogue was lost: {first}", url,
            "look whether the database is up, then try again; what was acknowledged is kept",
        )  # fmt: skip
    return StoreError(f"the catalogue cannot be used: {first}", url, "check the disk and the address of the store")


def _first(error: SQLAlchemyError) -> SQLAlchemyError:
    """What went wrong first: a transaction that SQLite gave up on a full disk then also misses its savepoints."""
    found, context = error, error.__context__
    while isinstance(context, FAILURES) or type(context).__module__ in ("sqlite3", "psycopg.errors"):
        assert context is not None
        found = context if isinstance(context, FAILURES) else found
        context = context.__context__
    return found


def _lost(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated
        or (isinstance(error, OperationalError) and "psycopg" in type(error.orig).__module__)
    )


# ---------------------------------------------------------------------------------------------------------- JSON


def json_text(value: Any) -> str:
    """JSON as Postgres takes it: NaN and infinity, which it refuses, become {"$float": "nan"}."""
    with suppress(ValueError):
        return json.dumps(value, allow_nan=False)
    return json.dumps(_tagged(value))


def json_value(text: bytes | str) -> Any:
    """What `json_text` was given."""
    said = text.decode() if isinstance(text, bytes) else text
    return json.loads(said, object_hook=_untagged) if '"$float"' in said else json.loads(said)


def _tagged(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return value


def _untagged(value: dict[str, Any]) -> Any:
    return float(value["$float"]) if value.keys() == {"$float"} else value
