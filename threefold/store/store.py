"""Store: transactions over the catalogue, objects beside it."""

from __future__ import annotations

import getpass
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.sql.base import Executable

from threefold.errors import StoreError, Unavailable
from threefold.records import utc_now
from threefold.store import database, schema
from threefold.store.events import GENESIS, canonical, chain
from threefold.store.keys import own_key
from threefold.store.objects import Objects, open_objects
from threefold.store.tracking import experiments

OBJECTS = "objects"  # the folder, inside that of the store

# Built once: making a statement costs more than running it.
_HEAD = select(schema.log_head.c.seq, schema.log_head.c.hash)
_FIRST_HEAD, _MOVE_HEAD = insert(schema.log_head), update(schema.log_head)
_INSERT_EVENT = insert(schema.events)
_LAST_MOMENT = select(schema.events.c.at).order_by(schema.events.c.seq.desc()).limit(1)


class Writer:
    """One open transaction: changes and the events that record them, committed together or not at all."""

    def __init__(self, connection: Connection, actor: str) -> None:
        self.connection = connection
        self.actor = actor
        self._now: str | None = None

    @property
    def now(self) -> str:
        """The moment of this transaction, the same for all of it, and later than every event before it.

        A clock that was set back must not turn the order around: what was in production when, which evidence is the
        newest, is read off these moments. So where the clock lags behind the log, the log's last moment is what counts.
        """
        if self._now is None:
            self._now = _later(self.connection.scalar(_LAST_MOMENT))
        return self._now

    def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Run one statement of SQLAlchemy Core inside the transaction."""
        result: CursorResult[Any] = self.connection.execute(statement, rows)
        return result

    def event(self, kind: str, subject: str, body: Mapping[str, Any] | None = None) -> int:
        """Append one event to the chain.

        Args:
            kind: "noun.verb", as in "release.created".
            subject: what it is about, as in "model flight-delays/3".
            body: the numbers and names a reader will want; plain JSON values.
        Returns:
            The event's number.
        """
        # The head is kept beside the rows: were the last row taken away, the next one would still not close the gap.
        head = self.connection.execute(_HEAD).first()
        seq, previous = (head.seq + 1, head.hash) if head else (1, GENESIS)
        written = canonical(body or {})
        digest = chain(previous, seq, self.now, kind, subject, self.actor, written)
        row = {
            "seq": seq, "at": self.now, "kind": kind, "subject": subject, "actor": self.actor, "body": written,
            "previous": previous, "hash": digest,
        }  # fmt: skip
        self.connection.execute(_INSERT_EVENT, row)
        if head:
            self.connection.execute(_MOVE_HEAD, {"seq": seq, "hash": digest})
        else:
            self.connection.execute(_FIRST_HEAD, {"id": 1, "seq": seq, "hash": digest})
        return seq


class Store:
    """The one memory of a project.

    Promises: what a transaction acknowledged survives the death of the process; a half-written object is never
    visible; writers queue instead of failing; a store written by a newer Threefold is refused, not damaged.

    >>> import tempfile, pathlib
    >>> store = Store.open(pathlib.Path(tempfile.mkdtemp()))
    >>> with store.write() as tx:
    ...     tx.event("project.created", "project demo")
    2
    """

    def __init__(self, root: Path, engine: Engine, url: str) -> None:
        self.root = root
        self.url = url  # of the catalogue, without its password
        self.engine = engine
        self.actor = ""  # who is named in the event log; empty: the user of the operating system
        self.objects: Objects = open_objects(OBJECTS, root)
        self._key: bytes | None = None
        self._turn = threading.Lock()  # the writers of this process wait here, without a connection
        self._known = False  # whether the catalogue was reached once
        # For whoever opens it again; the first is the address with its password, and never shown.
        self.catalogue: str | None = None
        self.objects_at: str | None = None

    @classmethod
    def open(
        cls, root: Path, *, url: str | None = None, objects: str | None = None, migrate: bool | None = None
    ) -> Store:
        """Open the store in a folder, creating or migrating it where needed.

        Args:
            root: the folder for objects, logs and the embedded catalogue; usually `<project>/.threefold`.
            url: a database URL for the catalogue; default is SQLite inside `root`.
            objects: where the objects lie: a folder, or the address of a bucket; default is a folder inside `root`.
            migrate: bring an older catalogue to the newest schema. Default: yes for SQLite, after a copy of the file;
                not for Postgres, where others may still work with the older one. False leaves it as it is.
        Raises:
            StoreError: the folder cannot be written, or the store was written by a newer Threefold.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the store: {error.strerror}", str(root), "check the folder's rights"
            ) from error
        store = cls.over(root, url, objects)
        try:
            store._prepare(migrate)
        except BaseException:
            store.close()
            raise
        store._known = True
        return store

    @classmethod
    def over(cls, root: Path, url: str | None, objects: str | None = None) -> Store:
        """A store whose catalogue is taken as it is: neither made nor migrated, nor looked at. For moving and mending.

        Raises:
            StoreError: it is no address of a catalogue, or the driver is missing.
        """
        address = database.address_of(root, url)
        store = cls(root, database.engine_of(address), database.without_secrets(address.render_as_string()))
        store.catalogue, store.objects_at = url or None, objects or None
        if objects:
            store.objects = open_objects(objects, root)
        return store

    def _prepare(self, migrate: bool | None) -> None:
        try:
            revision = self.revision()
            if revision is None:
                revision = self._create()
        except DatabaseError as error:
            raise self._unreadable(error) from error
        if revision == schema.MOVED:
            raise StoreError(
                "this catalogue was moved to another database", self.url,
                "set 'catalogue' in the settings to where it is now; the end of its event log says where",
            )  # fmt: skip
        if revision == schema.HEAD or migrate is False:
            return
        from threefold.store.upgrade import upgrade  # Alembic costs 400 ms: only a store that changes pays

        upgrade(self, revision, asked=migrate is True)

    def _unreadable(self, error: DatabaseError) -> StoreError:
        if isinstance(error, OperationalError) or self.engine.dialect.name != "sqlite":
            return database.explained(error, self.url)
        return StoreError(
            "the catalogue cannot be read: it is damaged or not a catalogue", self.url, "restore it from a backup"
        )

    def _create(self) -> str:
        """Make a new catalogue at the newest revision: what all migrations together make, in a tenth of the time."""
        with self.write() as tx:
            revision = self.revision_in(tx.connection)
            if revision is not None:  # another process was faster
                return revision
            if inspect(tx.connection).get_table_names():
                raise StoreError(
                    "the database holds tables, but no catalogue of Threefold", self.url, "name an empty database"
                )
            schema.create(tx.connection)
            experiments.create(tx.connection, "Default", number=experiments.DEFAULT)
            tx.event("store.created", "store", {"schema": schema.HEAD})
        return schema.HEAD

    def revision(self) -> str | None:
        """The migration the catalogue stands at; None for an empty one."""
        with database.connect(self.engine, patient=self._known) as connection:
            return self.revision_in(connection)

    @staticmethod
    def revision_in(connection: Connection) -> str | None:
        """The same, seen from inside a transaction."""
        if not inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return row[0] if row else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; it sees one consistent state.

        Raises:
            StoreError: the catalogue cannot be read.
        """
        try:
            with database.connect(self.engine, patient=self._known) as connection:
                database.begin_reading(connection)
                yield connection
        except database.FAILURES as error:
            raise database.explained(error, self.url) from error

    @contextmanager
    def write(self, *, actor: str | None = None) -> Iterator[Writer]:
        """One transaction. Writers queue; on an exception nothing of it stays.

        Raises:
            StoreError: the disk is full, the catalogue stayed busy longer than BUSY_TIMEOUT_S, or the connection was
                lost. Lost while it was being committed, the transaction may be there or not, but never half of it.
        """
        with self._in_turn():
            try:
                with database.connect(self.engine, patient=self._known) as connection:
                    database.begin_writing(connection)
                    yield Writer(connection, actor or self.acts_as())
                    connection.commit()
            except IntegrityError:
                raise  # a rule of the schema was broken by the caller; no matter of the disk or the file
            except database.FAILURES as error:
                raise database.explained(error, self.url) from error

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=database.BUSY_TIMEOUT_S):
            raise Unavailable(
                f"the catalogue was busy for {database.BUSY_TIMEOUT_S} s", self.url,
                "a transaction of this very process holds it: end that one first",
            )  # fmt: skip
        try:
            yield
        finally:
            self._turn.release()

    def key(self) -> bytes:
        """The secret of this store, 32 random bytes made on first use; it signs what only this store may open.

        Raises:
            StoreError: the file cannot be read or written, or does not hold a key.
        """
        if self._key is None:
            self._key = own_key(self.root / "key")
        return self._key

    def acts_as(self) -> str:
        """Who is named for what is done now."""
        return self.actor or _actor()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def new_id() -> str:
    """A fresh id, 32 hex letters."""
    return uuid.uuid4().hex


def _later(moment: str | None) -> str:
    now = utc_now().isoformat()
    if moment is None or moment < now:
        return now
    with suppress(ValueError):  # somebody altered the row by hand; `threefold audit verify` says so
        return (datetime.fromisoformat(moment) + timedelta(microseconds=1)).isoformat()
    return now


def _actor() -> str:
    return os.environ.get("THREEFOLD_ACTOR") or getpass.getuser()
